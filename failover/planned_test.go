package failover

import (
	"slices"
	"strings"
	"testing"
	"time"

	"moonwatch/consensus"
	"moonwatch/member"
)

// switchover has an operator move slot-2, which web-3 holds.
func (x *tale) switchover(to member.ID) consensus.Fact {
	s := x.slot("slot-2")
	f := x.commit(KindSwitchover, "web-1", SwitchoverOrdered{Slot: s.ID, Subject: s.Occupant, Epoch: s.Epoch, To: to, Reason: "new kernel"})
	x.stir()
	return f
}

func (x *tale) drain(slot member.SlotID, back bool) consensus.Fact {
	s := x.slot(slot)
	return x.commit(KindDrain, "web-1", DrainOrdered{Slot: slot, Subject: s.Occupant, Epoch: s.Epoch, Back: back, Reason: "looking"})
}

func TestASwitchoverGoesTheWayOfAFailover(t *testing.T) {
	x := newTale(t, webFleet(5, 3, 2, 2)).serving()
	f := x.switchover("web-7")
	if !f.Accepted {
		t.Fatal(f.Reason)
	}
	x.run(20 * time.Second)
	c, _ := x.state.Case(f.Index)
	if got := walk(c); got != "OPEN DRAINING READY FENCING FENCED CLAIMING ACTIVATING VERIFYING CUTOVER SETTLING CLOSED" || c.Outcome != OutcomeSwitched {
		t.Errorf("%s: %s", got, c.Outcome)
	}
	s := x.slot("slot-2")
	if s.Occupant != "web-7" || s.Epoch == c.Epoch || s.Drained {
		t.Errorf("%+v", s)
	}
	if u := x.state.Use("web-3"); u.Duty != Spare || len(u.Leftover) > 0 {
		t.Errorf("who was well is %s with %v, want a spare at once", u.Duty, u.Leftover)
	}
	if n := len(x.state.s.Spent); n != 0 {
		t.Errorf("it spent %d of the budget for failures", n)
	}
}

func TestTheOldOccupantServesUntilItsRequestsHaveEnded(t *testing.T) {
	x := newTale(t, webFleet(5, 3, 2, 2)).serving()
	x.switchover("")
	n := x.stepped["web-3"]
	for range 200 {
		if x.slot("slot-2").Occupant != "web-3" {
			break
		}
		x.run(50 * time.Millisecond)
	}
	if x.stepped["web-3"] != n {
		t.Fatal("it was stopped before the cutover")
	}
	x.run(Linger - 500*time.Millisecond)
	if x.stepped["web-3"] != n {
		t.Errorf("it was stopped before %v had passed", Linger)
	}
	x.run(2 * time.Second)
	if x.stepped["web-3"] == n {
		t.Error("it was not stopped at all")
	}
}

func TestASwitchoverIsRefusedWherePolicySaysNo(t *testing.T) {
	for want, spoil := range map[string]func(*tale){
		"hold: hold of fleet by alice": func(x *tale) { x.hold(HoldOnly, Fleet, time.Hour) },
		"disarmed":                     func(x *tale) { x.hold(Disarm, InPool("web"), 0) },
		"fleet is in cascade":          func(x *tale) { x.brake(Fleet, Cascade) },
		"no free spare":                func(x *tale) { x.judgeOnly("web-6", "web-7") },
		"1 cases under way":            func(x *tale) { x.state.s.Cases[99] = &Case{ID: 99, State: Activating} },
		"a failover is about to come":  func(x *tale) { x.judgeOnly("web-3") },
		"has not started it yet":       func(x *tale) { x.state.s.Slots["slot-2"].Started = false },
		"give no proof":                func(x *tale) { x.change(func(f *member.Fleet) { f.Pools[0].Fence = []string{"power"} }) },
	} {
		x := newTale(t, webFleet(5, 3, 2, 2)).serving()
		spoil(x)
		if f := x.switchover(""); f.Accepted || !strings.Contains(f.Reason, want) {
			t.Errorf("accepted %v: %q, want %q", f.Accepted, f.Reason, want)
		}
	}
	x := newTale(t, webFleet(5, 3, 2, 2)).serving()
	if f := x.switchover("web-4"); f.Accepted || !strings.Contains(f.Reason, "web-4 is no spare") {
		t.Errorf("to an occupant: %v %s", f.Accepted, f.Reason)
	}
	s := x.slot("slot-2")
	for want, p := range map[string]SwitchoverOrdered{
		"no slot nine":       {Slot: "nine", Reason: "r"},
		"is occupied by web": {Slot: "slot-2", Subject: "web-3", Epoch: s.Epoch + 1, Reason: "r"},
		"no reason":          {Slot: "slot-2", Subject: "web-3", Epoch: s.Epoch},
		"no member of pool":  {Slot: "slot-2", Subject: "web-3", Epoch: s.Epoch, To: "db-1", Reason: "r"},
	} {
		if f := x.commit(KindSwitchover, "web-1", p); f.Accepted || !strings.Contains(f.Reason, want) {
			t.Errorf("%v: %q, want %q", f.Accepted, f.Reason, want)
		}
	}
}

