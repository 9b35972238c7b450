package failover

import (
	"strings"
	"testing"
	"time"

	"moonwatch/agent"
	"moonwatch/consensus"
	"moonwatch/member"
)

// whilePreparing is a tale in which web-6 prepares for the slot of web-3, and never ends.
func whilePreparing(t *testing.T) (*tale, *Case) {
	t.Helper()
	fleet := webFleet(5, 3, 3, 3)
	fleet.Pools[0].Actions.Prepare = "web-prepare"
	x := newTale(t, fleet).serving()
	for _, m := range fleet.Members {
		x.results[m.ID] = neverEnds
	}
	x.judge(consensus.VerdictDown, "web-3")
	x.run(3 * time.Second)
	c := x.theCase()
	if c.State != Fenced || len(c.Preparing) != 1 {
		t.Fatalf("%s with %+v, want it fenced and one spare preparing", walk(c), c.Preparing)
	}
	return x, c
}

func wantRefusal(t *testing.T, f consensus.Fact, says string) {
	t.Helper()
	if f.Accepted || !strings.Contains(f.Reason, says) {
		t.Errorf("accepted: %v, %q; want a refusal that says %q", f.Accepted, f.Reason, says)
	}
}

func TestASecondSpareIsNotGivenToACaseBeforeTheFirstTakesLong(t *testing.T) {
	x, c := whilePreparing(t)
	p := PrepareOrdered{Case: c.ID, Version: c.Version, Spare: "web-8"}
	wantRefusal(t, x.commit(KindPrepare, "web-1", p), "which is expected within 30s")
	x.run(30 * time.Second)
	if len(c.Preparing) != 2 {
		t.Fatalf("after half of the deadline: %+v, want two", c.Preparing)
	}
	p.Version, p.Spare = c.Version, x.state.FreeSpares(x.now, c)[0]
	wantRefusal(t, x.commit(KindPrepare, "web-1", p), "2 prepare already")
}

func TestASpareThatIsNotPreparedDoesNotGoLive(t *testing.T) {
	x, c := whilePreparing(t)
	first := c.Preparing[0]
	step := CaseStep{Case: c.ID, Version: c.Version, To: Activating, Spare: first.Spare}
	wantRefusal(t, x.commit(KindCaseStep, "web-1", step), "is not prepared")
	for _, m := range x.ledger.Roster().Members {
		if x.state.Use(m.ID).Duty == Spare {
			step.Spare = m.ID
		}
	}
	wantRefusal(t, x.commit(KindCaseStep, "web-1", step), "is not prepared")
}

func TestNobodyButTheSpareItselfSaysThatItIsPrepared(t *testing.T) {
	x, c := whilePreparing(t)
	first := c.Preparing[0]
	r := Report{Case: c.ID, Step: StepPrepare, Slot: c.Slot, Epoch: first.Epoch, Done: true}
	wantRefusal(t, x.commit(KindReport, "web-1", r), "it does not prepare for it")
	r.Epoch--
	wantRefusal(t, x.commit(KindReport, first.Spare, r), "it does not prepare for it")
}

func TestAfterSomeTimesTheEstimateIsThe95thPercentile(t *testing.T) {
	x := newTale(t, webFleet(5, 3, 3, 3))
	if e := x.state.Estimate("web"); e != (Estimate{Likely: 30 * time.Second}) {
		t.Errorf("without any: %+v, want half of the deadline, a guess", e)
	}
	for _, d := range []time.Duration{4 * time.Second, 2 * time.Second, 9 * time.Second} {
		x.state.took("web", d)
	}
	if e := x.state.Estimate("web"); e != (Estimate{Likely: 9 * time.Second, Of: 3}) {
		t.Errorf("of 2, 4 and 9 s: %+v", e)
	}
	for range 40 {
		x.state.took("web", 10*time.Millisecond)
	}
	if e := x.state.Estimate("web"); e != (Estimate{Likely: time.Second, Of: 20}) {
		t.Errorf("of fast ones only: %+v, want a second, of the last 20", e)
	}
}

// Its slot is exclusive and its lease has ended: what the roll calls say does not matter
// any more. That of a replicated one is left to who is back.
func TestBeforeASpareGoesLiveSomebodyLooksWhetherTheMemberIsStillGone(t *testing.T) {
	x, c := whilePreparing(t)
	x.looks["web-3"] = [2]agent.Stance{agent.Up, agent.Up}
	first := c.Preparing[0]
	x.run(5 * time.Second)
	x.commit(KindReport, first.Spare, Report{Case: c.ID, Step: StepPrepare, Slot: c.Slot, Epoch: first.Epoch, Done: true})
	x.run(10 * time.Second)
	if u := x.state.Use(first.Spare); c.State != Held || c.Held != HeldEvidence || u.Duty == Claimed || len(u.Struck) > 0 {
		t.Fatalf("it is back: %s by %s, the spare is %+v, want it to wait for the verdict to be lifted", walk(c), c.Held, u)
	}
	x.judge(consensus.VerdictUp, "web-3")
	if u := x.state.Use(first.Spare); c.Outcome != OutcomeAborted || u.Duty != Quarantined || len(u.Struck) > 0 {
		t.Errorf("lifted: %s, the spare is %+v", walk(c), u)
	}
	x.results = map[member.ID]StepResult{}
	x.executors[first.Spare] = NewExecutor(first.Spare, x.state, Holding{c.Slot: first.Epoch}, x.now) // its agent restarts
	x.run(5 * time.Second)
	if u := x.state.Use(first.Spare); u.Duty != Spare || len(u.Leftover) > 0 || len(u.Shadow) > 0 {
		t.Errorf("given back: %+v, want a spare", u)
	}
}

