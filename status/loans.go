package status

import (
	"fmt"
	"slices"

	"moonwatch/failover"
)

// Loans says who stands in for another pool than its own, and how that ends: a member
// that serves goes on until it is relieved, and nobody but people relieves one that is
// well.
func (p Page) Loans() []string {
	var out []string
	for _, m := range p.Members {
		i := slices.IndexFunc(p.Pools, func(x Pool) bool { return x.Name == m.Pool })
		switch {
		case m.Home == "":
		case m.Duty != failover.Occupant:
			out = append(out, fmt.Sprintf("%s of pool %s is lent to pool %s", m.ID, m.Home, m.Pool))
		case i < 0 || p.Pools[i].Free == 0:
			out = append(out, fmt.Sprintf("%s of pool %s serves slot %s of pool %s, which has no free spare of its own", m.ID, m.Home, m.Slot, m.Pool))
		default:
			out = append(out, fmt.Sprintf("%s of pool %s serves slot %s of pool %s, which has a free spare again: 'moonwatch switchover %s' gives it back", m.ID, m.Home, m.Slot, m.Pool, m.Slot))
		}
	}
	return out
}
