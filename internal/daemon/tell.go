package daemon

import (
	"context"
	"fmt"
	"time"

	"go.uber.org/zap"

	"moonwatch/failover"
	"moonwatch/failover/driver"
	"moonwatch/member"
	"moonwatch/mind"
)

// tellDoor tells a door how to treat a slot, and the mind what came of it.
func (d *Daemon) tellDoor(ctx context.Context, e mind.TellDoor) {
	d.noteCarrying()
	pool, _ := d.mind.Ledger().Fleet().Pool(e.Pool)
	from, known := pool.Driver(e.Driver)
	answer := func(a failover.DoorAnswered) {
		a.Asked = e.TellDoor
		d.tell(ctx, mind.DoorTold{Answer: a})
	}
	if !known { // the ledger has moved on, and the mind with it
		d.deeds.Go(func() { answer(failover.DoorAnswered{Result: failover.ToldLater, Detail: "no such driver"}) })
		return
	}
	req := driver.Request{
		Case: "-", Step: string(e.Step), Attempt: e.Attempt, Member: e.Occupant, Pool: e.Pool,
		Slot: e.Slot, SlotEpoch: e.Epoch, Deadline: e.Deadline,
	}
	if e.Case != 0 {
		req.Case = fmt.Sprintf("C-%d", e.Case)
	}
	d.deed(func() {
		began := time.Now()
		r, changed := d.askDoor(ctx, pool, from, req, e.Look)
		took := time.Since(began)
		if r.Took > 0 {
			took = r.Took // until it had its effect: a driver may have had more to do
		}
		d.m.told.tell(from.Kind, r.Outcome, took)
		mended := e.Look && changed && r.Outcome == driver.Done
		d.logTold(e, r, took, mended)
		if mended {
			d.m.told.mended.WithLabelValues(from.Kind).Inc()
			r.Detail = "had changed by itself, or was started anew, and was told again: " + r.Detail
		}
		answer(failover.DoorAnswered{
			Result: toldOf(r.Outcome), GoesOn: r.Outcome == driver.InProgress, Mended: mended, Detail: r.Detail, Took: took,
		})
	}, func() { answer(failover.DoorAnswered{Result: failover.ToldLater, Detail: "too many deeds under way"}) })
}

// askDoor brings the door's treatment about. A look changes nothing while all is
// as it was.
func (d *Daemon) askDoor(ctx context.Context, pool member.Pool, from member.Driver, req driver.Request, look bool) (r driver.Result, changed bool) {
	drv, err := d.openDoor(pool, from)
	if err != nil {
		return driver.Permanent.Because("%v", err), false
	}
	if look {
		switch r = drv.Observe(ctx, req); r.Outcome {
		case driver.Done, driver.Refused, driver.Permanent:
			return r, false
		case driver.InProgress, driver.Retryable, driver.Unknown:
		}
	}
	return drv.Apply(ctx, req), true
}

func (d *Daemon) logTold(e mind.TellDoor, r driver.Result, took time.Duration, mended bool) {
	fields := []zap.Field{
		zap.String("door", string(e.Door)), zap.String("step", string(e.Step)), zap.String("slot", string(e.Slot)),
		zap.String("occupant", string(e.Occupant)), zap.Uint64("slot_epoch", uint64(e.Epoch)),
		zap.Stringer("outcome", r.Outcome), zap.String("detail", r.Detail), zap.Duration("took", took),
	}
	switch {
	case mended:
		d.log.Warn("door had forgotten", fields...)
	case e.Look && r.Outcome == driver.Done:
		d.log.Debug("door looked at", fields...)
	case r.Outcome == driver.Done:
		d.log.Info("door told", fields...)
	default:
		d.log.Warn("door not told", fields...)
	}
}

func toldOf(o driver.Outcome) failover.TellResult {
	switch o {
	case driver.Done:
		return failover.ToldDone
	case driver.Retryable, driver.InProgress:
		return failover.ToldLater
	case driver.Refused:
		return failover.ToldRefused
	case driver.Permanent:
		return failover.ToldFailed
	case driver.Unknown:
	}
	return failover.ToldUnknown
}
