package keeper

import (
	"testing"
	"time"
)

func TestASlotMaySendUntilItIsEndedByForce(t *testing.T) {
	r := newRig(t, false)
	r.deaf = true
	r.taken("db-0", 3)
	r.wantGate("db-0", 7500*time.Millisecond) // S + Ds/2
	r.pass(time.Second)
	r.hand("db-0", 3, 0)
	r.wantGate("db-0", 7500*time.Millisecond)
	r.hand("db-0", 3, 400*time.Millisecond) // older than what is known
	r.wantGate("db-0", 7500*time.Millisecond)
	r.pass(7 * time.Second) // it is being asked to end
	r.wantState("db-0", Stopping, 1)
	r.wantGate("db-0", 500*time.Millisecond)
	r.stuck = true
	r.pass(500 * time.Millisecond)
	r.wantState("db-0", Stopping, 1)
	r.wantGate("db-0", 0)
	r.hand("db-0", 3, 0) // a stop goes on, whatever comes
	r.wantGate("db-0", 0)
	r.stuck = false
	r.pass(time.Second)
	r.wantState("db-0", Held, 0) // the lease of meanwhile
	if r.gate["db-0"] <= r.now {
		t.Error("the gate is shut although the slot is held again")
	}
}

func TestAKeeperThatStoodStillShutsTheGateBeforeItSignals(t *testing.T) {
	r := newRig(t, false)
	r.taken("db-0", 3)
	r.said = nil
	r.sleep(time.Minute)
	r.wantSaid("shut db-0", "signal db-0 kill=true")
	r.wantGate("db-0", 0)
	r.wantState("db-0", Vacant, 0)
}

func TestAReleasedSlotMaySendForAsLongAsItHasToEndInOrder(t *testing.T) {
	r := newRig(t, false)
	r.deaf = true
	r.taken("db-0", 3)
	r.release("db-0", 3)
	r.wantGate("db-0", 1500*time.Millisecond)
	r.pass(1500 * time.Millisecond)
	r.wantState("db-0", Vacant, 0)
	r.wantGate("db-0", 0)
}

func TestARestartedKeeperOpensOnlyWhatIsLeased(t *testing.T) {
	r := newRig(t, false)
	r.taken("db-0", 3)
	r.taken("db-1", 4)
	r.pass(2 * time.Second)
	r.gate["db-0"], r.gate["db-1"] = 1, 1<<62 // whatever an earlier life told
	lost := r.disk["db-1"]
	lost.Lease = nil
	r.start(false, r.disk["db-0"], lost)
	r.wantGate("db-0", 5500*time.Millisecond)
	r.wantGate("db-1", 0)
}