func TestMaintenanceIsWhatASwitchoverIsFor(t *testing.T) {
	x := newTale(t, webFleet(5, 3, 2, 2)).serving()
	x.hold(Maintenance, HoldOf("web-3"), time.Hour)
	if f := x.switchover(""); !f.Accepted {
		t.Fatal(f.Reason)
	}
	x.run(20 * time.Second)
	if s := x.slot("slot-2"); s.Occupant == "web-3" {
		t.Error("it did not move")
	}
	if slices.Contains(x.state.FreeSpares(x.now, &Case{Pool: "web"}), "web-3") {
		t.Error("who is worked at is a free spare")
	}
}

func TestASwitchoverWithoutASpareThatStartsIsGivenUp(t *testing.T) {
	x := newTale(t, webFleet(5, 3, 2, 2)).serving()
	x.results["web-6"], x.results["web-7"] = ResultFailed, ResultFailed
	f := x.switchover("")
	x.run(30 * time.Second)
	c, _ := x.state.Case(f.Index)
	if s := x.slot("slot-2"); c.Outcome != OutcomeAborted || s.Occupant != "web-3" || s.Epoch != c.Epoch || s.Case != 0 || s.Drained {
		t.Errorf("%s: %s, slot %+v", walk(c), c.Outcome, s)
	}
}

func TestASwitchoverThatMayNotBeginIsGivenUpAfterAWhile(t *testing.T) {
	x := newTale(t, webFleet(5, 3, 2, 2)).serving()
	s := x.slot("slot-2")
	f := x.commit(KindSwitchover, "web-1", SwitchoverOrdered{Slot: "slot-2", Subject: s.Occupant, Epoch: s.Epoch, Reason: "r"})
	x.hold(HoldOnly, Fleet, time.Hour) // before anybody has taken the next step
	x.run(time.Minute)
	c, _ := x.state.Case(f.Index)
	if c.State != Held || c.Held != HeldHold {
		t.Fatalf("%s by %s", c.State, c.Held)
	}
	x.run(PlannedFor)
	if c.Outcome != OutcomeAborted || x.slot("slot-2").Case != 0 {
		t.Errorf("%s: %q", walk(c), c.Outcome)
	}
}

func TestAnOccupantThatFallsOnTheWayMakesAFailoverOfIt(t *testing.T) {
	for _, after := range []time.Duration{0, 500 * time.Millisecond, 1200 * time.Millisecond} {
		x := newTale(t, webFleet(5, 3, 2, 2)).serving()
		x.results["web-6"] = neverEnds
		f := x.switchover("")
		x.run(after)
		x.judge(consensus.VerdictDown, "web-3")
		c, _ := x.state.Case(f.Index)
		if c.Planned || c.Kind != consensus.VerdictDown || !x.slot("slot-2").Drained {
			t.Fatalf("after %v: %+v", after, c)
		}
		x.run(2 * time.Minute) // the first spare hangs until its deadline
		if s := x.slot("slot-2"); s.Occupant != "web-7" || c.Outcome != OutcomeReplaced {
			t.Errorf("after %v: %s has it: %s: %s", after, s.Occupant, walk(c), c.Outcome)
		}
	}
}

