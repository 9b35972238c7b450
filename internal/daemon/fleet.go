package daemon

import (
	"cmp"
	"net/http"
	"time"

	"go.uber.org/zap"

	"moonwatch/consensus"
	"moonwatch/internal/config"
	"moonwatch/member"
)

// fleetInForce is the last accepted fleet.yaml and the fact that brought it, so
// that `apply` can show what a new one changes.
type fleetInForce struct {
	Fact  uint64        `json:"fact"`
	At    time.Time     `json:"at,omitzero"`
	Fleet *member.Fleet `json:"fleet"`
}

func (d *Daemon) noteFleet(f consensus.Fact) {
	if f.Command.Kind != consensus.KindFleet || !f.Accepted {
		return
	}
	fl, err := consensus.DecodePayload[member.Fleet](f)
	if err != nil {
		return // the ledger has accepted it, so it is readable
	}
	d.fleet.Store(&fleetInForce{Fact: f.Index, At: f.Time, Fleet: &fl})
	d.compareFleet(&fl)
}

// compareFleet warns where this agent's own file and the fleet do not go together.
func (d *Daemon) compareFleet(fl *member.Fleet) {
	for _, w := range config.UnknownPublicPools(d.cfg.Agent, fl) {
		d.log.Warn("agent.yaml and fleet.yaml differ in their pools", zap.String("what", w))
	}
	if mine, theirs := d.cfg.Agent.Profile, cmp.Or(fl.Profile, member.ProfileLAN); mine != theirs {
		d.log.Warn("agent.yaml and fleet.yaml differ in their profile: this agent observes by the one and replaces by the other",
			zap.String("agent", mine), zap.String("fleet", theirs))
	}
}

func (d *Daemon) serveFleet(w http.ResponseWriter, _ *http.Request) {
	fl := d.fleet.Load()
	if fl == nil {
		fl = &fleetInForce{} // none was applied yet
	}
	reply(w, http.StatusOK, fl)
}
