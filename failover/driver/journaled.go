package driver

import (
	"context"
	"time"
)

// Journaled keeps a driver's steps in the journal of this member's steps, beside
// those of installed actions: no older slot epoch after a newer one, one step of a
// slot at a time, and what may run here is known after the next start. Unlike an
// action its target can be asked, so what the journal does not know is looked up.
type Journaled struct {
	inner   Driver
	journal *Journal
}

var _ Driver = (*Journaled)(nil)

// NewJournaled remembers what inner does.
func NewJournaled(inner Driver, journal *Journal) *Journaled {
	return &Journaled{inner: inner, journal: journal}
}

// Observe asks the target.
func (d *Journaled) Observe(ctx context.Context, req Request) Result {
	return d.inner.Observe(ctx, req)
}

// Plan says what would be done.
func (d *Journaled) Plan(req Request) (string, error) { return d.inner.Plan(req) }

// Apply does the step unless the journal forbids it or knows its end. What came
// of a step that an earlier life of the agent began is seen at the target.
func (d *Journaled) Apply(ctx context.Context, req Request) Result {
	if req.Validate() != nil || req.DryRun {
		return d.inner.Apply(ctx, req)
	}
	if err := req.TooLate(ctx, time.Now()); err != nil {
		return Retryable.Because("%s: not done: %v", req, err)
	}
	known, run := d.journal.begin(req, time.Now())
	switch {
	case run:
		return d.journal.finish(req, d.inner.Apply(ctx, req))
	case known.Outcome == Unknown, known.Outcome == InProgress:
		return d.inner.Observe(ctx, req)
	default:
		return known
	}
}

// Compensate takes the step back, as far as the target does.
func (d *Journaled) Compensate(ctx context.Context, req Request) Result {
	return d.inner.Compensate(ctx, req)
}
