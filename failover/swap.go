package failover

import (
	"fmt"
	"slices"
	"time"

	"moonwatch/consensus"
	"moonwatch/member"
)

// SwapHold says why a lost councillor may not be swapped now, empty if it may: in a
// cascade nothing is done that cannot be undone, while two members are in trouble the
// next one to go may be the learner, and in maintenance or a freeze people know why it
// is gone (PROTOCOL 8).
func (st *State) SwapHold(now time.Time, out member.ID) string {
	b := st.s.Brake.In(Fleet)
	switch {
	case b.Mode == Cascade:
		return "the fleet is in cascade: " + b.Why
	case b.Mode == Guarded && len(st.Unsettled(now)) >= 2:
		return "the fleet is guarded: " + b.Why
	}
	scopes := []Scope{Fleet, InDomain(st.ledger.Roster().Domain(out)), HoldOf(out)}
	for _, h := range st.Holds(now) {
		if (h.Kind == Maintenance || h.Kind == Freeze) && slices.Contains(scopes, h.Scope) {
			return fmt.Sprintf("%s of %s: %s", h.Kind, h.Scope, h.Reason)
		}
	}
	return ""
}

// checkSwap asks the same when the ledger applies the swap.
func (st *State) checkSwap(f consensus.Fact) error {
	r, err := consensus.DecodePayload[consensus.Reform](f)
	if err != nil || r.Do != consensus.Swap {
		return err
	}
	for _, s := range st.ledger.Seats().Voters {
		if s.ID != r.Out {
			continue
		}
		if why := st.SwapHold(f.Time, s.Member); why != "" {
			return fmt.Errorf("council: %s is not swapped while %s", s.Member, why)
		}
	}
	return nil
}
