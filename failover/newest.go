package failover

import (
	"fmt"
	"time"

	"moonwatch/consensus"
)

// A ledger remembers the names of its last commands only. So that nobody who kept what
// an operator signed can hand it in once more when it is long over, what may be asked
// for again and again (a request, a drill, forgiveness) is taken from each operator in
// the order in which they signed it.

// Signing is the newest order of that sort that stands, of one operator.
type Signing struct {
	At time.Time `json:"at"` // by their own clock
	ID string    `json:"id"`
}

// newest refuses an order that is older than another one of the same operator.
func (st *State) newest(f consensus.Fact) error {
	who, _ := signer(f.Command)
	last, ok := st.s.Signed[who]
	switch {
	case ok && f.Command.Time.Before(last.At):
		return fmt.Errorf("%s: %s signed %s later, at %s by their clock: give the order anew", f.Command.Kind, who, last.ID, last.At.Format(time.RFC3339))
	case ok && f.Command.ID == last.ID:
		return fmt.Errorf("%s: %s stands already", f.Command.Kind, last.ID)
	}
	return nil
}

func (st *State) signed(f consensus.Fact) {
	if st.s.Signed == nil {
		st.s.Signed = map[string]Signing{}
	}
	who, _ := signer(f.Command)
	st.s.Signed[who] = Signing{At: f.Command.Time, ID: f.Command.ID}
}
