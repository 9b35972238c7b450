package daemon

import (
	"context"
	"errors"
	"sync"

	"moonwatch/failover"
)

// aborts are the ways to end steps under way.
type aborts struct {
	mu    sync.Mutex
	steps map[failover.StepKey]context.CancelCauseFunc
}

var errNotWanted = errors.New("nobody wants it any more")

// begin makes a context in which a step runs; ended has to be called at its end.
func (a *aborts) begin(ctx context.Context, k failover.StepKey) (_ context.Context, ended func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.steps == nil {
		a.steps = map[failover.StepKey]context.CancelCauseFunc{}
	}
	a.steps[k] = cancel
	return ctx, func() {
		a.mu.Lock()
		delete(a.steps, k)
		a.mu.Unlock()
		cancel(nil)
	}
}

// end ends a step, if it is under way.
func (a *aborts) end(k failover.StepKey) {
	a.mu.Lock()
	cancel := a.steps[k]
	a.mu.Unlock()
	if cancel != nil {
		cancel(errNotWanted)
	}
}
