package failover

import (
	"strings"
	"testing"
	"time"

	"moonwatch/agent"
	"moonwatch/consensus"
	"moonwatch/member"
)

// forcedOn has a forced failover of slot-2 from web-3, some seconds after its approval.
func forcedOn(t *testing.T, fence string, prepare func(x *tale)) (*tale, uint64, *Case) {
	t.Helper()
	f := webFleet(5, 3, 2, 2)
	f.Pools[0].Fence = []string{fence}
	x := newTale(t, f).serving()
	prepare(x)
	id := accepted(t, x.requests("alice", Requested{Act: ActFailover, Slot: "slot-2", For: time.Minute}))
	accepted(t, x.approves("bob", id))
	x.stir()
	x.run(200 * time.Millisecond)
	return x, id, x.theCase()
}

func nothing(*tale) {}

func TestAForcedFailoverIsTakenBackWhileItsOccupantStops(t *testing.T) {
	x, id, c := forcedOn(t, "self", nothing)
	if c.State != Fencing || x.stepped["web-3"] != 2 { // it was started, and is told to stop
		t.Fatalf("%s, and web-3 has done %d steps", walk(c), x.stepped["web-3"])
	}
	accepted(t, x.rejects("carol", id))
	if r := x.state.s.Requests[id]; !strings.Contains(x.state.Consequence(r), "is being given up") {
		t.Errorf("carol is told: %q", x.state.Consequence(r))
	}
	x.stir()
	if s := x.slot("slot-2"); c.Outcome != OutcomeAborted || s.Occupant != "web-3" || s.Case != 0 || !s.Drained {
		t.Fatalf("%s: %s, and %+v; want it web-3's, without its traffic: it may have stopped", walk(c), c.Outcome, s)
	}
	if r := x.state.s.Requests[id]; !strings.Contains(x.state.Consequence(r), "is given up: slot slot-2 stays with web-3") {
		t.Errorf("carol is told: %q", x.state.Consequence(r))
	}
	var ran []string
	x.note = func(s string) { ran = append(ran, s) }
	x.run(5 * time.Second)
	if s := x.slot("slot-2"); s.Drained || s.Anew != 0 || !strings.Contains(strings.Join(ran, "\n"), "web-3 runs start for slot-2") {
		t.Errorf("%+v after %q, want it started anew, with its traffic", s, ran)
	}
	if u := x.state.Use("web-3"); u.Duty != Occupant || len(u.Struck) != 0 {
		t.Errorf("web-3 is %s with %d strikes", u.Duty, len(u.Struck))
	}
	for _, id := range []string{"web-6", "web-7"} {
		if u := x.state.s.Uses[x.ledger.Roster().Members[int(id[4]-'1')].ID]; u.Duty != Spare {
			t.Errorf("%s is %s, want it a spare", id, u.Duty)
		}
	}
	// A second one at the same slot epoch is taken back like the first.
	x.state.s.Spent, ran = nil, nil
	id = accepted(t, x.requests("alice", Requested{Act: ActFailover, Slot: "slot-2", For: time.Minute}))
	accepted(t, x.approves("bob", id))
	x.stir()
	x.run(200 * time.Millisecond)
	accepted(t, x.rejects("carol", id))
	x.stir()
	x.run(5 * time.Second)
	if s := x.slot("slot-2"); s.Anew != 0 || !strings.Contains(strings.Join(ran, "\n"), "web-3 runs start for slot-2") {
		t.Errorf("%+v after %q, want it started anew once more", s, ran)
	}
}

// The word of whoever could not start again gives the traffic back: if nothing answers
// there, a verdict says so, and the case that comes of it drains.
func TestWhoCannotStartAnewIsNotDrainedForever(t *testing.T) {
	x, id, _ := forcedOn(t, "self", nothing)
	accepted(t, x.rejects("carol", id))
	x.stir()
	x.results["web-3"] = ResultFailed
	x.run(5 * time.Second)
	if s := x.slot("slot-2"); s.Drained || s.Anew == 0 {
		t.Errorf("%+v, want its traffic back, and further attempts", s)
	}
	x.results["web-3"] = ResultDone
	x.run(time.Minute)
	if s := x.slot("slot-2"); s.Anew != 0 {
		t.Errorf("%+v, want it started", s)
	}
}

// Where no check from outside finds out that nothing answers, traffic waits for the
// occupant's word that it has started it, also when a case of its own comes to nothing.
func TestWhoCannotStartAnewAndIsSeenByNobodyStaysDrained(t *testing.T) {
	unseen := func(x *tale) { x.ledger.Fleet().Pools[0].Checks = member.Checks{} }
	x, id, _ := forcedOn(t, "self", unseen)
	accepted(t, x.rejects("carol", id))
	x.stir()
	x.results["web-3"] = ResultFailed
	x.run(5 * time.Second)
	if s := x.slot("slot-2"); !s.Drained || s.Anew == 0 {
		t.Fatalf("%+v, want no traffic, and further attempts", s)
	}
	x.judge(consensus.VerdictDown, "web-3")
	x.run(time.Second)
	x.judge(consensus.VerdictUp, "web-3")
	x.run(time.Second)
	if s := x.slot("slot-2"); !s.Drained || s.Case != 0 {
		t.Errorf("%+v, want no traffic yet: its machine is back, its service is not", s)
	}
	x.results["web-3"] = ResultDone
	x.run(time.Minute)
	if s := x.slot("slot-2"); s.Anew != 0 || s.Drained {
		t.Errorf("%+v, want it started, with its traffic", s)
	}
}

