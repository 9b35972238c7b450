package mind

import (
	"moonwatch/consensus"
	"moonwatch/failover"
)

// Read folds the ledger that a disk holds, as an agent that starts does. It is for
// those who look at the disk of an agent that does not run.
func Read(boot Boot) (*consensus.Ledger, error) {
	m := &Mind{state: failover.NewState()}
	m.ledger = consensus.NewLedger(m.state)
	m.state.Bind(m.ledger)
	return m.ledger, m.load(boot)
}
