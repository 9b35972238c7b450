package failover

import (
	"fmt"
	"time"

	"moonwatch/member"
)

// Anti-flap, for each member alone: what fails again and again has to prove itself
// for longer each time, and in the end to a person. Nobody else waits for it.
//
// A strike is booked when a member fails where a spare has to stand in for it or
// cannot: it was replaced, it fell as a spare or in its burn-in, an activation or a
// drill failed on it.

// StrikesOut is how many strikes within the strike window keep a member out of the
// pool until people have looked at it, or the first of them is forgotten. Two happen
// to a machine with a loose cable; the third time the cable is known.
const StrikesOut = 3

// burnInMax bounds the burn-in that doubles with each strike.
const burnInMax = 24 * time.Hour

// strike books that a member has failed.
func (st *State) strike(u *Use, at time.Time) {
	u.Struck = append(within(u.Struck, at, st.timing().StrikeWindow), at)
}

// Strikes is how often a member has failed within the strike window.
func (st *State) Strikes(now time.Time, id member.ID) int {
	u := st.s.Uses[id]
	if u == nil {
		return 0
	}
	return len(within(u.Struck, now, st.timing().StrikeWindow))
}

// BurnInOf is how long a repaired member is watched before it is a spare again: it
// doubles with each strike but the first.
func (st *State) BurnInOf(now time.Time, id member.ID) time.Duration {
	t := st.timing().BurnIn
	for range st.Strikes(now, id) - 1 {
		t = min(2*t, burnInMax)
	}
	return t
}

// BurntIn says what keeps a member in burn-in, nil if nothing does any more.
func (st *State) BurntIn(now time.Time, id member.ID) error {
	u := st.s.Uses[id]
	if u == nil || u.Duty != BurnIn {
		return fmt.Errorf("return of %s: it is not in burn-in", id)
	}
	if len(u.Leftover) > 0 {
		return fmt.Errorf("return of %s: it has not said that slots %v are stopped there", id, u.Leftover)
	}
	if _, condemned := st.ledger.Standing(id); condemned {
		return fmt.Errorf("return of %s: it is under a verdict", id)
	}
	if n, window := st.Strikes(now, id), st.timing().StrikeWindow; n >= StrikesOut {
		return fmt.Errorf("return of %s: it has failed %d times within %v: people have to look at it", id, n, window)
	}
	if burnt, want := now.Sub(u.Since), st.BurnInOf(now, id); burnt < want {
		return fmt.Errorf("return of %s: in burn-in for %v, wanted %v", id, burnt.Round(time.Second), want)
	}
	return nil
}
