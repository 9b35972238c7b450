package sim

import (
	"slices"

	"moonwatch/member"
)

// crowd is whom a fault may hit.
type crowd []crowdMember

type crowdMember struct {
	id     member.ID
	domain member.FailureDomain
}

func (c crowd) ids() []member.ID {
	out := make([]member.ID, len(c))
	for i, m := range c {
		out[i] = m.id
	}
	return out
}

// within are the members of one failure domain.
func (c crowd) within(d member.FailureDomain) []member.ID {
	return slices.DeleteFunc(slices.Clone(c), func(m crowdMember) bool { return m.domain != d }).ids()
}

// victims draws whom a fault hits: mostly one or a few, at times a third, all of
// them, or whoever shares a failure domain, which no draw one by one would find.
func (d dice) victims(all crowd) []member.ID {
	most := 1
	switch d.next() % 8 {
	case 0:
		most = len(all) // all at once
	case 1, 2:
		most = max(1, len(all)/3)
	case 3, 4:
		most = 3
	case 5:
		return all.within(all[d.next()%uint64(len(all))].domain)
	default: // one
	}
	return d.some(all.ids(), 1+int(d.next()%uint64(most)))
}
