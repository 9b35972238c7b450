package failover

import (
	"fmt"
	"time"

	"moonwatch/consensus"
	"moonwatch/member"
)

// A case for which its pool has no spare climbs a ladder, each rung a fact: it waits for
// who comes back by itself; where the fleet allows it, a member ends its burn-in early
// for it, or another pool lends it a spare; and then people are called. Meanwhile its
// traffic stays drained, and the first spare there is goes to the oldest case.

// Rung is how far a case without a spare has come.
type Rung string

// The rungs, from the lowest.
const (
	RungWait   Rung = "wait"   // for members that come back by themselves
	RungBorrow Rung = "borrow" // a spare of another pool is about to be lent to it
	RungPeople Rung = "people" // nobody comes, or nobody has come in time
)

// KindEarly ends a member's burn-in before its time, for a case that has no spare.
const KindEarly consensus.FactKind = "member-returned-early"

// ReturnedEarly makes a member a spare before it has burnt in.
type ReturnedEarly struct {
	Member member.ID `json:"member"`
	Case   uint64    `json:"case"`
}

// callPeopleAfter is how long a case waits for a spare before people are called: what
// lasts longer than 300 s is theirs (DESIGN 1).
const callPeopleAfter = 5 * time.Minute

// Rung is the rung on which a case without a spare stands, and why.
func (st *State) Rung(now time.Time, c *Case) (Rung, string) {
	waits := now.Sub(c.opened())
	var next member.ID
	var at time.Time
	coming := 0
	for _, m := range st.ledger.Roster().Members {
		u := st.s.Uses[m.ID]
		if !st.standsFor(m, c) || u == nil || u.Duty == Occupant || m.ID == c.Subject || st.Strikes(now, m.ID) >= StrikesOut {
			continue
		}
		if _, condemned := st.ledger.Standing(m.ID); condemned {
			continue // down, or out of reach: its coming back is nothing to count on
		}
		coming++
		if end := u.Since.Add(st.BurnInOf(now, m.ID)); u.Duty == BurnIn && (at.IsZero() || end.Before(at)) {
			next, at = m.ID, end
		}
	}
	var spare member.ID
	var from, lends string
	if len(st.FreeSpares(now, c)) == 0 { // else it is held by the reserve
		if spare, from, lends = st.Lender(now, c); lends != "" {
			lends = "; " + lends
		}
	}
	switch {
	case spare != "":
		return RungBorrow, fmt.Sprintf("%s of pool %s can be lent to it", spare, from)
	case waits >= callPeopleAfter:
		return RungPeople, fmt.Sprintf("people are called: no spare has come within %v%s", callPeopleAfter, lends)
	case coming == 0:
		return RungPeople, "people are called: nobody comes back by itself" + lends
	case next != "":
		return RungWait, fmt.Sprintf("%s is in burn-in until %s", next, at.UTC().Format("15:04:05 UTC")) + lends
	default:
		return RungWait, fmt.Sprintf("%d members of the pool are no free spares yet", coming) + lends
	}
}

// opened is when the case began.
func (c *Case) opened() time.Time { return c.History[0].At }

// starved reports that a case needs a spare and has none.
func (c *Case) starved() bool {
	return c.State == Held && c.Held == HeldPoolEmpty || c.State == Escalated && c.Proof != "" && c.Spare == "" && len(c.Preparing) == 0
}

// checkEarly says why a member may not end its burn-in early. That something may still
// run there, that it stands under a verdict, has struck out or is not ready is never
// passed over; what is cut short is the watching.
func (st *State) checkEarly(now time.Time, p ReturnedEarly) error {
	c, ok := st.s.Cases[p.Case]
	m, _ := st.ledger.Roster().Member(p.Member)
	u := st.s.Uses[p.Member]
	what := fmt.Sprintf("early return of %s", p.Member)
	switch {
	case !ok || !c.starved():
		return fmt.Errorf("%s: no case C-%d lacks a spare", what, p.Case)
	case u == nil || u.Duty != BurnIn || m.Pool != c.Pool:
		return fmt.Errorf("%s: it is not in burn-in in pool %s", what, c.Pool)
	case p.Member == c.Subject:
		return fmt.Errorf("%s: it is what case %s is about", what, c.Name())
	case len(u.Leftover) > 0:
		return fmt.Errorf("%s: it has not said that slots %v are stopped there", what, u.Leftover)
	case len(st.FreeSpares(now, c)) > 0:
		return fmt.Errorf("%s: pool %s has a free spare", what, c.Pool)
	}
	pool, _ := st.ledger.Fleet().Pool(c.Pool)
	if pool.Spares.EarlyAfter <= 0 {
		return fmt.Errorf("%s: pool %s wants the whole burn-in", what, c.Pool)
	}
	if burnt := now.Sub(u.Since); burnt < pool.Spares.EarlyAfter {
		return fmt.Errorf("%s: in burn-in for %v, wanted at least %v", what, burnt.Round(time.Second), pool.Spares.EarlyAfter)
	}
	if _, condemned := st.ledger.Standing(p.Member); condemned {
		return fmt.Errorf("%s: it is under a verdict", what)
	}
	if n := st.Strikes(now, p.Member); n >= StrikesOut {
		return fmt.Errorf("%s: it has failed %d times: people have to look at it", what, n)
	}
	return st.Ready(now, p.Member)
}

// early lets a member end its burn-in for the oldest case that has no spare.
func (c *Conductor) early(now time.Time, out []ConductorEffect) []ConductorEffect {
	for _, x := range c.st.OpenCases() {
		if !x.starved() {
			continue
		}
		for _, m := range c.st.ledger.Roster().Members {
			p := ReturnedEarly{Member: m.ID, Case: x.ID}
			if m.Pool == x.Pool && c.st.checkEarly(now, p) == nil {
				return c.propose(now, out, KindEarly, fmt.Sprintf("early/%s/%d", m.ID, x.ID), p)
			}
		}
	}
	return out
}

// borrowed reports that a spare of another pool was lent to a case: it is for this case,
// and no part of its own pool's reserve.
func (st *State) borrowed(c *Case) bool {
	for _, u := range st.s.Uses {
		if u.Duty == Spare && u.Lent != nil && u.Lent.Case == c.ID {
			return true
		}
	}
	return false
}

// reserved says why the last spares of a pool are kept from a case, empty if they are
// not: they are for when too few of its slots would go on serving without.
func (st *State) reserved(c *Case, pool member.Pool, free int) string {
	s := st.s.Slots[c.Slot]
	if free > pool.Spares.Reserve || s == nil {
		return ""
	}
	if st.borrowed(c) {
		return ""
	}
	slots, serving := st.servingWithout(s)
	floor := max(1, (slots+1)/2)
	if serving < floor {
		return ""
	}
	return fmt.Sprintf("%d spares of pool %s are free and %d are its reserve, for when fewer than %d of its %d slots serve; %d do",
		free, pool.Name, pool.Spares.Reserve, floor, slots, serving)
}
