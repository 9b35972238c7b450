package failover

import (
	"testing"
	"time"

	"moonwatch/consensus"
	"moonwatch/member"
)

// activating is a fleet whose web-6 shall take slot-2, and a fresh executor of
// it.
func activating(t *testing.T) (*tale, *Executor) {
	x := newTale(t, webFleet(5, 3, 2, 2)).serving()
	delete(x.executors, "web-6")
	x.judge(consensus.VerdictDown, "web-3")
	x.run(3 * time.Second)
	if c := x.theCase(); c.State != Activating || c.Spare != "web-6" {
		t.Fatalf("%s with %s", c.State, c.Spare)
	}
	return x, quiet(NewExecutor("web-6", x.state, nil, x.now))
}

func only[T any](t *testing.T, effects []ExecutorEffect) T {
	t.Helper()
	if len(effects) != 1 {
		t.Fatalf("effects %+v, want one", effects)
	}
	e, ok := effects[0].(T)
	if !ok {
		t.Fatalf("effect %+v", effects[0])
	}
	return e
}

func TestAStepIsBegunOnce(t *testing.T) {
	x, e := activating(t)
	d := only[DoStep](t, e.Step(x.now, ExecutorWoken{}))
	if d.Action != "start" || d.Key.Epoch != x.theCase().NewEpoch {
		t.Errorf("%+v", d)
	}
	for range 5 {
		x.now = x.now.Add(time.Second)
		if out := e.Step(x.now, ExecutorWoken{}); len(out) != 0 {
			t.Fatalf("begun again: %+v", out)
		}
	}
	r := only[SendReport](t, e.Step(x.now, StepDone{Key: d.Key, Result: ResultDone}))
	if !r.Report.Done || r.Report.Case != x.theCase().ID {
		t.Errorf("%+v", r)
	}
	if out := e.Step(x.now, ExecutorWoken{}); len(out) != 0 { // the report is not yet a fact
		t.Errorf("done, and begun again: %+v", out)
	}
}

func TestUnknownIsNeverSuccess(t *testing.T) {
	for _, res := range []StepResult{ResultRefused, ResultFailed, ResultUnknown} {
		x, e := activating(t)
		d := only[DoStep](t, e.Step(x.now, ExecutorWoken{}))
		if r := only[SendReport](t, e.Step(x.now, StepDone{Key: d.Key, Result: res})); r.Report.Done {
			t.Errorf("result %d is reported as done", res)
		}
	}
}

func TestAgainIsTriedAgainAfterAWhile(t *testing.T) {
	x, e := activating(t)
	d := only[DoStep](t, e.Step(x.now, ExecutorWoken{}))
	if out := e.Step(x.now, StepDone{Key: d.Key, Result: ResultAgain}); len(out) != 0 {
		t.Fatalf("at once: %+v", out)
	}
	x.now = x.now.Add(time.Second)
	if d := only[DoStep](t, e.Step(x.now, ExecutorWoken{})); d.Try != 1 {
		t.Errorf("try %d, want 1", d.Try)
	}
}

func TestAStepIsNotBegunAfterItsDeadline(t *testing.T) {
	x, e := activating(t)
	if out := e.Step(x.theCase().Deadline, ExecutorWoken{}); len(out) != 0 {
		t.Errorf("begun too late: %+v", out)
	}
}

func TestWhoLostItsSlotStopsIt(t *testing.T) {
	x := newTale(t, webFleet(5, 3, 2, 2)).serving()
	delete(x.executors, "web-3") // it is dead until later
	old := x.slot("slot-2").Epoch
	x.judge(consensus.VerdictDown, "web-3")
	x.run(20 * time.Second)
	e := quiet(NewExecutor("web-3", x.state, Holding{"slot-2": old}, x.now))
	d := only[DoStep](t, e.Step(x.now, ExecutorWoken{}))
	if d.Key.Step != StepStop || d.Key.Epoch != old {
		t.Fatalf("back after its slot was given away: %+v", d)
	}
	r := only[SendReport](t, e.Step(x.now, StepDone{Key: d.Key, Result: ResultDone}))
	x.commit(KindReport, "web-3", r.Report)
	if left := x.state.Use("web-3").Leftover; len(left) != 0 {
		t.Errorf("stopped, and left over: %v", left)
	}
	if out := e.Step(x.now.Add(time.Hour), ExecutorWoken{}); len(out) != 0 {
		t.Errorf("stopped again: %+v", out)
	}
}

