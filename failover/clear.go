package failover

import (
	"fmt"

	"moonwatch/consensus"
	"moonwatch/member"
)

// KindCleared is people's word that they have looked at a member: what it did before
// is not held against it any more.
const KindCleared consensus.FactKind = "strikes-cleared"

// StrikesCleared forgives a member's strikes and its failed drill.
type StrikesCleared struct {
	Member member.ID `json:"member"`
	Reason string    `json:"reason"`
}

// CheckCleared says why strikes may not be cleared, nil if they may. What still runs on
// a member, a verdict, and the rest of its burn-in are not forgiven.
func (st *State) CheckCleared(p StrikesCleared) error {
	what := fmt.Sprintf("clear the strikes of %s", p.Member)
	if err := checkReason(what, p.Reason); err != nil {
		return err
	}
	u := st.s.Uses[p.Member]
	switch {
	case u == nil:
		return fmt.Errorf("%s: it is in no pool", what)
	case len(u.Struck) == 0 && (u.Drilled == nil || u.Drilled.Good):
		return fmt.Errorf("%s: it has none", what)
	}
	return nil
}

// clear forgives. A member in burn-in stays there for the plain time.
func (st *State) clear(p StrikesCleared) {
	u := st.s.Uses[p.Member]
	u.Struck = nil
	if u.Drilled != nil && !u.Drilled.Good {
		u.Drilled = nil
	}
}
