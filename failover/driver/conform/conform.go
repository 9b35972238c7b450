// Package conform says in checks what every driver of a step has to keep, and
// runs them over a driver and its target: a real program, or a faithful fake.
//
// Observe changes nothing. Plan says in words what Apply does. A step that is
// applied again, also by another life of the agent, has no second effect. An
// older slot epoch is refused. A target that is gone, hangs or talks nonsense
// never makes a step done, and never makes Observe say that nothing was begun.
// A step that was cut off anywhere is told from one that was not, and the next
// attempt completes it. Compensate takes back what can be taken back and refuses
// the rest. Everything ends at its deadline. A dry run changes nothing.
//
// It is imported by tests alone.
package conform

import (
	"slices"
	"strings"
	"testing"
	"time"

	"moonwatch/failover/driver"
	"moonwatch/member"
)

// Subject is a kind of driver with its target.
type Subject struct {
	// Fresh gives a slot that no other check has touched, on a new target or on
	// one that they share. All fresh targets are alike.
	Fresh func(t *testing.T) *Target
	// Steps are what the driver can do.
	Steps []Step
	// Nonsense is what the target might answer if it were another program, the
	// closer to the truth the better. Bytes without meaning are tried anyway.
	Nonsense []string
	// NoWire says why nothing can happen between driver and target.
	NoWire string
}

// Target is one slot as a driver finds it.
type Target struct {
	Slot member.SlotID
	// Open is a driver of a new life of the agent: what it knows of the slot it
	// learns from the target.
	Open func() driver.Driver
	// State is how the target treats the slot, looked up without the driver and
	// said without the slot's name: alike for slots that are treated alike.
	State func() string
	// Wire is what the driver talks through; nil if the Subject says why.
	Wire *Wire
}

// Step is one thing that a driver can do.
type Step struct {
	// Before is done first, so that the step has something to do.
	Before []driver.Request
	// Request is the step. Slot, Deadline and DryRun are filled in.
	Request driver.Request
	// Words are named by Plan and shown by State after the step, not before it.
	Words []string
	// Reversible says that Compensate takes the step back; otherwise it refuses.
	Reversible bool
}

// Run runs all checks over all steps.
func Run(t *testing.T, s Subject) {
	checks := []struct {
		claim string
		wired bool
		check func(*trial)
	}{
		{"observing changes nothing", false, observing},
		{"the plan says what is done", false, planning},
		{"a second time has no effect", false, repeating},
		{"two at a time have one effect", false, racing},
		{"an older slot epoch is refused", false, older},
		{"a second occupant of a slot epoch is refused", false, second},
		{"a dry run changes nothing", false, rehearsing},
		{"what comes too late is not begun", false, late},
		{"an incomplete request is an error", false, incomplete},
		{"what can be taken back is, and no more", false, compensating},
		{"a target that is gone", true, gone},
		{"a target that hangs", true, hanging},
		{"a target that talks nonsense", true, babbling},
		{"a step that was cut off is found and completed", true, cutOff},
	}
	for _, step := range s.Steps {
		t.Run(step.Request.Step, func(t *testing.T) {
			for _, c := range checks {
				t.Run(c.claim, func(t *testing.T) {
					if c.wired && s.NoWire != "" {
						t.Skip(s.NoWire)
					}
					c.check(&trial{T: t, subject: s, step: step})
				})
			}
		})
	}
}

const (
	// patience is a deadline that no check waits for.
	patience = 20 * time.Second
	// short is a deadline that checks do wait for.
	short = 300 * time.Millisecond
	// overtime is what the contract allows beyond a deadline, half a second,
	// and what a busy machine may add.
	overtime = 500*time.Millisecond + 2*time.Second
)

// trial is one check of one step.
type trial struct {
	*testing.T
	subject Subject
	step    Step
}

// ready is a fresh target on which the step has something to do.
func (t *trial) ready() *Target {
	t.Helper()
	target := t.subject.Fresh(t.T)
	for _, req := range t.step.Before {
		req.Slot, req.Deadline = target.Slot, time.Now().Add(patience)
		if result := target.Open().Apply(t.Context(), req); result.Outcome != driver.Done {
			t.Fatalf("before the step: %v (%s)", result.Outcome, result.Detail)
		}
	}
	return target
}

// request is the step's request to a target.
func (t *trial) request(target *Target, within time.Duration) driver.Request {
	req := t.step.Request
	req.Slot, req.Deadline = target.Slot, time.Now().Add(within)
	return req
}

// after is the state that the step leads to.
func (t *trial) after() string {
	t.Helper()
	target := t.ready()
	t.apply(target, t.request(target, patience), driver.Done)
	return target.State()
}

func (t *trial) apply(target *Target, req driver.Request, want ...driver.Outcome) {
	t.Helper()
	t.want("apply", target.Open().Apply(t.Context(), req), want...)
}

func (t *trial) observe(target *Target, req driver.Request, want ...driver.Outcome) {
	t.Helper()
	t.want("observe", target.Open().Observe(t.Context(), req), want...)
}

func (t *trial) want(what string, got driver.Result, want ...driver.Outcome) {
	t.Helper()
	if !slices.Contains(want, got.Outcome) {
		t.Errorf("%s: got %v (%s), want %v", what, got.Outcome, got.Detail, want)
	}
	if got.Detail == "" || strings.Contains(got.Detail, "\n") {
		t.Errorf("%s: %v is explained by %q, want one line", what, got.Outcome, got.Detail)
	}
}

func (t *trial) wantState(what string, target *Target, want string) {
	t.Helper()
	if got := target.State(); got != want {
		t.Errorf("%s: the target has\n%s\nwant\n%s", what, got, want)
	}
}
