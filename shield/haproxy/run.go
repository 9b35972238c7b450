package haproxy

import (
	"context"
	"time"

	"go.uber.org/zap"

	"moonwatch/shield/count"
)

// run asks and tells until ctx ends. All words to HAProxy are one goroutine's, so
// they are in order.
func (d *Door) run(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	defer d.leave(context.WithoutCancel(ctx))
	for {
		select {
		case <-ctx.Done():
			return
		case <-d.room.Changed():
			if !d.down { // it is told when it answers again
				d.judge(d.tell(ctx, time.Now()))
			}
		case <-timer.C:
			timer.Reset(d.round(ctx))
		}
	}
}

// round is one poll and what belongs to it. It gives the time to the next one.
func (d *Door) round(ctx context.Context) time.Duration {
	began := time.Now()
	err := d.look(ctx)
	if err == nil && began.Sub(d.mended) >= d.cfg.MendEvery {
		err = d.mend(ctx)
	}
	if err == nil {
		err = d.tell(ctx, time.Now())
	}
	if ctx.Err() != nil {
		return 0
	}
	d.judge(err)
	took := time.Since(began)
	d.metrics.seconds.Observe(took.Seconds())
	pause := max(d.cfg.Every-took, time.Duration(float64(took)*(1/d.cfg.Work-1)), 0)
	if err != nil {
		pause = max(pause, d.cfg.AnswerWithin/4) // who is in trouble is not pressed
	}
	pause = min(pause, 700*time.Millisecond) // the lease has to be renewed in time
	d.room.Closes(count.Tick{At: time.Now(), Every: took + pause})
	return pause
}

// judge notes whether HAProxy does as it is told, and says so when that changes.
func (d *Door) judge(err error) {
	text := ""
	if err != nil {
		text = err.Error()
		d.metrics.errors.Inc()
		d.told = nil // whatever it holds is read back first
		d.mended = time.Time{}
		d.totals.known = false
	}
	d.room.Say(text)
	switch {
	case err != nil && !d.down:
		d.metrics.up.Set(0)
		d.cfg.Log.Warn("haproxy is no door at present: its traffic passes unheld", zap.String("socket", d.cfg.Socket), zap.Error(err))
	case err == nil && !d.up:
		d.metrics.up.Set(1)
		d.cfg.Log.Info("haproxy is a door", zap.String("socket", d.cfg.Socket), zap.String("haproxy_version", d.version))
	}
	d.up, d.down = err == nil, err != nil
}

// leave lets everybody in: who decides no more, holds nobody.
func (d *Door) leave(ctx context.Context) {
	d.room.LetIn()
	if err := d.mend(ctx); err != nil {
		d.cfg.Log.Info("haproxy was left as it is: its lease ends by itself", zap.Error(err))
	}
}
