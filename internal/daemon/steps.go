package daemon

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"go.uber.org/zap"

	"moonwatch/agent/probe"
	"moonwatch/failover"
	"moonwatch/failover/driver"
	"moonwatch/member"
	"moonwatch/mind"
)

// pollEvery is how often an action that says "in progress" is asked again.
const pollEvery = time.Second

// doStep runs an installed action for the mind and tells how it ended.
func (d *Daemon) doStep(ctx context.Context, e mind.DoStep) {
	k := e.Key
	if k.Step == failover.StepTest {
		d.testItself(ctx, e)
		return
	}
	req := driver.Request{
		Case: "-", Step: string(k.Step), Attempt: k.Attempt*1000 + e.Try, Member: cmp.Or(e.Subject, d.self), Pool: e.Pool,
		Slot: k.Slot, SlotEpoch: k.Epoch, Deadline: e.Deadline,
	}
	if k.Case != 0 {
		req.Case = fmt.Sprintf("C-%d", k.Case)
	}
	drv, err := d.driverOf(e)
	if err != nil {
		drv = broken{err}
	}
	d.log.Info("step begins", zap.String("case", req.Case), zap.String("step", req.Step),
		zap.String("slot", string(k.Slot)), zap.Uint64("slot_epoch", uint64(k.Epoch)), zap.String("action", e.Action), zap.String("unit", e.Unit))
	outer := ctx // the word of its end gets through also where the step is ended early
	ctx, ended := d.aborts.begin(ctx, k)
	d.deeds.Go(func() {
		defer ended()
		began := time.Now()
		if d.keeper != nil {
			d.keeper.settled(ctx) // the lease under which it begins is handed over first
		}
		r := drv.Apply(ctx, req)
		for r.Outcome == driver.InProgress && ctx.Err() == nil && time.Now().Before(e.Deadline) {
			select {
			case <-ctx.Done():
			case <-time.After(pollEvery):
				r = drv.Apply(ctx, req)
			}
		}
		took := time.Since(began)
		d.log.Info("step ended", zap.String("case", req.Case), zap.String("step", req.Step),
			zap.String("slot", string(k.Slot)), zap.Stringer("outcome", r.Outcome), zap.String("detail", r.Detail), zap.Duration("took", took))
		d.m.steps.WithLabelValues(req.Step, r.Outcome.String()).Inc()
		d.tell(outer, mind.StepEnded{Done: failover.StepDone{Key: k, Result: resultOf(r.Outcome), Detail: r.Detail, Took: took}})
	})
}

// driverOf runs the step's action: as part of the slot where that is exclusive, and
// with a proof where a stop has to be one.
func (d *Daemon) driverOf(e mind.DoStep) (driver.Driver, error) {
	if e.Key.Step == failover.StepFence {
		return d.fence(e), nil
	}
	pool, _ := d.mind.Ledger().Fleet().Pool(e.Pool)
	if e.Unit != "" {
		return d.unitDriver(e)
	}
	action := driver.NewExec(d.actions, e.Action, "", d.journal).Behind(d.entering(pool, e.Key))
	switch {
	case e.Key.Step == failover.StepStop && pool.Exclusive && d.keeper != nil && e.Action == "":
		return driver.NewSelfFence(noAction{action}, d.emptied(e.Key)), nil
	case e.Key.Step == failover.StepStop && pool.Exclusive && d.keeper != nil:
		return driver.NewSelfFence(action, d.emptied(e.Key)), nil
	case e.Key.Step == failover.StepStop && (e.Key.Case != 0 || d.mayTidy(e, pool)):
		return driver.NewSelfFence(action, d.stopped(e)), nil
	}
	return action, nil
}

// mayTidy reports that the stop of what was left behind here, which no case waits for,
// can be seen: the pool has a check to look with, and no slot of this member's own would
// answer it. To undo a preparation need not end the service. Such a stop makes the
// member a spare again, so its word alone is not enough where there is more: a stop that
// lied made a spare of a member that went on serving its old slot.
func (d *Daemon) mayTidy(e mind.DoStep, pool member.Pool) bool {
	own := d.mind.State().Use(d.self).Slot
	return pool.Checks.Outside() && e.Action == pool.Actions.Stop && (own == "" || own == e.Key.Slot)
}

func resultOf(o driver.Outcome) failover.StepResult {
	switch o {
	case driver.Done:
		return failover.ResultDone
	case driver.Retryable, driver.InProgress:
		return failover.ResultAgain
	case driver.Refused:
		return failover.ResultRefused
	case driver.Permanent:
		return failover.ResultFailed
	case driver.Unknown:
	}
	return failover.ResultUnknown
}

// stopped proves a stop: the slot's own check is refused on this member.
func (d *Daemon) stopped(e mind.DoStep) func(context.Context) bool {
	pool, ok := d.mind.Ledger().Fleet().Pool(e.Pool)
	checks := pool.Checks
	addr := d.gossip.Addr().Addr()
	return func(ctx context.Context) bool {
		if !ok || !checks.Outside() {
			return false // nothing to look at: no proof
		}
		r := d.checker.Run(ctx, probe.Target{Addr: addr, Slot: e.Key.Slot, SlotEpoch: e.Key.Epoch}, checks, checks.Timeout())
		return r.Outcome == probe.Refuses
	}
}
