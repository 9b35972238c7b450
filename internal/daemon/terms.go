package daemon

import (
	"context"
	"fmt"

	"go.uber.org/zap"

	"moonwatch/failover/driver"
	"moonwatch/internal/config"
	"moonwatch/mind"
)

// checkLeases refuses to decide by terms under which two occupants could run a slot at
// once: an agent of another build may have let them in. A member that lacks a keeper
// observes and votes all the same; it is only never given a slot.
func (d *Daemon) checkLeases(m *mind.Mind) error {
	fl := m.Ledger().Fleet()
	if !fl.Exclusive() {
		return nil
	}
	if err := fl.Leases().Validate(fl.Elects(len(m.Ledger().Founders()))); err != nil {
		return fmt.Errorf("fleet of fact %d: %w: apply a fleet.yaml with other terms from an agent that takes these", m.Ledger().FleetIndex(), err)
	}
	if err := config.CheckEnforcer(d.cfg.Agent, fl); err != nil {
		d.log.Warn("no enforcer", zap.Error(err))
	}
	return nil
}

// noAction is the stop of an exclusive pool that brings no program for it: its keeper
// ends the slot.
type noAction struct{ driver.Driver }

// Apply leaves it to the keeper.
func (noAction) Apply(context.Context, driver.Request) driver.Result {
	return driver.Done.Because("no stop action: the keeper ends it")
}
