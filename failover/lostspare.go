package failover

import "moonwatch/consensus"

// lostSpare says why the spare that a case has claimed will not serve any more, empty
// if it may. A machine that is down answers for nothing, so nobody waits for its word
// until the step's deadline; what it had begun is found, and stopped, by its own
// agent when it comes back, for it leaves the claim into quarantine. A spare whose
// agent alone is lost may well serve: its observers tell.
func (st *State) lostSpare(x *Case) string {
	if x.Restart || x.Spare == "" {
		return ""
	}
	switch v, _ := st.ledger.Standing(x.Spare); v.Kind {
	case consensus.VerdictDown:
		return string(x.Spare) + " is down"
	case consensus.VerdictDomainCut:
		return string(x.Spare) + " is out of reach with its whole failure domain"
	default:
		return ""
	}
}
