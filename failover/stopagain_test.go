package failover

import (
	"testing"
	"time"

	"moonwatch/consensus"
	"moonwatch/member"
)

// stuck has a case whose occupant, web-3, answers and could not stop slot-2: people have
// just been called.
func stuck(t *testing.T, fence ...string) (*tale, *Case) {
	t.Helper()
	f := webFleet(5, 3, 2, 2)
	f.Pools[0].Fence, f.Pools[0].Actions.Restart = fence, ""
	x := newTale(t, f).serving()
	x.results["web-3"] = ResultFailed
	x.judge(consensus.VerdictServiceDown, "web-3")
	x.run(5 * time.Second)
	c := x.theCase()
	if c.State != Escalated {
		t.Fatalf("%s, want it escalated", walk(c))
	}
	return x, c
}

func TestWhatHoldsAFenceHoldsAStopToo(t *testing.T) {
	for _, w := range []struct {
		name string
		do   func(*tale)
		want string
	}{
		{"hold", func(x *tale) { x.hold(HoldOnly, HoldOf("web-3"), time.Minute) }, "stop held: hold"},
		{"maintenance", func(x *tale) { x.hold(Maintenance, Fleet, time.Minute) }, "stop held: maintenance"},
		{"brake", func(x *tale) { x.brake(Fleet, Cascade) }, "stop held: brake"},
		{"disarmed", func(x *tale) { x.change(func(f *member.Fleet) { f.Pools[0].Armed = false }) }, "stop held: disarmed"},
		{"another fence", func(x *tale) { x.change(func(f *member.Fleet) { f.Pools[0].Fence = []string{"power"} }) }, "the word of web-3 is no proof"},
		{"told already", func(x *tale) {
			x.results["web-3"] = neverEnds
			x.run(11 * time.Second)
		}, "web-3 is told already"},
	} {
		t.Run(w.name, func(t *testing.T) {
			x, c := stuck(t, "self")
			w.do(x)
			refused(t, x.commit(KindStopAgain, "web-1", StopAgain{Case: c.ID, Version: c.Version}), w.want)
		})
	}
	x, c := stuck(t, "self")
	refused(t, x.commit(KindStopAgain, "web-1", StopAgain{Case: c.ID, Version: c.Version - 1}), "told to stop again from version")
}

// Of a pool that is fenced from outside alone nobody is asked to stop it once more: its
// word would be worth nothing.
func TestOnlyWhoseWordIsAProofIsToldAgain(t *testing.T) {
	f := webFleet(5, 3, 2, 2)
	f.Pools[0].Fence, f.Pools[0].Actions.Restart = []string{"power"}, ""
	x := newTale(t, f).serving()
	x.commit(KindFencer, "web-5", Fencer{Can: map[member.ID][]string{"web-3": {"power"}}})
	x.results["web-3"], x.results["web-5"] = ResultFailed, ResultFailed
	x.judge(consensus.VerdictServiceDown, "web-3")
	x.run(5 * time.Minute)
	if c := x.theCase(); c.State != Escalated || c.Again != nil || c.Outside == nil {
		t.Errorf("%s, %+v", walk(c), c.Again)
	}
}

// Each time is a step of its own, done once, and the word about an earlier one is none:
// it may be late.
func TestEveryStopIsDoneOnceAndItsOwnWordCounts(t *testing.T) {
	x, c := stuck(t, "self")
	x.results["web-3"] = neverEnds
	before := x.stepped["web-3"]
	x.run(stopAgainAfter)
	first := c.Again
	if first == nil || first.Nth != 1 || x.stepped["web-3"] != before+1 {
		t.Fatalf("%+v after %d steps, want the first one told and begun", first, x.stepped["web-3"]-before)
	}
	x.run(first.Deadline.Sub(x.now) + time.Second) // no word: it is over
	if c.Again.Nth != 2 || x.stepped["web-3"] != before+1 {
		t.Fatalf("%+v after %d steps, want it told, and not begun before the first has ended", c.Again, x.stepped["web-3"]-before)
	}
	said := Report{Case: c.ID, Attempt: -int(first.Fact), Step: StepStop, Slot: c.Slot, Epoch: c.FenceEpoch, Done: true}
	if f := x.commit(KindReport, "web-3", said); f.Accepted {
		t.Error("the word about the first is taken for one about the second")
	}
	said.Attempt = -int(c.Again.Fact)
	if f := x.commit(KindReport, "web-5", said); f.Accepted {
		t.Error("somebody else's word is taken")
	}
	if f := x.commit(KindReport, "web-3", said); !f.Accepted || c.State != Fenced || c.Proof != "self" {
		t.Errorf("%s %s, %q", c.State, c.Proof, f.Reason)
	}
	x.results["web-6"] = ResultDone
	x.run(30 * time.Second)
	if s := x.slot("slot-2"); s.Occupant != "web-6" || c.Outcome != OutcomeReplaced {
		t.Errorf("%+v, %s", s, walk(c))
	}
}

// A new leader goes on where the one before was: the rate is the ledger's.
func TestANewLeaderTellsNoOftener(t *testing.T) {
	x, c := stuck(t, "self")
	x.run(2 * time.Minute)
	n, at := c.Again.Nth, c.Again.At
	x.conductor = NewConductor(x.state, x.lessor, 2, x.now)
	x.run(time.Minute)
	if c.Again.Nth > n+1 || c.Again.Nth == n+1 && c.Again.At.Sub(at) < stopAgainAfter<<n {
		t.Errorf("told %d times, the last after %v", c.Again.Nth-n, c.Again.At.Sub(at))
	}
}