func TestASwitchoverOfAFencedSlotStopsTheOldOccupantFirst(t *testing.T) {
	fleet := webFleet(5, 3, 2, 2)
	fleet.Pools[0].Exclusive, fleet.Pools[0].Fence = true, []string{"self"}
	x := newTale(t, fleet).serving()
	x.results["web-3"] = ResultUnknown
	f := x.switchover("")
	x.run(10 * time.Second)
	c, _ := x.state.Case(f.Index)
	if c.Proof != "" || c.Spare != "" {
		t.Errorf("a spare is claimed without proof: %s", walk(c))
	}
	x = newTale(t, fleet).serving()
	f = x.switchover("")
	x.run(20 * time.Second)
	c, _ = x.state.Case(f.Index)
	if c.Proof != "self" || c.Outcome != OutcomeSwitched {
		t.Errorf("%s: proof %q, %s", walk(c), c.Proof, c.Outcome)
	}
}

func TestADrainIsKeptUntilItIsTakenBack(t *testing.T) {
	x := newTale(t, webFleet(5, 3, 2, 2)).serving()
	if f := x.drain("slot-2", false); !f.Accepted || !x.slot("slot-2").Drained {
		t.Fatal(f.Reason)
	}
	if f := x.drain("slot-2", false); f.Accepted {
		t.Error("it is drained twice")
	}
	// A verdict comes and goes: what people took away stays away.
	x.judge(consensus.VerdictDown, "web-3")
	x.judge(consensus.VerdictUp, "web-3")
	if s := x.slot("slot-2"); s.Case != 0 || !s.Drained {
		t.Errorf("%+v", s)
	}
	if f := x.drain("slot-2", true); !f.Accepted || x.slot("slot-2").Drained {
		t.Errorf("%s: %+v", f.Reason, x.slot("slot-2"))
	}
	if f := x.drain("slot-2", true); f.Accepted {
		t.Error("what is not drained is undrained")
	}
}

func TestADrainNeverTakesTheLastServingOccupant(t *testing.T) {
	x := newTale(t, webFleet(1, 1, 1, 1)).serving()
	if f := x.drain("slot-0", false); f.Accepted || !strings.Contains(f.Reason, "0 of 1 slots of pool web would go on serving") {
		t.Errorf("accepted %v: %s", f.Accepted, f.Reason)
	}
	// Of five slots three have to serve, and who is condemned serves nobody.
	x = newTale(t, webFleet(5, 3, 2, 2)).serving()
	x.judgeOnly("web-1")
	if f := x.drain("slot-1", false); !f.Accepted {
		t.Error(f.Reason)
	}
	if f := x.drain("slot-2", false); f.Accepted || !strings.Contains(f.Reason, "2 of 5") {
		t.Errorf("below the floor: accepted %v: %s", f.Accepted, f.Reason)
	}
	x = newTale(t, webFleet(5, 3, 2, 2)).serving()
	x.hold(Freeze, InDomain("a"), time.Hour)
	if f := x.drain("slot-2", false); f.Accepted || !strings.Contains(f.Reason, "freeze of domain:a") {
		t.Errorf("under a freeze: %v %s", f.Accepted, f.Reason)
	}
}

func TestARehearsalSaysWhatWouldBeDoneAndDoesNothing(t *testing.T) {
	x := newTale(t, webFleet(5, 3, 2, 2)).serving()
	s := x.slot("slot-2")
	p := SwitchoverOrdered{Slot: s.ID, Subject: s.Occupant, Epoch: s.Epoch, Reason: "r"}
	head := x.ledger.Head()
	r := x.state.RehearseSwitchover(x.now, p)
	if r.Refused != "" || len(r.Steps) != 5 || !strings.HasPrefix(r.Steps[0], "spare web-6 is claimed") || !strings.Contains(r.Steps[4], "web-3 stops slot slot-2 by stop after 3s") {
		t.Errorf("%+v", r)
	}
	d := DrainOrdered{Slot: s.ID, Subject: s.Occupant, Epoch: s.Epoch, Reason: "r"}
	if r := x.state.RehearseDrain(x.now, d); r.Refused != "" || r.Steps[1] != "4 of 5 slots of pool web go on serving" {
		t.Errorf("%+v", r)
	}
	if x.ledger.Head() != head || x.slot("slot-2").Drained || len(x.state.Cases()) != 0 {
		t.Error("it has done something")
	}
	x.hold(Freeze, Fleet, time.Hour)
	if r := x.state.RehearseSwitchover(x.now, p); !strings.Contains(r.Refused, "I am looking") {
		t.Errorf("%+v", r)
	}
	if r := x.state.RehearseDrain(x.now, d); !strings.Contains(r.Refused, "I am looking") {
		t.Errorf("%+v", r)
	}
}
