package driver

import (
	"context"
	"testing"
	"time"

	"moonwatch/member"
)

// asked is a target that can be asked.
type asked struct {
	applied int
	answer  Result
	sees    Result
}

func (a *asked) Observe(context.Context, Request) Result { return a.sees }
func (a *asked) Plan(Request) (string, error)            { return "", nil }
func (a *asked) Apply(context.Context, Request) Result   { a.applied++; return a.answer }
func (a *asked) Compensate(context.Context, Request) Result {
	return Refused.Because("not taken back")
}

func unitStep(epoch member.SlotEpoch) Request {
	return Request{Case: "C-12", Step: "activate", Attempt: 1, Member: "web-1", Slot: "web-0", SlotEpoch: epoch, Deadline: time.Now().Add(time.Minute)}
}

func TestAJournaledStepIsDoneOnceAndNeverAfterANewerOne(t *testing.T) {
	dir := t.TempDir()
	j, err := OpenJournal(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	target := &asked{answer: Done.Because("it runs")}
	d := NewJournaled(target, j)
	for range 2 {
		if r := d.Apply(t.Context(), unitStep(57)); r.Outcome != Done || target.applied != 1 {
			t.Errorf("%v (%s), applied %d times", r.Outcome, r.Detail, target.applied)
		}
	}
	if r := d.Apply(t.Context(), unitStep(42)); r.Outcome != Refused || target.applied != 1 {
		t.Errorf("%v (%s), applied %d times", r.Outcome, r.Detail, target.applied)
	}
	if j, err = OpenJournal(dir, nil); err != nil || j.Holding()["web-0"] != 57 {
		t.Errorf("after a restart %v is held, %v", j.Holding(), err)
	}
}

// The agent died while the step was under way. An installed action could not be
// asked how it ended; this target can.
func TestWhatAnEarlierLifeBeganIsSeenAtTheTarget(t *testing.T) {
	dir := t.TempDir()
	j, err := OpenJournal(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	req := unitStep(57)
	if _, run := j.begin(req, time.Now()); !run {
		t.Fatal("not begun")
	}
	if j, err = OpenJournal(dir, nil); err != nil {
		t.Fatal(err)
	}
	for _, sees := range []Outcome{InProgress, Unknown, Done} {
		target := &asked{sees: sees.Because("so it is")}
		if r := NewJournaled(target, j).Apply(t.Context(), req); r.Outcome != sees || target.applied > 0 {
			t.Errorf("%v (%s), applied %d times, want %v", r.Outcome, r.Detail, target.applied, sees)
		}
	}
}
