package mind

import (
	"moonwatch/consensus"
	"moonwatch/failover"
)

// Fold is what the facts of a ledger add up to: the ledger, and its parts in the one
// order that all agents have.
type Fold struct {
	Ledger    *consensus.Ledger
	State     *failover.State
	Throttles *Throttles
}

// NewFold is the fold of no facts.
func NewFold() Fold {
	f := Fold{State: failover.NewState(), Throttles: &Throttles{}}
	f.Ledger = consensus.NewLedger(f.State, f.Throttles)
	f.State.Bind(f.Ledger)
	f.Throttles.bind(f.Ledger)
	return f
}
