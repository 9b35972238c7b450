package daemon

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"moonwatch/failover"
)

// serveRehearsal says what an order would lead to. It is asked of a copy of the
// ledger, folded once more: the loop that owns the living one is not kept waiting.
func (d *Daemon) serveRehearsal(w http.ResponseWriter, r *http.Request) {
	st, err := d.feed.folded()
	if err != nil {
		refuse(w, http.StatusInternalServerError, fmt.Errorf("fold the ledger: %w", err))
		return
	}
	if st.Ledger().Fleet() == nil {
		refuse(w, http.StatusServiceUnavailable, fmt.Errorf("rehearse: no fleet was applied yet"))
		return
	}
	in := json.NewDecoder(http.MaxBytesReader(w, r.Body, 4<<10))
	in.DisallowUnknownFields()
	rehearsed := func(err error, of func() failover.Rehearsal) {
		if err != nil {
			refuse(w, http.StatusBadRequest, fmt.Errorf("rehearse: %w", err))
			return
		}
		reply(w, http.StatusOK, of())
	}
	const unnamed = "a rehearsal"
	switch what := r.PathValue("what"); what {
	case "drain":
		var p failover.DrainOrdered
		err := in.Decode(&p)
		if p.Reason == "" {
			p.Reason = unnamed
		}
		rehearsed(err, func() failover.Rehearsal { return st.RehearseDrain(time.Now(), p) })
	case "vacate":
		var p failover.VacateOrdered
		err := in.Decode(&p)
		if p.Reason == "" {
			p.Reason = unnamed
		}
		rehearsed(err, func() failover.Rehearsal { return st.RehearseVacate(time.Now(), p) })
	case "fill":
		var p failover.FillOrdered
		err := in.Decode(&p)
		if p.Reason == "" {
			p.Reason = unnamed
		}
		rehearsed(err, func() failover.Rehearsal { return st.RehearseFill(time.Now(), p) })
	case "switchover":
		var p failover.SwitchoverOrdered
		err := in.Decode(&p)
		if p.Reason == "" {
			p.Reason = unnamed
		}
		rehearsed(err, func() failover.Rehearsal { return st.RehearseSwitchover(time.Now(), p) })
	case "request":
		var p failover.Requested
		err := in.Decode(&p)
		if p.Reason == "" {
			p.Reason = unnamed
		}
		rehearsed(err, func() failover.Rehearsal { return st.RehearseRequest(time.Now(), p) })
	default:
		refuse(w, http.StatusNotFound, fmt.Errorf("rehearse %s: want drain, vacate, fill, switchover or request", what))
	}
}
