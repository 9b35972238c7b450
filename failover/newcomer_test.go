package failover

import (
	"testing"
	"time"

	"moonwatch/agent"
	"moonwatch/consensus"
	"moonwatch/member"
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

// Seen in the simulator, seed 27 of thirty members: two services were sick for
// 18 s in a cascade. Theirs was a held restart each, and the first one was carried
// out when the brake was released, 24 s after both had come back by themselves.
func TestAHeldRestartBeginsOnlyIfTheServiceIsStillDown(t *testing.T) {
	for _, c := range []struct {
		service agent.Stance
		want    int
	}{{agent.Up, 0}, {agent.Abstain, 0}, {agent.Down, 1}} {
		x := newTale(t, webFleet(8, 4, 4, 4)).serving()
		x.accused = []member.ID{"web-9", "web-10", "web-11"}
		x.run(2 * time.Second)
		x.judge(consensus.VerdictServiceDown, "web-3")
		x.run(time.Second)
		if k := x.theCase(); k.Held != HeldBrake {
			t.Fatalf("%s, want it held by the brake", walk(k))
		}
		before := x.stepped["web-3"]
		x.looks["web-3"], x.accused = [2]agent.Stance{agent.Up, c.service}, nil
		x.run(6 * time.Minute)
		if n := min(1, x.stepped["web-3"]-before); n != c.want {
			t.Errorf("roll calls say %s: %d restarts, want %d: %s", c.service, n, c.want, walk(x.theCase()))
		}
	}
}

// Seen in the simulator, seed 507 of thirty members: the executor's disk was full,
// so a restart never began, and the service came back by itself.
func TestARestartIsRepeatedOnlyIfTheServiceIsStillDown(t *testing.T) {
	x := newTale(t, webFleet(5, 3, 2, 2)).serving()
	x.results["web-3"] = neverEnds
	x.judge(consensus.VerdictServiceDown, "web-3")
	x.run(time.Second)
	before := x.stepped["web-3"]
	x.looks["web-3"] = [2]agent.Stance{agent.Up, agent.Up}
	x.run(2 * time.Minute)
	if n := x.stepped["web-3"] - before; n != 0 {
		t.Errorf("restarted %d times more", n)
	}
}
