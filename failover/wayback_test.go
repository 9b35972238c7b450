package failover

import (
	"testing"
	"time"

	"moonwatch/consensus"
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
	if u := x.state.Use("web-6"); u.Duty != BurnIn || u.Strikes != 1 {
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
