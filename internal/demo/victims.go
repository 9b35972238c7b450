package demo

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"

	"moonwatch/member"
	"moonwatch/status"
)

// The faults that a story can be about.
const (
	FaultKill            = "kill"              // agent and service of a slot's member end
	FaultStop            = "stop"              // both fall silent, their sockets stay
	FaultService         = "service"           // the service alone ends
	FaultAgent           = "agent"             // our agent alone ends
	FaultLeaderAndVictim = "leader-and-victim" // the member that leads the council and holds a slot
	FaultTwo             = "two"               // two members of different failure domains at once
	FaultHalf            = "half"              // three of seven, the council keeps its quorum
	FaultQuorum          = "quorum"            // as many councillors as it takes to lose the quorum
	FaultRack            = "rack"              // a whole failure domain of three loses its power
	FaultFlap            = "flap"              // one member comes and goes, and stays away at last
	FaultSpareDies       = "spare-dies"        // the spare that is being activated ends
	FaultLeaderInCase    = "leader-in-case"    // the member that leads ends while a spare is being activated
	FaultStall           = "stall"             // every member stands still once, one after the other
	FaultPauseAgent      = "pause-agent"       // our agent stalls for 2 s and goes on
	FaultRestartAgent    = "restart-agent"     // our agent ends and is started at once
)

// Faults lists all faults in the order in which they are documented.
func Faults() []string {
	return []string{
		FaultKill, FaultStop, FaultService, FaultAgent, FaultLeaderAndVictim, FaultTwo, FaultHalf, FaultRack, FaultQuorum,
		FaultFlap, FaultSpareDies, FaultLeaderInCase, FaultStall, FaultPauseAgent, FaultRestartAgent, FaultFlood,
	}
}

// errNoVictim says that the cluster stands in a way in which the story cannot
// be told as named, for instance when a spare leads the council.
var errNoVictim = errors.New("nobody fits the story")

// pick chooses the victims of a fault so that the story is the one named.
// Among those who fit, chance decides.
func pick(fault string, p status.Page, chance *rand.Rand) ([]member.ID, error) {
	c := cast{page: p, slots: map[member.ID]bool{}}
	for _, s := range p.Slots {
		if s.State == status.SlotServing {
			c.slots[s.Occupant] = true
		}
	}
	var fits func([]status.Member) bool
	size := 1
	switch fault {
	case FaultLeaderAndVictim:
		fits = func(m []status.Member) bool { return m[0].Leader && c.serves(m) }
	case FaultTwo:
		size = 2
		fits = func(m []status.Member) bool {
			return c.serves(m) && !leads(m) && m[0].Domain != m[1].Domain && councillors(m) <= 1
		}
	case FaultHalf:
		size = len(p.Members) / 2
		fits = func(m []status.Member) bool {
			// A whole failure domain would be another story: domain-cut.
			return c.serves(m) && !leads(m) && councillors(m) < c.quorumLoss() && !c.wholeDomain(m)
		}
	case FaultRack:
		size = largest(p.Members)
		fits = func(m []status.Member) bool {
			return oneDomain(m) && !leads(m) && councillors(m) < c.quorumLoss() && !c.troubled(m)
		}
	case FaultStall:
		size = len(p.Members)
		fits = func(m []status.Member) bool { return !c.troubled(m) }
	case FaultSpareDies:
		// Two of one failure domain would be another story: half of it, or all.
		fits = func(m []status.Member) bool {
			return c.serves(m) && !leads(m) && !slices.ContainsFunc(c.without(c.slots), func(spare status.Member) bool {
				return spare.Leader || spare.Domain == m[0].Domain
			})
		}
	case FaultLeaderInCase:
		fits = func(m []status.Member) bool {
			leader := c.leader()
			return c.serves(m) && len(leader) == 1 && c.serves(leader) && leader[0].Domain != m[0].Domain
		}
	case FaultQuorum:
		size = c.quorumLoss()
		fits = func(m []status.Member) bool { return councillors(m) == len(m) && c.serves(m) }
	default:
		fits = func(m []status.Member) bool { return c.serves(m) && !leads(m) }
	}
	casts := choose(p.Members, size, fits)
	if len(casts) == 0 {
		return nil, fmt.Errorf("pick the victims of %s: %w: leader %q, %d slots are served", fault, errNoVictim, p.Council.Leader, len(c.slots))
	}
	var ids []member.ID
	for _, m := range casts[chance.IntN(len(casts))] {
		ids = append(ids, m.ID)
	}
	slices.Sort(ids)
	return ids, nil
}

// cast is what the choice needs to know beyond a member's own line.
type cast struct {
	page  status.Page
	slots map[member.ID]bool // who holds a slot that is served
}

func (c cast) serves(m []status.Member) bool {
	return !slices.ContainsFunc(m, func(x status.Member) bool { return !c.slots[x.ID] || x.Verdict != "" })
}

func (c cast) troubled(m []status.Member) bool {
	return slices.ContainsFunc(m, func(x status.Member) bool { return x.Verdict != "" })
}

// without are the members that are not in a set.
func (c cast) without(set map[member.ID]bool) []status.Member {
	return slices.DeleteFunc(slices.Clone(c.page.Members), func(x status.Member) bool { return set[x.ID] })
}

func (c cast) leader() []status.Member {
	return slices.DeleteFunc(slices.Clone(c.page.Members), func(x status.Member) bool { return !x.Leader })
}

func oneDomain(m []status.Member) bool {
	return !slices.ContainsFunc(m, func(x status.Member) bool { return x.Domain != m[0].Domain })
}

// largest is the size of the largest failure domain.
func largest(members []status.Member) int {
	n := map[member.FailureDomain]int{}
	for _, m := range members {
		n[m.Domain]++
	}
	return slices.Max(slices.Collect(maps.Values(n)))
}

// quorumLoss is how many councillors must be lost for the quorum to be lost.
func (c cast) quorumLoss() int {
	n := len(c.page.Council.Councillors)
	return n - n/2
}

// wholeDomain reports that some failure domain has no member outside of m.
func (c cast) wholeDomain(m []status.Member) bool {
	outside := map[member.FailureDomain]bool{}
	for _, x := range c.page.Members {
		if !slices.ContainsFunc(m, func(y status.Member) bool { return y.ID == x.ID }) {
			outside[x.Domain] = true
		}
	}
	return slices.ContainsFunc(m, func(x status.Member) bool { return !outside[x.Domain] })
}

func leads(m []status.Member) bool {
	return slices.ContainsFunc(m, func(x status.Member) bool { return x.Leader })
}

func councillors(m []status.Member) int {
	n := 0
	for _, x := range m {
		if x.Councillor {
			n++
		}
	}
	return n
}

// choose lists all groups of the given size that fit. Seven members have at
// most 35.
func choose(members []status.Member, size int, fits func([]status.Member) bool) [][]status.Member {
	var found [][]status.Member
	var extend func(group []status.Member, from int)
	extend = func(group []status.Member, from int) {
		if len(group) == size {
			if fits(group) {
				found = append(found, slices.Clone(group))
			}
			return
		}
		for i := from; i < len(members); i++ {
			extend(append(group, members[i]), i+1)
		}
	}
	extend(nil, 0)
	return found
}
