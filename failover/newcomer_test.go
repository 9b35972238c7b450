package failover

import (
	"testing"
	"time"

	"moonwatch/consensus"
)

// Seen on four real machines: kill -9 of service and agent, in that order. The
// service is refused at once, the agent is missed a second later, and the case
// waited 30 s for a dead machine to restart its service.
func TestARestartOnAMachineThatDiesIsNotWaitedFor(t *testing.T) {
	x := newTale(t, webFleet(5, 3, 2, 2)).serving()
	x.results["web-3"] = neverEnds
	x.judge(consensus.VerdictServiceDown, "web-3")
	x.run(500 * time.Millisecond)
	x.judge(consensus.VerdictDown, "web-3")
	x.run(9 * time.Second)
	if s := x.slot("slot-2"); s.Occupant == "web-3" {
		t.Errorf("still not replaced after 9 s: %s", walk(x.theCase()))
	}
}

// Seen on real machines: the installed action was wrong at first (unit not
// found), and right a second later.
func TestAFirstStartThatFailsIsTriedAgain(t *testing.T) {
	x := newTale(t, webFleet(5, 3, 2, 2))
	x.results["web-3"] = ResultFailed
	x.run(5 * time.Second)
	tried := x.stepped["web-3"]
	x.results["web-3"] = ResultDone
	x.run(time.Minute)
	if s := x.slot("slot-2"); !s.Started {
		t.Errorf("tried %d times while it failed, %d times later: never started", tried, x.stepped["web-3"]-tried)
	}
}
