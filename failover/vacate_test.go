package failover

import (
	"slices"
	"strings"
	"testing"
	"time"

	"moonwatch/consensus"
	"moonwatch/member"
)

// vacate has an operator empty slot-2, which web-3 holds.
func (x *tale) vacate() consensus.Fact {
	s := x.slot("slot-2")
	return x.commit(KindVacated, "web-1", VacateOrdered{Slot: s.ID, Subject: s.Occupant, Epoch: s.Epoch, Reason: "fewer will do"})
}

// without is the fleet that stands, less some slots.
func (x *tale) shrink(slots ...member.SlotID) consensus.Fact {
	f := *x.ledger.Fleet()
	f.Pools = slices.Clone(f.Pools)
	f.Pools[0].Slots = slices.DeleteFunc(slices.Clone(f.Pools[0].Slots), func(s member.SlotID) bool { return slices.Contains(slots, s) })
	return x.commit(consensus.KindFleet, "web-1", f)
}

func TestAPoolShrinks(t *testing.T) {
	x := newTale(t, webFleet(5, 3, 2, 2)).serving()
	if f := x.shrink("slot-2"); f.Accepted || !strings.Contains(f.Reason, "'moonwatch vacate'") {
		t.Fatalf("an occupied slot is removed: %v %s", f.Accepted, f.Reason)
	}
	x.drain("slot-2", false)
	if f := x.vacate(); !f.Accepted {
		t.Fatal(f.Reason)
	}
	if s := x.slot("slot-2"); s.Occupant != "" || s.Vacated == nil || s.Vacated.Reason != "fewer will do" {
		t.Fatalf("%+v", s)
	}
	if f := x.shrink("slot-2"); f.Accepted || !strings.Contains(f.Reason, "may still run on web-3") {
		t.Fatalf("a slot that may still run is removed: %v %s", f.Accepted, f.Reason)
	}
	n := x.stepped["web-3"]
	x.run(Linger - 500*time.Millisecond)
	if x.stepped["web-3"] != n {
		t.Errorf("it was stopped before %v had passed", Linger)
	}
	x.run(2 * time.Second)
	if u := x.state.Use("web-3"); u.Duty != Spare || len(u.Leftover) > 0 {
		t.Fatalf("who was well is %s with %v, want a spare", u.Duty, u.Leftover)
	}
	if f := x.shrink("slot-2"); !f.Accepted {
		t.Fatal(f.Reason)
	}
	if _, known := x.state.Slot("slot-2"); known {
		t.Error("the slot is still there")
	}
	x.run(time.Minute)
	if u := x.state.Use("web-3"); u.Duty != Spare || len(x.state.OpenCases()) > 0 {
		t.Errorf("%+v, %d cases", u, len(x.state.OpenCases()))
	}
}

func (x *tale) fill() consensus.Fact {
	return x.commit(KindFilled, "web-1", FillOrdered{Slot: "slot-2", Epoch: x.slot("slot-2").Epoch, Reason: "they will not do"})
}

func TestAVacatedSlotIsFilledByPeopleAlone(t *testing.T) {
	x := newTale(t, webFleet(5, 3, 2, 2)).serving()
	was := x.slot("slot-2").Epoch
	x.drain("slot-2", false)
	x.vacate()
	if f := x.fill(); f.Accepted || !strings.Contains(f.Reason, "may still run on web-3") {
		t.Errorf("%v: %s", f.Accepted, f.Reason)
	}
	x.run(5 * time.Second)
	x.shrink() // the fleet as it stands
	if s := x.slot("slot-2"); s.Occupant != "" {
		t.Fatalf("%s got it by a fleet", s.Occupant)
	}
	if f := x.fill(); !f.Accepted {
		t.Fatal(f.Reason)
	}
	s := x.slot("slot-2")
	if s.Occupant == "" || s.Epoch <= was || s.Drained || s.Away != nil || s.Vacated != nil {
		t.Errorf("%+v, want it filled anew", s)
	}
	x.run(5 * time.Second)
	if !x.slot("slot-2").Started {
		t.Error("it does not serve")
	}
	if f := x.fill(); f.Accepted || !strings.Contains(f.Reason, "occupies it") {
		t.Errorf("%v: %s", f.Accepted, f.Reason)
	}
}

