package daemon

import (
	"net/http"
	"time"

	"moonwatch/agent"
	"moonwatch/status"
)

// noteMeasured keeps what the observer has seen for who asks.
func (d *Daemon) noteMeasured(now time.Time) {
	vain := d.flights.inVain()
	d.measured.Store(&status.MeasuredDocument{
		Schema: status.Schema, Now: now, Self: d.self, Profile: d.cfg.Agent.Profile,
		Members: len(d.mind.Ledger().Roster().Members), Measured: without(d.mind.Measured(), vain), Vain: vain,
	})
}

// without is what was measured but for probes in vain: a member that is down for days is no
// way that loses what is sent on it.
func without(m agent.Measured, vain uint64) agent.Measured {
	m.Sent -= min(vain, m.Sent)
	m.Lost -= min(vain, m.Lost) // the last ones are not lost yet
	return m
}

func (d *Daemon) serveMeasured(w http.ResponseWriter, _ *http.Request) {
	m := d.measured.Load()
	if m == nil { // the loop has not come around yet
		m = &status.MeasuredDocument{Schema: status.Schema, Now: time.Now(), Self: d.self, Profile: d.cfg.Agent.Profile}
	}
	reply(w, http.StatusOK, m)
}
