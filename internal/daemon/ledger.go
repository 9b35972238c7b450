package daemon

import (
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"time"

	"moonwatch/consensus"
	"moonwatch/failover"
	"moonwatch/mind"
	"moonwatch/status"
)

// ledgerCopy is this agent's whole ledger, folded, and how far it can be
// trusted to be the present one.
type ledgerCopy struct {
	Schema    int              `json:"schema"`
	Cluster   string           `json:"cluster"`
	Taken     time.Time        `json:"taken"`
	Knowledge status.Knowledge `json:"knowledge"`
	Ledger    json.RawMessage  `json:"ledger"`
}

// serveLedger hands out the ledger for what-if questions. It is folded once
// more, from what followers are fed with: the loop that owns the living one is
// not kept waiting.
func (d *Daemon) serveLedger(w http.ResponseWriter, _ *http.Request) {
	st, err := d.feed.folded()
	if err != nil {
		http.Error(w, "fold the ledger: "+err.Error(), http.StatusInternalServerError)
		return
	}
	l := st.Ledger()
	b, err := l.Snapshot()
	if err != nil {
		http.Error(w, "fold the ledger: "+err.Error(), http.StatusInternalServerError)
		return
	}
	c := ledgerCopy{Schema: status.Schema, Cluster: l.Cluster(), Taken: time.Now().UTC(), Ledger: b}
	if p := d.page.Load(); p != nil {
		c.Knowledge = p.Knowledge
	}
	reply(w, http.StatusOK, c)
}

// folded builds the ledger up from the last snapshot and the facts after it.
func (f *feed) folded() (*failover.State, error) {
	fold := mind.NewFold()
	st, l := fold.State, fold.Ledger
	if b, _, err := f.Snapshot(); err == nil && len(b) > 0 {
		if err := l.Restore(b); err != nil {
			return nil, err
		}
	}
	facts, ok := f.Facts(l.Head()+1, math.MaxInt)
	if !ok {
		return nil, fmt.Errorf("facts from %d on are no longer kept", l.Head()+1)
	}
	for _, b := range facts {
		x, err := consensus.DecodeFact(b)
		if err != nil {
			return nil, err
		}
		if _, _, err := l.Follow(x); err != nil {
			return nil, err
		}
	}
	return st, nil
}