// A service that was stopped by order and has not been started anew is not a service that
// fails: it is checked from its occupant's word on, whatever that is.
func TestWhoStartsAnewIsCheckedFromItsWordOn(t *testing.T) {
	for _, result := range []StepResult{ResultDone, ResultFailed} {
		x, id, _ := forcedOn(t, "self", nothing)
		accepted(t, x.rejects("carol", id))
		x.results["web-3"] = neverEnds
		x.run(5 * time.Second)
		if x.slot("slot-2").Anew == 0 || x.state.Checked("web-3") {
			t.Fatalf("web-3 is checked although it has not been started: %+v", x.slot("slot-2"))
		}
		_, slot, epoch, ok := x.state.Serves("web-3")
		s := x.slot("slot-2")
		key := StepKey{Step: StepActivate, Slot: slot, Epoch: epoch, Attempt: s.anewAttempt()}
		if ok || slot != "slot-2" {
			t.Fatalf("web-3 serves %s: %v", slot, ok)
		}
		x.execute("web-3", x.executors["web-3"].Step(x.now, StepDone{Key: key, Result: result}))
		x.run(100 * time.Millisecond)
		if !x.state.Checked("web-3") {
			t.Errorf("result %d: web-3 is not checked: %+v", result, x.slot("slot-2"))
		}
	}
}

// A restart starts it as well.
func TestARestartInPlaceIsAStartAnew(t *testing.T) {
	x, id, _ := forcedOn(t, "self", nothing)
	accepted(t, x.rejects("carol", id))
	x.stir()
	x.results["web-3"] = ResultFailed
	x.run(5 * time.Second)
	x.results["web-3"] = ResultDone
	x.judge(consensus.VerdictServiceDown, "web-3")
	x.looks["web-3"] = [2]agent.Stance{agent.Up, agent.Up}
	var ran []string
	x.note = func(s string) { ran = append(ran, s) }
	x.run(time.Minute)
	did := strings.Join(ran, "\n")
	if s := x.slot("slot-2"); s.Anew != 0 || s.Case != 0 || s.Drained || strings.Contains(did, "runs start for slot-2") || !strings.Contains(did, "runs restart") {
		t.Errorf("%+v after %q, want it restarted, and not started once more", s, ran)
	}
}

func TestAFailoverWhoseApprovalEndsWhileItsOccupantDoesNotStopIsTakenBack(t *testing.T) {
	x, _, c := forcedOn(t, "self", func(x *tale) { x.results["web-3"] = ResultFailed })
	x.run(5 * time.Second)
	if c.State != Escalated {
		t.Fatalf("%s, want it escalated: web-3 cannot stop", walk(c))
	}
	x.run(time.Minute) // it is told again, and cannot
	if c.Outcome != OutcomeAborted || x.slot("slot-2").Occupant != "web-3" {
		t.Errorf("%s: %s, want it given up with the approval", walk(c), c.Outcome)
	}
}

func TestAForcedFailoverThatHasFencedGoesOnAndSaysSo(t *testing.T) {
	x, id, c := forcedOn(t, "self", nothing)
	x.run(1100 * time.Millisecond)
	if c.State != Activating {
		t.Fatalf("%s, want a spare to go live", walk(c))
	}
	accepted(t, x.rejects("carol", id))
	if w := x.state.Consequence(x.state.s.Requests[id]); !strings.Contains(w, "is past the point of no return (ACTIVATING) and goes on") {
		t.Errorf("carol is told: %q", w)
	}
	wantRefusal(t, x.commit(KindTakenBack, "web-1", TakenBack{Case: c.ID, Version: c.Version}), "is not taken back any more")
	x.run(20 * time.Second)
	if c.Outcome != OutcomeReplaced {
		t.Errorf("%s: %s, want it replaced", walk(c), c.Outcome)
	}
}

// Where no proof is wanted the occupant serves until a spare does, so nothing is started
// anew; and only who rejects takes it back.
func TestAForcedFailoverThatWantsNoProofIsTakenBackUntilASpareGoesLive(t *testing.T) {
	prepares := func(x *tale) {
		x.ledger.Fleet().Pools[0].Actions.Prepare = "prepare"
		x.results["web-6"], x.results["web-7"] = neverEnds, neverEnds
	}
	x, id, c := forcedOn(t, "none", prepares)
	x.run(10 * time.Second)
	if c.State != Fenced || len(c.Preparing) != 1 {
		t.Fatalf("%s with %+v, want a spare that prepares", walk(c), c.Preparing)
	}
	wantRefusal(t, x.commit(KindTakenBack, "web-1", TakenBack{Case: c.ID, Version: c.Version}), "two people want it")
	accepted(t, x.rejects("carol", id))
	x.stir()
	if s := x.slot("slot-2"); c.Outcome != OutcomeAborted || s.Drained || s.Anew != 0 {
		t.Errorf("%s: %s, and %+v", walk(c), c.Outcome, s)
	}
}