func TestACaseWhoseMemberMayBeBackSaysSoAndKeepsNoSpare(t *testing.T) {
	x, c := whilePreparing(t)
	first := c.Preparing[0]
	x.looks["web-3"] = [2]agent.Stance{agent.Down, agent.Up} // some reach its service
	x.run(5 * time.Second)
	if f := x.commit(KindReport, first.Spare, Report{Case: c.ID, Step: StepPrepare, Slot: c.Slot, Epoch: first.Epoch, Done: true}); !f.Accepted {
		t.Fatal(f.Reason)
	}
	for _, m := range x.ledger.Roster().Members {
		delete(x.results, m.ID)
	}
	x.run(5 * time.Second)
	if c.State != Held || c.Held != HeldEvidence || !strings.Contains(c.Why, "before a spare goes live was not clear") || len(c.Preparing) > 0 {
		t.Fatalf("%s by %s: %s, with %+v", walk(c), c.Held, c.Why, c.Preparing)
	}
	if u := x.state.Use(first.Spare); u.Duty != Spare || len(u.Struck) > 0 {
		t.Errorf("%s is %s with %d strikes, want it free: it did nothing wrong", first.Spare, u.Duty, len(u.Struck))
	}
	if x.state.InFlight() != 0 || c.Proof != "" {
		t.Errorf("%d in flight, proof %q", x.state.InFlight(), c.Proof)
	}
	x.looks["web-3"] = [2]agent.Stance{agent.Down, agent.Abstain}
	x.run(30 * time.Second)
	if c.Outcome != OutcomeReplaced {
		t.Errorf("%s, want it replaced once a roll call is clear", walk(c))
	}
}

// It is well no more (seed 612853 of the swarm): who stood under a verdict burns in,
// whether it has stopped what it prepared before the verdict is lifted or after it.
func TestASpareThatIsGivenBackUnderAVerdictBurnsIn(t *testing.T) {
	for _, stopsFirst := range []bool{true, false} {
		x, c := whilePreparing(t)
		p := c.Preparing[0]
		x.commit(KindReport, p.Spare, Report{Case: c.ID, Step: StepPrepare, Slot: c.Slot, Epoch: p.Epoch, Done: true})
		x.judgeOnly(p.Spare)
		x.commit(KindHeldBack, "web-1", HeldBack{Case: c.ID, Version: c.Version})
		if u := x.state.Use(p.Spare); c.State != Held || u.Duty != Quarantined {
			t.Fatalf("%s, and %s is %s", walk(c), p.Spare, u.Duty)
		}
		stop := func() {
			x.commit(KindReport, p.Spare, Report{Step: StepStop, Slot: c.Slot, Epoch: p.Epoch, Done: true})
		}
		if stopsFirst {
			stop()
		}
		x.judge(consensus.VerdictUp, p.Spare)
		if !stopsFirst {
			stop()
		}
		if u := x.state.Use(p.Spare); u.Duty != BurnIn || len(u.Leftover) > 0 {
			t.Errorf("it stops first: %v: %s is %s with %v left, want it in burn-in", stopsFirst, p.Spare, u.Duty, u.Leftover)
		}
	}
}

// What it prepared may be gone with its memory when it is back, and the end of a cascade
// would find it ready.
func TestASpareThatFallsWhilePreparedIsGivenUpInACascade(t *testing.T) {
	x, c := whilePreparing(t)
	p := c.Preparing[0]
	x.commit(KindReport, p.Spare, Report{Case: c.ID, Step: StepPrepare, Slot: c.Slot, Epoch: p.Epoch, Done: true})
	x.commit(KindBrake, "web-1", Brakes{Modes: map[Scope]ScopeMode{Fleet: {Mode: Cascade, Why: "a test"}}})
	x.judge(consensus.VerdictDown, p.Spare)
	x.run(time.Second)
	if u := x.state.Use(p.Spare); len(c.Preparing) > 0 || u.Duty != Quarantined || len(u.Struck) != 1 {
		t.Errorf("%s with %+v; %s is %s with %d strikes", walk(c), c.Preparing, p.Spare, u.Duty, len(u.Struck))
	}
}

// Nobody else may prepare while a cascade is on: who takes long goes on.
func TestASpareThatIsSlowToPrepareIsNotGivenUpInACascade(t *testing.T) {
	x, c := whilePreparing(t)
	p := c.Preparing[0]
	x.commit(KindBrake, "web-1", Brakes{Modes: map[Scope]ScopeMode{Fleet: {Mode: Cascade, Why: "a test"}}})
	x.run(90 * time.Second)
	if u := x.state.Use(p.Spare); len(c.Preparing) != 1 || u.Duty == Quarantined || len(u.Struck) > 0 {
		t.Errorf("%s with %+v; %s is %s with %d strikes", walk(c), c.Preparing, p.Spare, u.Duty, len(u.Struck))
	}
}

func TestACaseWithoutAnyRollCallIsHeldInTheEnd(t *testing.T) {
	x, c := whilePreparing(t)
	first := c.Preparing[0]
	x.run(3 * time.Second)
	x.commit(KindReport, first.Spare, Report{Case: c.ID, Step: StepPrepare, Slot: c.Slot, Epoch: first.Epoch, Done: true})
	lead := NewConductor(x.state, x.lessor, 2, x.now)
	for range 2 * int(claimPatience/time.Second) { // nobody ever answers
		x.now = x.now.Add(time.Second)
		for _, e := range lead.Step(x.now, ConductorWoken{}, nil) {
			if p, ok := e.(ProposeFact); ok {
				x.commit(p.Kind, "web-1", p.Payload)
			}
		}
	}
	if c.State != Held || !strings.Contains(c.Why, "no roll call has said within 1m0s") {
		t.Errorf("%s: %s", walk(c), c.Why)
	}
}
