package failover

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"moonwatch/member"
)

// FreeSpares lists the spares that a case may claim, best first.
func (st *State) FreeSpares(now time.Time, c *Case) []member.ID {
	var free []member.ID
	for _, m := range st.ledger.Roster().Members {
		if st.standsFor(m, c) && st.claimable(now, m.ID) == nil && st.spared(now, m.ID, c.Proof != "") == nil {
			free = append(free, m.ID)
		}
	}
	if c.Planned && c.Order.To != "" { // this one, and no other
		free = slices.DeleteFunc(free, func(id member.ID) bool { return id != c.Order.To })
	}
	return st.bestFirst(now, c, free)
}

// bestFirst sorts spares for a case: first those of its own pool, then those in another
// failure domain than the victim's, which may be about to follow it, then in one where
// nobody else is condemned, then in one with few occupants of the pool, then the one that
// failed least, then one that does no drill just now, then one that is warm from a
// drill, then the one that was used longest ago.
func (st *State) bestFirst(now time.Time, c *Case, free []member.ID) []member.ID {
	roster := st.ledger.Roster()
	occupants, troubled := map[member.FailureDomain]int{}, map[member.FailureDomain]int{}
	for _, id := range st.Unsettled(now) {
		if id != c.Subject {
			troubled[roster.Domain(id)] = 1
		}
	}
	for _, s := range st.s.Slots {
		if s.Pool == c.Pool && s.Occupant != "" && s.Occupant != c.Subject {
			occupants[roster.Domain(s.Occupant)]++
		}
	}
	victim := roster.Domain(c.Subject)
	slices.SortFunc(free, func(a, b member.ID) int {
		da, db := roster.Domain(a), roster.Domain(b)
		return cmp.Or(
			cmp.Compare(count(st.s.Uses[a].Lent != nil), count(st.s.Uses[b].Lent != nil)),
			cmp.Compare(count(da == victim), count(db == victim)),
			cmp.Compare(troubled[da], troubled[db]),
			cmp.Compare(occupants[da], occupants[db]),
			cmp.Compare(st.Strikes(now, a), st.Strikes(now, b)),
			cmp.Compare(count(len(st.s.Uses[a].Leftover) > 0), count(len(st.s.Uses[b].Leftover) > 0)), // it has to tidy up first
			cmp.Compare(count(st.drilling(a)), count(st.drilling(b))),
			cmp.Compare(count(!st.s.Uses[a].warm(now)), count(!st.s.Uses[b].warm(now))),
			st.s.Uses[a].LastUsed.Compare(st.s.Uses[b].LastUsed),
			cmp.Compare(a, b),
		)
	})
	return free
}

func count(b bool) int {
	if b {
		return 1
	}
	return 0
}

// claimable says why a member cannot be claimed now, nil if it can.
func (st *State) claimable(now time.Time, id member.ID) error {
	u := st.s.Uses[id]
	if u == nil || u.Duty != Spare {
		return fmt.Errorf("%s is no spare", id)
	}
	if err := st.enforceable(now, id); err != nil {
		return err
	}
	if err := st.Ready(now, id); err != nil {
		return err
	}
	if v, stands := st.ledger.Standing(id); stands {
		return fmt.Errorf("%s is under a verdict: %s", id, v.Kind)
	}
	if r := st.ledger.Record(id); r.Downs > 1 {
		hold := min(st.timing().HoldDown<<min(r.Downs-1, 10), time.Hour)
		if now.Sub(r.LastUp) < hold {
			return fmt.Errorf("%s has fallen %d times: held down for %v", id, r.Downs, hold)
		}
	}
	return nil
}

// checkClaim refuses to give a case a member that is not free. A spare in two
// slots is the one thing that must never be.
func (st *State) checkClaim(now time.Time, c *Case, spare member.ID) error {
	if m, ok := st.ledger.Roster().Member(spare); !ok || !st.standsFor(m, c) {
		return fmt.Errorf("case %s: claim %s: not a member of pool %s, nor lent to it", c.Name(), spare, c.Pool)
	}
	if err := st.claimable(now, spare); err != nil {
		return fmt.Errorf("case %s: claim: %w", c.Name(), err)
	}
	if h := st.spared(now, spare, c.Proof != ""); h != nil {
		return fmt.Errorf("case %s: claim %s: %s", c.Name(), spare, h.why())
	}
	return nil
}

// unaccused is the first spare that its observers reach just now: two accusers are
// not a verdict yet, and enough to prefer another one. If all are accused, the first.
func (c *Conductor) unaccused(free []member.ID) member.ID {
	for _, id := range free {
		if !slices.Contains(c.accused, id) {
			return id
		}
	}
	return free[0]
}
