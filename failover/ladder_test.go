package failover

import (
	"strings"
	"testing"
	"time"

	"moonwatch/consensus"
	"moonwatch/member"
)

// starving is a tale in which slot-2 has lost web-3 and there is no spare: web-6 and
// web-7 are in burn-in, web-6 for the longer time.
func starving(t *testing.T, early time.Duration) (*tale, *Case) {
	t.Helper()
	fleet := webFleet(5, 3, 2, 2)
	fleet.Pools[0].Spares.EarlyAfter = early
	x := newTale(t, fleet).serving()
	for i, id := range []member.ID{"web-6", "web-7"} {
		u := x.state.s.Uses[id]
		u.Duty, u.Since, u.Struck = BurnIn, x.now.Add(time.Duration(i)*time.Second), []time.Time{x.now}
	}
	x.judge(consensus.VerdictDown, "web-3")
	x.run(3 * time.Second)
	c := x.theCase()
	if c.State != Held || c.Held != HeldPoolEmpty || c.Rung != RungWait || !strings.Contains(c.Why, "web-6 is in burn-in until") {
		t.Fatalf("%s by %s on rung %q: %s", c.State, c.Held, c.Rung, c.Why)
	}
	return x, c
}

func TestACaseWithoutASpareWaitsAndThenPeopleAreCalled(t *testing.T) {
	x, c := starving(t, 0)
	x.run(callPeopleAfter)
	if c.Rung != RungPeople || !strings.Contains(c.Why, "people are called: no spare has come within 5m") {
		t.Errorf("rung %q: %s", c.Rung, c.Why)
	}
	x.run(10 * time.Minute)
	if c.Outcome != OutcomeReplaced || c.Spare != "web-6" {
		t.Errorf("%s, want it replaced by web-6 after its burn-in", walk(c))
	}
}

func TestABurnInEndsEarlyForASlotThatHasNoSpare(t *testing.T) {
	x, c := starving(t, time.Minute)
	wantRefusal(t, x.commit(KindEarly, "web-1", ReturnedEarly{Member: "web-6", Case: c.ID}), "wanted at least 1m0s")
	x.run(90 * time.Second)
	if c.Outcome != OutcomeReplaced || c.Spare != "web-6" {
		t.Errorf("%s, want it replaced by web-6", walk(c))
	}
	if u := x.state.Use("web-7"); u.Duty != BurnIn {
		t.Errorf("web-7 is %s: nobody needs it", u.Duty)
	}
}

func TestAnEarlyReturnPassesOverNothingButTheWatching(t *testing.T) {
	for _, c := range []struct {
		name, says string
		early      time.Duration
		spoil      func(u *Use, x *tale)
	}{
		{"by policy", "wants the whole burn-in", 0, func(*Use, *tale) {}},
		{"leftovers", "are stopped there", time.Second, func(u *Use, _ *tale) { u.left("slot-0", 3) }},
		{"strikes", "people have to look at it", time.Second, func(u *Use, x *tale) { u.Struck = []time.Time{x.now, x.now, x.now} }},
		{"not ready", "not ready", time.Second, func(u *Use, x *tale) { u.Proof = &Proof{At: x.now, Says: "disk"} }},
	} {
		t.Run(c.name, func(t *testing.T) {
			x, held := starving(t, 0)
			x.ledger.Fleet().Pools[0].Spares.EarlyAfter = c.early
			c.spoil(x.state.s.Uses["web-6"], x)
			wantRefusal(t, x.commit(KindEarly, "web-1", ReturnedEarly{Member: "web-6", Case: held.ID}), c.says)
		})
	}
}

func TestTheReserveIsForWhenTooFewServe(t *testing.T) {
	fleet := webFleet(4, 3, 2, 2)
	fleet.Pools[0].Spares.Reserve = 3
	x := newTale(t, fleet).serving()
	x.judge(consensus.VerdictDown, "web-3")
	x.run(5 * time.Second)
	c := x.theCase()
	if c.Held != HeldReserve {
		t.Fatalf("%s by %s: %s, want it held: three of four slots serve", c.State, c.Held, c.Why)
	}
	for _, slot := range []member.SlotID{"slot-0", "slot-1"} {
		x.state.s.Slots[slot].Drained = true
	}
	x.run(5 * time.Second)
	if !c.inFlight() && c.State != Settling {
		t.Errorf("%s by %s, want it replaced: one of four slots serves", c.State, c.Held)
	}
}