func TestAFillIsRefusedWherePolicySaysNo(t *testing.T) {
	for want, spoil := range map[string]func(*tale){
		"freeze of fleet":           func(x *tale) { x.hold(Freeze, Fleet, time.Hour) },
		"no free spare in pool web": func(x *tale) { x.judge(consensus.VerdictDown, "web-3", "web-6", "web-7") },
		"the order means":           func(x *tale) { x.state.s.Slots["slot-2"].Epoch++ },
	} {
		x := newTale(t, webFleet(5, 3, 2, 2)).serving()
		x.drain("slot-2", false)
		x.vacate()
		x.run(5 * time.Second)
		epoch := x.slot("slot-2").Epoch
		spoil(x)
		f := x.commit(KindFilled, "web-1", FillOrdered{Slot: "slot-2", Epoch: epoch, Reason: "they will not do"})
		if f.Accepted || !strings.Contains(f.Reason, want) {
			t.Errorf("accepted %v: %q, want %q", f.Accepted, f.Reason, want)
		}
	}
}

func TestAVacateIsRefusedWherePolicySaysNo(t *testing.T) {
	for want, spoil := range map[string]func(*tale){
		"it is not drained":            func(x *tale) { x.drain("slot-2", true) },
		"freeze of fleet":              func(x *tale) { x.hold(Freeze, Fleet, time.Hour) },
		"web-3 is under down":          func(x *tale) { x.judgeOnly("web-3") },
		"web-3 is under agent-lost":    func(x *tale) { x.judge(consensus.VerdictAgentLost, "web-3") },
		"case C-99 goes on":            func(x *tale) { x.state.s.Slots["slot-2"].Case = 99 },
		"is occupied by web-9 at slot": func(x *tale) { x.state.s.Slots["slot-2"].Occupant = "web-9" },
	} {
		x := newTale(t, webFleet(5, 3, 2, 2)).serving()
		s := x.slot("slot-2")
		x.drain("slot-2", false)
		spoil(x)
		f := x.commit(KindVacated, "web-1", VacateOrdered{Slot: s.ID, Subject: s.Occupant, Epoch: s.Epoch, Reason: "fewer will do"})
		if f.Accepted || !strings.Contains(f.Reason, want) {
			t.Errorf("accepted %v: %q, want %q", f.Accepted, f.Reason, want)
		}
	}
}

// A slot whose last occupant was proven gone otherwise, and never said that it stopped, has
// its name until that one is back or forgotten.
func TestASlotOfOneWhoIsGoneIsRemovedOnceThatOneIsForgotten(t *testing.T) {
	x := newTale(t, webFleet(5, 3, 2, 2)).serving()
	x.results["web-3"] = neverEnds
	x.judge(consensus.VerdictDown, "web-3")
	x.run(time.Minute)
	s := x.slot("slot-2")
	if s.Occupant == "web-3" {
		t.Fatal("it was not replaced")
	}
	x.drain("slot-2", false)
	if f := x.vacate(); !f.Accepted {
		t.Fatal(f.Reason)
	}
	x.run(5 * time.Second)
	x.retire("web-3", true)
	if f := x.shrink("slot-2"); f.Accepted || !strings.Contains(f.Reason, "may still run on web-3: wait until it is stopped there, or retire and forget") {
		t.Fatalf("%v %s", f.Accepted, f.Reason)
	}
	f := *x.ledger.Fleet()
	f.Members = slices.DeleteFunc(slices.Clone(f.Members), func(m member.Member) bool { return m.ID == "web-3" })
	if fact := x.commit(consensus.KindFleet, "web-1", f); !fact.Accepted {
		t.Fatal(fact.Reason)
	}
	if f := x.shrink("slot-2"); !f.Accepted {
		t.Error(f.Reason)
	}
}
