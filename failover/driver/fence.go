package driver

import (
	"context"
	"fmt"
	"time"
)

// lookAgain is how often a fence asks whether the slot still serves: a stop
// takes some hundred milliseconds, and asking costs one connection.
const lookAgain = 100 * time.Millisecond

// SelfFence makes the own member's slot harmless and knows it: it stops the
// slot and sees for itself that nothing serves any more. The stop action's word
// alone is no proof.
type SelfFence struct {
	stop   Driver
	silent func(ctx context.Context) bool
}

var _ Driver = (*SelfFence)(nil)

// NewSelfFence stops the slot with stop, an Exec of the pool's stop action.
// silent says that nothing of the slot serves on this member any more; it must
// answer false when it cannot tell.
func NewSelfFence(stop Driver, silent func(ctx context.Context) bool) *SelfFence {
	return &SelfFence{stop: stop, silent: silent}
}

// Observe is Done only if the stop was done and nothing serves at this moment.
func (f *SelfFence) Observe(ctx context.Context, req Request) Result {
	result := f.stop.Observe(ctx, req)
	if result.Outcome != Done {
		return result
	}
	ctx, cancel := context.WithDeadline(ctx, req.Deadline)
	defer cancel()
	if !f.proven(ctx) {
		return f.unproven(req, result)
	}
	return result
}

// Plan says what would be stopped.
func (f *SelfFence) Plan(req Request) (string, error) {
	stop, err := f.stop.Plan(req)
	if err != nil {
		return "", fmt.Errorf("plan fence: %w", err)
	}
	return stop + "; then see that nothing serves", nil
}

// Apply stops the slot and waits until the deadline for the proof. Without proof
// it is Unknown, and the same request may be repeated: the stop is remembered,
// the proof is always fresh.
func (f *SelfFence) Apply(ctx context.Context, req Request) Result {
	started := time.Now()
	result := f.stop.Apply(ctx, req)
	if result.Outcome != Done || req.DryRun {
		return result
	}
	ctx, cancel := context.WithDeadline(ctx, req.Deadline)
	defer cancel()
	again := time.NewTicker(lookAgain)
	defer again.Stop()
	for !f.proven(ctx) {
		select {
		case <-ctx.Done():
			return f.unproven(req, result)
		case <-again.C:
		}
	}
	result.Took = time.Since(started)
	return result
}

// Compensate refuses: a fenced slot comes back by being activated, at a slot
// epoch of its own.
func (f *SelfFence) Compensate(_ context.Context, req Request) Result {
	return Refused.Because("undo %s: a fence is not taken back, the slot is activated anew", req)
}

// proven trusts silence only while there was time to hear an answer: a question
// that was cut short proves nothing.
func (f *SelfFence) proven(ctx context.Context) bool {
	return ctx.Err() == nil && f.silent(ctx) && ctx.Err() == nil
}

func (f *SelfFence) unproven(req Request, stopped Result) Result {
	stopped.Outcome = Unknown
	stopped.Detail = fmt.Sprintf("%s: stopped, but not seen that nothing serves (%s)", req, stopped.Detail)
	return stopped
}
