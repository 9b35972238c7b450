package mind

import "moonwatch/consensus"

// Read folds the ledger that a disk holds, as an agent that starts does. It is for
// those who look at the disk of an agent that does not run.
func Read(boot Boot) (*consensus.Ledger, error) {
	fold := NewFold()
	m := &Mind{ledger: fold.Ledger, state: fold.State, throttles: fold.Throttles}
	return m.ledger, m.load(boot)
}
