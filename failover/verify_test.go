package failover

import (
	"testing"
	"time"

	"moonwatch/agent"
	"moonwatch/consensus"
)

// lagging is a fleet whose leader's clock was set back: the ledger's time stands
// still ten minutes ahead of it.
func lagging(t *testing.T) *tale {
	x := newTale(t, webFleet(5, 3, 2, 2)).serving()
	x.now = x.now.Add(10 * time.Minute)
	if f := x.commit(KindBrake, "web-1", Brakes{}); !f.Accepted {
		t.Fatal(f.Reason)
	}
	x.now = x.now.Add(-10 * time.Minute)
	return x
}

// Seen in the simulator: the leader's clock jumped ten minutes back, the spare was
// running four seconds later, and the case waited half a minute for a roll call
// later than the ledger's time, until somebody else led.
func TestACaseIsVerifiedByALeaderWhoseClockWasSetBack(t *testing.T) {
	x := lagging(t)
	x.judge(consensus.VerdictDown, "web-3")
	x.run(7 * time.Second)
	if c := x.theCase(); c.State != Settling {
		t.Errorf("7 s after the verdict: %s, want it cut over", walk(c))
	}
}

func TestADeadlineComesToALeaderWhoseClockWasSetBack(t *testing.T) {
	x := lagging(t)
	x.looks["web-6"] = [2]agent.Stance{agent.Up, agent.Abstain}
	x.judge(consensus.VerdictDown, "web-3")
	x.run(7*time.Second + x.state.timing().Verify)
	if c := x.theCase(); c.Attempt != 2 {
		t.Errorf("%s, want the second spare to be tried", walk(c))
	}
}

// Seen in the simulator: of three members one dies, and the spare that takes over has
// one observer left. It was stopped again after half a minute, and people were called.
func TestTheWordOfTheOnlyObserverThatIsLeftIsEnoughToServe(t *testing.T) {
	for _, alone := range []bool{true, false} {
		x := newTale(t, webFleet(5, 3, 2, 2)).serving()
		x.looks["web-6"] = [2]agent.Stance{agent.Abstain, agent.Abstain}
		x.judge(consensus.VerdictDown, "web-3")
		x.run(6 * time.Second)
		x.conduct(SecondLook{Subject: "web-6", Called: x.now, Alone: alone})
		if c := x.theCase(); (c.State == Settling) != alone {
			t.Errorf("alone %v: %s", alone, walk(c))
		}
	}
}
