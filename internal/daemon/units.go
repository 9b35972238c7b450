package daemon

import (
	"context"

	"moonwatch/failover"
	"moonwatch/failover/driver"
	"moonwatch/failover/driver/systemd"
	"moonwatch/member"
	"moonwatch/mind"
)

// unitDriver drives a step's systemd unit, and remembers the step as one of an
// installed action. A stop is a proof by itself: the unit's control group is empty.
func (d *Daemon) unitDriver(e mind.DoStep) (driver.Driver, error) {
	unit := e.Unit
	c := systemd.Default(func(member.SlotID) string { return unit })
	if d.cfg.Systemd != nil {
		c = *d.cfg.Systemd
		c.Unit = func(member.SlotID) string { return unit }
	}
	units, err := systemd.New(c)
	if err != nil {
		return nil, err
	}
	var drv driver.Driver = driver.NewJournaled(units, d.journal)
	pool, _ := d.mind.Ledger().Fleet().Pool(e.Pool)
	if e.Key.Step == failover.StepStop && e.Key.Case != 0 && pool.Checks.Outside() {
		drv = driver.NewSelfFence(drv, d.stopped(e)) // somebody else may serve at its port
	}
	return drv, nil
}

// broken is a step that cannot be done on this member, and why.
type broken struct{ err error }

// Observe says why.
func (b broken) Observe(context.Context, driver.Request) driver.Result {
	return driver.Permanent.Because("%v", b.err)
}

// Plan fails.
func (b broken) Plan(driver.Request) (string, error) { return "", b.err }

// Apply begins nothing.
func (b broken) Apply(context.Context, driver.Request) driver.Result {
	return driver.Permanent.Because("%v", b.err)
}

// Compensate has nothing to take back.
func (b broken) Compensate(context.Context, driver.Request) driver.Result {
	return driver.Permanent.Because("%v", b.err)
}
