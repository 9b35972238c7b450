// Package driver does the steps of a failover in the world: it runs installed
// actions, fences the own member's slot and tells the gateway.
//
// It decides nothing. Its caller asks only for what the agent's own copy of the
// ledger shows as the current step with this member as executor, and takes every
// Result at its word: Unknown is never success. The package owns the memory that
// makes a step happen once: the Journal, which every Exec asks before it acts.
package driver

import (
	"context"
	"errors"
	"fmt"
	"time"

	"moonwatch/member"
)

// Request asks for one attempt at one step of one case. Case, Step, Attempt and
// SlotEpoch together are its idempotency key within a slot: an attempt has its
// effect once, and a further effect needs a further attempt.
type Request struct {
	Case      string
	Step      string
	Attempt   int
	Member    member.ID // who is the step's subject: the occupant to be, or the one to stop
	Pool      string
	Slot      member.SlotID
	SlotEpoch member.SlotEpoch
	Deadline  time.Time
	DryRun    bool // only say what would be done
}

// Outcome is what came of a request.
type Outcome uint8

const (
	// Unknown: the step may or may not have had its effect, wholly or in part.
	// It is the zero value, so that a forgotten outcome is never success.
	Unknown    Outcome = iota
	Done               // the effect is there
	InProgress         // begun and going on: repeat the same request to hear more
	Retryable          // no effect, and the cause may pass: ask with the next attempt
	Refused            // no effect, and rightly: the request is older than what we know
	Permanent          // no success, and repeating will not help: people must look
)

var outcomes = [...]string{"unknown", "done", "in progress", "retryable", "refused", "permanent"}

// String is the outcome's name in facts, logs and metrics.
func (o Outcome) String() string {
	if int(o) >= len(outcomes) {
		return fmt.Sprintf("outcome %d", uint8(o))
	}
	return outcomes[o]
}

// MarshalText writes the name.
func (o Outcome) MarshalText() ([]byte, error) { return []byte(o.String()), nil }

// UnmarshalText reads a name and accepts no other.
func (o *Outcome) UnmarshalText(text []byte) error {
	for i, name := range outcomes {
		if name == string(text) {
			*o = Outcome(i)
			return nil
		}
	}
	return fmt.Errorf("outcome is %q, want one of %q", text, outcomes)
}

// Result answers a request.
type Result struct {
	Outcome Outcome
	Detail  string        // one line for `explain`: what happened, and why
	Output  []byte        // what an action printed, at most 64 KiB; a remembered result has none
	Took    time.Duration // zero if the result is remembered or nothing was done
}

// Driver is one way of doing a step. All methods may be called at any time and
// return at the request's deadline (half a second later at the latest) or
// soon after ctx is done.
type Driver interface {
	// Observe says how things stand and changes nothing. Retryable means that
	// nothing was begun: Apply may follow. A new leader observes before it applies.
	Observe(ctx context.Context, req Request) Result
	// Plan says in words what Apply would do, or why it could not.
	Plan(req Request) (string, error)
	// Apply brings the effect about, or finds that it is there.
	Apply(ctx context.Context, req Request) Result
	// Compensate takes the effect back, where that is possible.
	Compensate(ctx context.Context, req Request) Result
}

// Validate lists what is missing in a request.
func (r Request) Validate() error {
	var mistakes []error
	for _, field := range []struct{ name, value string }{{"case", r.Case}, {"step", r.Step}, {"slot", string(r.Slot)}} {
		if field.value == "" {
			mistakes = append(mistakes, fmt.Errorf("%s is empty", field.name))
		}
	}
	if r.Deadline.IsZero() {
		mistakes = append(mistakes, errors.New("deadline is missing: a step without one could last for ever"))
	}
	return errors.Join(mistakes...)
}

// TooLate says why nothing may be begun for the request any more: who asked has
// gone, or the deadline has passed.
func (r Request) TooLate(ctx context.Context, now time.Time) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if !now.Before(r.Deadline) {
		return fmt.Errorf("its deadline %s has passed", r.Deadline.UTC().Format(time.RFC3339))
	}
	return nil
}

func (r Request) String() string {
	return fmt.Sprintf("%s of %s for slot %s at slot epoch %d, attempt %d", r.Step, r.Case, r.Slot, r.SlotEpoch, r.Attempt)
}

// Because makes the outcome a result with its reason.
func (o Outcome) Because(format string, args ...any) Result {
	return Result{Outcome: o, Detail: fmt.Sprintf(format, args...)}
}
