package conform

import (
	"context"
	"fmt"
	"time"

	"moonwatch/failover/driver"
)

// doubtful is what may be said of a step whose target did not answer. A look at
// it never ends with Retryable, which would say that nothing was begun.
var doubtful = []driver.Outcome{driver.Unknown, driver.Retryable}

func gone(t *trial) {
	target := t.ready()
	before := target.State()
	target.Wire.Down()
	t.endures(target, patience)
	target.Wire.Up()
	t.wantState("gone", target, before)
	t.completes(target)
}

func hanging(t *trial) {
	target := t.ready()
	before := target.State()
	target.Wire.Treat(func(int) Treatment { return Hang })
	t.endures(target, short)

	soon, cancel := context.WithTimeout(t.Context(), short)
	defer cancel()
	began, lost := time.Now(), standstill()
	t.want("apply", target.Open().Apply(soon, t.request(target, patience)), doubtful...)
	if took := time.Since(began); took > short+overtime+lost() {
		t.Errorf("who asked went after %v, and it ended after %v", short, took)
	}
	target.Wire.Treat(nil)
	t.wantState("hanging", target, before)
	t.completes(target)
}

func babbling(t *trial) {
	for i, text := range append([]string{"", "\n", "\n\n", "\x00\xff\x13 what?\r\n\r\n"}, t.subject.Nonsense...) {
		target := t.ready()
		before := target.State()
		target.Wire.Treat(func(int) Treatment { return Say(text) })
		t.endures(target, patience)
		target.Wire.Treat(nil)
		t.wantState(fmt.Sprintf("nonsense %d, %.40q", i, text), target, before)
		t.completes(target)
	}
	target := t.ready()
	target.Wire.Treat(func(int) Treatment { return Flood })
	t.endures(target, short)
}

// endures asks everything of a target that cannot answer.
func (t *trial) endures(target *Target, within time.Duration) {
	t.Helper()
	deeds := []struct {
		name string
		do   func(driver.Driver, driver.Request) driver.Result
		want []driver.Outcome
	}{
		{"observe", func(d driver.Driver, req driver.Request) driver.Result { return d.Observe(t.Context(), req) }, []driver.Outcome{driver.Unknown}},
		{"apply", func(d driver.Driver, req driver.Request) driver.Result { return d.Apply(t.Context(), req) }, doubtful},
		{"compensate", func(d driver.Driver, req driver.Request) driver.Result { return d.Compensate(t.Context(), req) }, append(doubtful, driver.Refused)},
		// A plan may be made without a look at the target.
		{"plan", func(d driver.Driver, req driver.Request) driver.Result {
			plan, err := d.Plan(req)
			if err == nil {
				return driver.Done.Because("planned %q", plan)
			}
			return driver.Unknown.Because("%v", err)
		}, append(doubtful, driver.Done)},
	}
	for _, deed := range deeds {
		req := t.request(target, within)
		began, lost := time.Now(), standstill()
		result := deed.do(target.Open(), req)
		t.want(deed.name, result, deed.want...)
		if took := time.Since(began); took > within+overtime+lost() {
			t.Errorf("%s ended after %v, its deadline was at %v", deed.name, took, within)
		}
	}
}

// completes does the step with a further attempt, now that the target answers.
func (t *trial) completes(target *Target) {
	t.Helper()
	req := t.request(target, patience)
	req.Attempt++
	t.apply(target, req, driver.Done)
	t.wantState("completed", target, t.after())
}

// cutOff cuts a step at each connection that it makes, once before the target
// hears of it and once after the target did what it was told.
func cutOff(t *trial) {
	before, after := t.ready().State(), t.after()
	for _, how := range []Treatment{LoseRequest, LoseAnswer} {
		for n := 0; ; n++ {
			target := t.ready()
			target.Wire.Treat(func(i int) Treatment {
				if i >= n { // the agent is gone: what follows is lost too
					return how
				}
				return Pass
			})
			req := t.request(target, patience)
			result := target.Open().Apply(t.Context(), req)
			whole := target.Wire.Spoiled() == 0
			target.Wire.Treat(nil)
			if whole {
				t.want("apply, undisturbed", result, driver.Done)
				break
			}
			where := fmt.Sprintf("cut at connection %d by %v", n, how)
			t.tellsTheTruth(where, target, req, result, before, after)
			req.Attempt++
			t.apply(target, req, driver.Done)
			t.wantState(where+", completed", target, after)
			if n > 50 {
				t.Fatal("a step makes more than 50 connections")
			}
		}
	}
}

// tellsTheTruth holds what Apply said and what a new life observes against what
// the target has.
func (t *trial) tellsTheTruth(where string, target *Target, req driver.Request, applied driver.Result, before, after string) {
	t.Helper()
	seen := target.State()
	observed := target.Open().Observe(t.Context(), req)
	switch seen {
	case after:
		t.want(where+": apply", applied, driver.Done, driver.Unknown)
		t.want(where+": observe", observed, driver.Done)
	case before:
		t.want(where+": apply", applied, doubtful...)
		t.want(where+": observe", observed, driver.Retryable)
	default:
		t.want(where+": apply", applied, driver.Unknown)
		t.want(where+": observe", observed, driver.Unknown, driver.InProgress)
	}
	t.wantState(where+", observed", target, seen)
}
