package conform

import (
	"context"
	"regexp"
	"strings"
	"sync"
	"time"

	"moonwatch/failover/driver"
)

func observing(t *trial) {
	target := t.ready()
	before, req := target.State(), t.request(target, patience)
	for range 2 {
		t.observe(target, req, driver.Retryable)
		t.wantState("observed", target, before)
	}
	t.apply(target, req, driver.Done)
	after := target.State()
	t.observe(target, req, driver.Done)
	t.wantState("observed what is done", target, after)
}

func planning(t *trial) {
	target := t.ready()
	before, req := target.State(), t.request(target, patience)
	plan, err := target.Open().Plan(req)
	if err != nil {
		t.Fatalf("plan: %v", err)
	}
	t.wantState("planned", target, before)
	t.apply(target, req, driver.Done)
	after := target.State()
	for _, word := range t.step.Words {
		if !strings.Contains(plan, word) {
			t.Errorf("the plan %q does not name %q", plan, word)
		}
		if names(before, word) || !names(after, word) {
			t.Errorf("%q is no change from\n%s\nto\n%s", word, before, after)
		}
	}
	again, err := target.Open().Plan(req)
	if err != nil || again == plan {
		t.Errorf("the plan for what is done is %q, %v", again, err)
	}
}

// names looks for a whole word: a port may hold the digits of a slot epoch.
func names(state, word string) bool {
	return regexp.MustCompile(`(^|[^0-9A-Za-z])` + regexp.QuoteMeta(word) + `($|[^0-9A-Za-z])`).MatchString(state)
}

func repeating(t *trial) {
	target := t.ready()
	req := t.request(target, patience)
	once := target.Open()
	t.want("apply", once.Apply(t.Context(), req), driver.Done)
	after := target.State()
	t.want("apply again", once.Apply(t.Context(), req), driver.Done)
	t.wantState("applied again", target, after)
	t.apply(target, req, driver.Done)
	t.wantState("applied by another life", target, after)
}

// racing lets two lives of an agent, one of which does not know that it is over,
// do one step at a time. Neither must be told a lie, and then the step is done.
func racing(t *trial) {
	want, target := t.after(), t.ready()
	req := t.request(target, patience)
	var both sync.WaitGroup
	results := make([]driver.Result, 2)
	for i := range results {
		life := target.Open()
		both.Go(func() { results[i] = life.Apply(t.Context(), req) })
	}
	both.Wait()
	for _, result := range results {
		t.want("apply", result, driver.Done, driver.InProgress, driver.Retryable, driver.Unknown)
	}
	req.Attempt++
	t.apply(target, req, driver.Done)
	t.wantState("applied by two", target, want)
}

func older(t *trial) {
	target := t.ready()
	req := t.request(target, patience)
	t.apply(target, req, driver.Done)
	after := target.State()
	req.SlotEpoch--
	req.Case, req.Member = "C-1", "late"
	t.apply(target, req, driver.Refused)
	req.DryRun = true
	t.apply(target, req, driver.Refused)
	if plan, err := target.Open().Plan(req); err == nil {
		t.Errorf("planned %q", plan)
	}
	t.wantState("refused", target, after)
}

func second(t *trial) {
	target := t.ready()
	req := t.request(target, patience)
	t.apply(target, req, driver.Done)
	after := target.State()
	req.Case, req.Member = "C-1", "late"
	t.apply(target, req, driver.Refused)
	t.wantState("refused", target, after)
}

func rehearsing(t *trial) {
	target := t.ready()
	before, req := target.State(), t.request(target, patience)
	req.DryRun = true
	for range 2 {
		t.apply(target, req, driver.Done)
		t.wantState("rehearsed", target, before)
	}
	req.DryRun = false
	t.observe(target, req, driver.Retryable)
	t.apply(target, req, driver.Done)
}

func late(t *trial) {
	target := t.ready()
	before := target.State()
	t.apply(target, t.request(target, -time.Second), driver.Retryable, driver.Unknown)
	over, cancel := context.WithCancel(t.Context())
	cancel()
	t.want("apply", target.Open().Apply(over, t.request(target, patience)), driver.Retryable, driver.Unknown)
	t.wantState("too late", target, before)
}

func incomplete(t *trial) {
	target := t.ready()
	before := target.State()
	for _, spoil := range []func(*driver.Request){
		func(r *driver.Request) { r.Case = "" },
		func(r *driver.Request) { r.Step = "" },
		func(r *driver.Request) { r.Slot = "" },
		func(r *driver.Request) { r.Deadline = time.Time{} },
	} {
		req := t.request(target, patience)
		spoil(&req)
		t.apply(target, req, driver.Permanent)
		t.observe(target, req, driver.Permanent)
		if plan, err := target.Open().Plan(req); err == nil {
			t.Errorf("planned %q", plan)
		}
	}
	t.wantState("incomplete", target, before)
}

func compensating(t *trial) {
	target := t.ready()
	before, req := target.State(), t.request(target, patience)
	t.apply(target, req, driver.Done)
	want, outcome := before, driver.Done
	if !t.step.Reversible {
		want, outcome = target.State(), driver.Refused
	}
	rehearsal := req
	rehearsal.DryRun = true
	after := target.State()
	t.want("rehearse compensate", target.Open().Compensate(t.Context(), rehearsal), outcome)
	t.wantState("rehearsed", target, after)
	for range 2 {
		t.want("compensate", target.Open().Compensate(t.Context(), req), outcome)
		t.wantState("compensated", target, want)
	}
}
