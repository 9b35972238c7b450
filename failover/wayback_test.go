package failover

import (
	"strings"
	"testing"
	"time"

	"moonwatch/consensus"
	"moonwatch/member"
)

func TestASpareThatCouldNotBeActivatedComesBackThroughBurnIn(t *testing.T) {
	x := newTale(t, webFleet(5, 3, 2, 2)).serving()
	x.results["web-6"] = ResultFailed
	x.judge(consensus.VerdictDown, "web-3")
	x.run(20 * time.Second)
	if s := x.slot("slot-2"); s.Occupant != "web-7" {
		t.Fatalf("%s serves, want the second spare: %s", s.Occupant, walk(x.theCase()))
	}
	delete(x.results, "web-6") // repaired: its stop works
	x.run(time.Minute)
	if u := x.state.Use("web-6"); u.Duty != BurnIn || len(u.Struck) != 1 {
		t.Fatalf("web-6 is %+v, want burn-in with a strike", u)
	}
	x.run(11 * time.Minute)
	if u := x.state.Use("web-6"); u.Duty != Spare {
		t.Errorf("web-6 is %s after its burn-in, want a spare", u.Duty)
	}
}

func TestAnOccupantThatComesBackEndsACaseWithoutSpare(t *testing.T) {
	x := newTale(t, webFleet(5, 3, 2, 2)).serving()
	x.results["web-6"], x.results["web-7"] = ResultFailed, ResultFailed
	x.judge(consensus.VerdictDown, "web-3")
	x.run(20 * time.Second)
	if c := x.theCase(); c.State != Escalated {
		t.Fatalf("%s, want escalated", walk(c))
	}
	x.judge(consensus.VerdictUp, "web-3")
	c := x.theCase()
	if c.Outcome != OutcomeAborted {
		t.Errorf("%s, want aborted", walk(c))
	}
	if s := x.slot("slot-2"); s.Occupant != "web-3" || s.Drained || s.Case != 0 {
		t.Errorf("slot %+v, want it served by web-3 again", s)
	}
}

func TestANewLeaderLooksForItselfBeforeItClaims(t *testing.T) {
	x := newTale(t, webFleet(5, 3, 2, 2)).serving()
	x.judge(consensus.VerdictDown, "web-3")
	x.run(time.Second)
	c0 := x.theCase()
	x.now = c0.Silent.Add(3100 * time.Millisecond)
	// The step of a leader that died with it on its way, committed by the next.
	if f := x.commit(KindCaseStep, "web-1", CaseStep{Case: c0.ID, Version: c0.Version, To: Fencing}); !f.Accepted || c0.State != Fenced {
		t.Fatalf("%s: %s", walk(c0), f.Reason)
	}
	later := x.now.Add(20 * time.Second)
	c := NewConductor(x.state, nil, 9, later)
	asked := false
	for _, e := range c.Step(later, ConductorWoken{}, nil) {
		switch e := e.(type) {
		case LookAgain:
			asked = asked || e.Subject == "web-3"
		case ProposeFact:
			if p, ok := e.Payload.(CaseStep); ok && p.To == Activating {
				t.Error("a spare is claimed on what an earlier leader saw")
			}
		}
	}
	if !asked {
		t.Error("the new leader does not look")
	}
	x.now = later
	x.judge(consensus.VerdictUp, "web-3")
	if got := x.theCase(); got.Outcome != OutcomeAborted {
		t.Errorf("%s, want aborted: nothing was done yet", walk(got))
	}
}

// A claim that waits for a cascade is silent only for a while: the slot is
// nobody's.
func TestPeopleAreToldOfAFencedSlotThatWaitsForACascade(t *testing.T) {
	x := newTale(t, webFleet(5, 3, 2, 2)).serving()
	x.results["web-6"], x.results["web-7"] = neverEnds, neverEnds
	x.judge(consensus.VerdictDown, "web-3")
	x.run(5 * time.Second)
	c := x.theCase()
	if c.State != Activating {
		t.Fatal(walk(c))
	}
	delete(x.results, map[member.ID]member.ID{"web-6": "web-7", "web-7": "web-6"}[c.Spare])
	x.accused = []member.ID{"web-4", "web-5"}
	x.run(100 * time.Second)
	if c = x.theCase(); c.State != Claiming {
		t.Fatalf("%s, want it to wait for a minute", walk(c))
	}
	x.run(30 * time.Second)
	if c = x.theCase(); c.State != Escalated || !strings.Contains(c.Why, "cascade") {
		t.Fatalf("%s: %s", walk(c), c.Why)
	}
	x.accused = nil
	x.run(10 * time.Minute)
	if c = x.theCase(); c.State != Closed || c.Outcome != OutcomeReplaced {
		t.Errorf("%s, want it to go on when the cascade is over", walk(c))
	}
}

func TestASpareThatDiesInItsActivationIsNotWaitedFor(t *testing.T) {
	x := newTale(t, webFleet(5, 3, 2, 2)).serving()
	x.results["web-6"] = neverEnds
	x.judge(consensus.VerdictDown, "web-3")
	x.run(4 * time.Second)
	if c := x.theCase(); c.State != Activating || c.Spare != "web-6" {
		t.Fatalf("%s, want web-6 activating", walk(c))
	}
	x.judge(consensus.VerdictDown, "web-6")
	x.run(3 * time.Second)
	if s := x.slot("slot-2"); s.Occupant != "web-7" {
		t.Errorf("%s serves, want the next spare: %s", s.Occupant, walk(x.theCase()))
	}
	if u := x.state.Use("web-6"); u.Duty != Quarantined || u.Leftover["slot-2"] == 0 {
		t.Errorf("web-6 is %+v, want it in quarantine with what it may have begun", u)
	}
}
