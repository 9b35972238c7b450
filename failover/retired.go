package failover

import (
	"time"

	"moonwatch/member"
)

// What is known of a member outlives its retirement. As long as its name stands in the
// roster it may be taken back, by a fleet.yaml that does not say `retired: true`, and is
// then where it was: what may still run there has to be seen stopped, its strikes count,
// and who was on the way back to the pool is watched anew. Who is forgotten is gone with
// all of it, and another machine may have the name.

// known is what a member is used for, or was when it was retired or taken out of its
// pool; nil if it never was in one.
func (st *State) known(id member.ID) *Use {
	if u := st.s.Uses[id]; u != nil {
		return u
	}
	return st.s.Retired[id]
}

// retire ends a duty. What it said about its readiness is said anew when it is back.
func (u *Use) retire() *Use {
	u.Lent, u.Proof, u.Fits = nil, nil, nil
	return u
}

// takenBack gives a member its duty again. Nobody has watched it meanwhile, and a verdict
// that it stood under is gone: so burn-in begins anew, and what it has not stopped yet
// keeps it in quarantine.
func (u *Use) takenBack(at time.Time) {
	switch {
	case u.Duty == Spare:
	case len(u.Leftover) > 0:
		u.Duty = Quarantined
	default:
		u.Duty = BurnIn
	}
	u.Since = at
}