func TestAStopThatFailsIsTriedUntilItSucceeds(t *testing.T) {
	x := newTale(t, webFleet(5, 3, 2, 2)).serving()
	delete(x.executors, "web-3")
	old := x.slot("slot-2").Epoch
	x.judge(consensus.VerdictDown, "web-3")
	x.run(20 * time.Second)
	e := quiet(NewExecutor("web-3", x.state, Holding{"slot-2": old}, x.now))
	for try := range 4 {
		d := only[DoStep](t, e.Step(x.now, ExecutorWoken{}))
		if d.Try != try {
			t.Errorf("try %d, want %d", d.Try, try)
		}
		out := e.Step(x.now, StepDone{Key: d.Key, Result: ResultFailed})
		if told := len(out) == 1; told != (try == 0) || len(out) > 1 { // people hear of it once
			t.Fatalf("try %d is reported as %+v", try, out)
		}
		x.now = x.now.Add(retryMax) // at the latest
	}
}

func TestALostJournalStillAnswersForItsLeftovers(t *testing.T) {
	x := newTale(t, webFleet(5, 3, 2, 2)).serving()
	delete(x.executors, "web-3")
	x.judge(consensus.VerdictDown, "web-3")
	x.run(20 * time.Second)
	e := quiet(NewExecutor("web-3", x.state, nil, x.now))
	if d := only[DoStep](t, e.Step(x.now, ExecutorWoken{})); d.Key.Step != StepStop || d.Key.Slot != "slot-2" {
		t.Errorf("%+v", d)
	}
}

func TestAPoolWithoutAnActionHasNothingToRun(t *testing.T) {
	fleet := webFleet(5, 3, 2, 2)
	fleet.Pools[0].Actions = member.Actions{}
	x := newTale(t, fleet)
	e := quiet(NewExecutor("web-1", x.state, nil, x.now))
	if r := only[SendReport](t, e.Step(x.now, ExecutorWoken{})); !r.Report.Done || r.Report.Step != StepActivate {
		t.Errorf("%+v", r)
	}
}

func TestAnOccupantStartsItsSlotOnceForEachSlotEpoch(t *testing.T) {
	x := newTale(t, webFleet(5, 3, 2, 2))
	epoch := x.slot("slot-0").Epoch
	e := quiet(NewExecutor("web-1", x.state, Holding{"slot-0": epoch}, x.now)) // the agent was restarted
	// Whether it was started is not in the ledger yet: the journal, which is
	// asked under the same key, answers without starting it again.
	if d := only[DoStep](t, e.Step(x.now, ExecutorWoken{})); d.Key.Epoch != epoch || d.Try != 0 {
		t.Errorf("%+v", d)
	}
	x.serving()
	e = quiet(NewExecutor("web-1", x.state, Holding{"slot-0": epoch}, x.now))
	if out := e.Step(x.now, ExecutorWoken{}); len(out) != 0 {
		t.Errorf("a restart of the agent starts the service again: %+v", out)
	}
	x = newTale(t, webFleet(5, 3, 2, 2))
	e = quiet(NewExecutor("web-1", x.state, Holding{"slot-0": epoch - 1}, x.now))
	if d := only[DoStep](t, e.Step(x.now, ExecutorWoken{})); d.Key.Step != StepActivate || d.Key.Epoch != epoch {
		t.Errorf("%+v", d)
	}
}

func TestANewExecutorDoesNotTouchOtherMembersSteps(t *testing.T) {
	x, _ := activating(t)
	e := quiet(NewExecutor("web-7", x.state, nil, x.now))
	if out := e.Step(x.now, ExecutorWoken{}); len(out) != 0 || len(e.Doing()) != 0 {
		t.Errorf("%+v", out)
	}
}

// quiet makes an executor that does not test its member: these tests are about steps.
func quiet(e *Executor) *Executor {
	e.prover = prover{tests: map[string]*tested{"web": {busy: true, began: noon.AddDate(1, 0, 0)}}}
	return e
}
