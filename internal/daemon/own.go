package daemon

import (
	"context"
	"time"

	"moonwatch/agent"
	"moonwatch/agent/probe"
	"moonwatch/member"
)

// ownEvery is how often an agent checks the service on its own member. The
// answer travels with every probe answer, so observers learn of a failure
// within a second or two, and then look for themselves.
const ownEvery = time.Second

// duty is what this member should be serving, as the loop last saw it.
type duty struct {
	checks member.Checks
	slot   member.SlotID
	epoch  member.SlotEpoch
}

// watchOwn checks the member's own service for as long as it has one.
func (d *Daemon) watchOwn(ctx context.Context) {
	tick := time.NewTicker(ownEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		x := d.duty.Load()
		if x == nil {
			d.ownReport.Store(uint32(agent.NoService))
			continue
		}
		r := d.checker.Run(ctx, probe.Target{Addr: d.gossip.Addr().Addr(), Slot: x.slot, SlotEpoch: x.epoch}, x.checks, x.checks.Timeout())
		switch r.Outcome {
		case probe.Answers:
			d.ownReport.Store(uint32(agent.ServiceGood))
		case probe.Refuses, probe.Silent:
			d.ownReport.Store(uint32(agent.ServiceBad))
		case probe.Unasked: // nothing was learned
		}
	}
}

// noteDuty tells the own check what there is to check.
func (d *Daemon) noteDuty() {
	pool, slot, epoch, ok := d.mind.State().Serves(d.self)
	if !ok {
		d.duty.Store(nil)
		return
	}
	d.duty.Store(&duty{checks: pool.Checks, slot: slot, epoch: epoch})
}
