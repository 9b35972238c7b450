package daemon

import (
	"net/http"
	"time"

	"moonwatch/status"
)

// noteMeasured keeps what the observer has seen for who asks.
func (d *Daemon) noteMeasured(now time.Time) {
	d.measured.Store(&status.MeasuredDocument{
		Schema: status.Schema, Now: now, Self: d.self, Profile: d.cfg.Agent.Profile,
		Members: len(d.mind.Ledger().Roster().Members), Measured: d.mind.Measured(),
	})
}

func (d *Daemon) serveMeasured(w http.ResponseWriter, _ *http.Request) {
	m := d.measured.Load()
	if m == nil { // the loop has not come around yet
		m = &status.MeasuredDocument{Schema: status.Schema, Now: time.Now(), Self: d.self, Profile: d.cfg.Agent.Profile}
	}
	reply(w, http.StatusOK, m)
}
