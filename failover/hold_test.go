package failover

import (
	"strings"
	"testing"
	"time"

	"moonwatch/consensus"
	"moonwatch/member"
)

// hold has an operator give an order that ends after a while.
func (x *tale) hold(kind HoldKind, s Scope, lasts time.Duration) string {
	x.t.Helper()
	p := HoldGiven{Kind: kind, Scope: s, Reason: "I am looking", By: "alice"}
	if lasts > 0 {
		p.Until = x.now.Add(lasts)
	}
	f := x.commit(KindHold, "web-1", p)
	if !f.Accepted {
		x.t.Fatal(f.Reason)
	}
	return f.Command.ID
}

func TestEveryScopeOfAHoldBindsTheCasesInIt(t *testing.T) {
	for s, binds := range map[Scope]bool{
		Fleet: true, InDomain("a"): true, InDomain("b"): false, InPool("web"): true, HoldOf("web-3"): true, HoldOf("web-2"): false,
	} {
		x := condemned(t, webFleet(5, 3, 2, 2))
		x.hold(HoldOnly, s, time.Hour)
		c := x.theCase()
		reason, why := x.state.ReplaceGate(x.now, c)
		if (reason == HeldHold) != binds || binds && !strings.Contains(why, "I am looking") {
			t.Errorf("%s: %q (%s)", s, reason, why)
		}
		f := x.commit(KindCaseStep, "web-1", CaseStep{Case: c.ID, Version: c.Version, To: Fencing})
		if f.Accepted == binds {
			t.Errorf("%s: the ledger accepts it: %v (%s)", s, f.Accepted, f.Reason)
		}
	}
}

func TestWhatEachKindOfHoldForbids(t *testing.T) {
	for kind, want := range map[HoldKind]struct {
		reason  HeldReason
		drained bool
	}{
		HoldOnly: {HeldHold, true}, Maintenance: {HeldMaintenance, true}, DryRun: {HeldDryRun, true},
		Freeze: {HeldHold, false}, Disarm: {HeldDisarmed, false},
	} {
		x := newTale(t, webFleet(5, 3, 2, 2)).serving()
		x.hold(kind, HoldOf("web-3"), time.Hour)
		x.judge(consensus.VerdictDown, "web-3")
		x.run(10 * time.Second)
		if c := x.theCase(); c.Held != want.reason || c.Drained != want.drained || x.slot("slot-2").Drained != want.drained {
			t.Errorf("%s: held by %q, drained %v, want %q, %v", kind, c.Held, c.Drained, want.reason, want.drained)
		}
		y := newTale(t, webFleet(5, 3, 2, 2)).serving()
		y.hold(kind, HoldOf("web-3"), time.Hour)
		y.judge(consensus.VerdictServiceDown, "web-3")
		y.run(10 * time.Second)
		if c := y.theCase(); c.Held != want.reason {
			t.Errorf("%s: a restart is held by %q, want %q", kind, c.Held, want.reason)
		}
	}
}

func TestADryRunNamesTheSpareAndIsAskedLast(t *testing.T) {
	x := condemned(t, webFleet(5, 3, 2, 2))
	x.hold(DryRun, Fleet, time.Hour)
	if reason, why := x.state.ReplaceGate(x.now, x.theCase()); reason != HeldDryRun || !strings.Contains(why, "would replace web-3 by web-6") {
		t.Errorf("%s: %s", reason, why)
	}
	x.brake(Fleet, Cascade)
	if reason, _ := x.state.ReplaceGate(x.now, x.theCase()); reason != HeldBrake {
		t.Errorf("in a cascade it says %s, want what would really hold it", reason)
	}
}

func TestTheGravestHoldIsNamed(t *testing.T) {
	x := condemned(t, webFleet(5, 3, 2, 2))
	x.hold(HoldOnly, Fleet, time.Hour)
	x.hold(Disarm, InPool("web"), 0)
	x.hold(Maintenance, HoldOf("web-3"), time.Hour)
	if reason, _ := x.state.ReplaceGate(x.now, x.theCase()); reason != HeldDisarmed {
		t.Errorf("held by %s", reason)
	}
}

func TestAHoldEndsByItselfAndTheCaseGoesOn(t *testing.T) {
	x := newTale(t, webFleet(5, 3, 2, 2)).serving()
	x.hold(HoldOnly, Fleet, 20*time.Second)
	x.judge(consensus.VerdictDown, "web-3")
	x.run(15 * time.Second)
	if c := x.theCase(); c.Held != HeldHold {
		t.Fatalf("held by %q", c.Held)
	}
	x.run(15 * time.Second)
	if s := x.slot("slot-2"); s.Occupant == "web-3" {
		t.Errorf("nobody has replaced %s: %+v", s.Occupant, x.theCase())
	}
}

func TestADisarmHasNoEndUntilSomebodyArms(t *testing.T) {
	x := newTale(t, webFleet(5, 3, 2, 2)).serving()
	id := x.hold(Disarm, InPool("web"), 0)
	x.judge(consensus.VerdictDown, "web-3")
	x.run(48 * time.Hour)
	if c := x.theCase(); c.Held != HeldDisarmed {
		t.Fatalf("held by %q", c.Held)
	}
	if f := x.commit(KindHoldLifted, "web-1", HoldLifted{Hold: id}); !f.Accepted {
		t.Fatal(f.Reason)
	}
	x.run(15 * time.Second)
	if s := x.slot("slot-2"); s.Occupant == "web-3" {
		t.Errorf("nobody has replaced %s", s.Occupant)
	}
}

func TestAHoldDoesNotStopACasePastTheFence(t *testing.T) {
	for _, s := range []Scope{Fleet, InPool("web"), InDomain("a"), InDomain("b"), InDomain("c")} {
		x := newTale(t, webFleet(5, 3, 2, 2)).serving()
		x.results["web-6"] = ResultFailed // the first spare fails: the case has to claim again
		x.results["web-7"] = neverEnds
		x.judge(consensus.VerdictDown, "web-3")
		for range 100 {
			if c := x.theCase(); c.Spare != "" {
				break
			}
			x.run(100 * time.Millisecond)
		}
		x.hold(Freeze, s, time.Hour)
		x.results["web-7"] = ResultDone
		x.run(30 * time.Second)
		if s1 := x.slot("slot-2"); s1.Occupant == "web-3" {
			t.Errorf("%s: the case stands still: %s", s, walk(x.state.Cases()[0]))
		}
	}
}

func TestAHeldSpareIsNotClaimed(t *testing.T) {
	for s, free := range map[Scope]int{HoldOf("web-6"): 1, InDomain("c"): 0, Fleet: 2} {
		x := condemned(t, webFleet(5, 3, 2, 2))
		x.hold(HoldOnly, s, time.Hour)
		if got := x.state.FreeSpares(x.now, x.theCase()); len(got) != free {
			t.Errorf("%s: %v are free", s, got)
		}
	}
	x := condemned(t, webFleet(5, 3, 2, 2))
	x.hold(Maintenance, HoldOf("web-6"), time.Hour)
	x.hold(Maintenance, HoldOf("web-7"), time.Hour)
	if reason, _ := x.state.ReplaceGate(x.now, x.theCase()); reason != HeldPoolEmpty {
		t.Errorf("held by %q", reason)
	}
}

func TestTheBrakeDoesNotCountWhatPeopleKnow(t *testing.T) {
	for s, counted := range map[Scope]int{HoldOf("web-3"): 1, Fleet: 2, InPool("web"): 2, InDomain("a"): 2} {
		x := newTale(t, webFleet(5, 3, 2, 2)).serving()
		x.judgeOnly("web-3", "web-4")
		x.hold(HoldOnly, s, time.Hour)
		if got := x.state.Unsettled(x.now); len(got) != counted {
			t.Errorf("hold of %s: %v are counted, want %d", s, got, counted)
		}
		if got := x.state.Unsettled(x.now.Add(time.Hour)); len(got) != 2 {
			t.Errorf("hold of %s: after its end %v are counted", s, got)
		}
	}
	x := newTale(t, webFleet(5, 3, 2, 2)).serving()
	x.hold(Maintenance, InDomain("a"), time.Hour)
	b := NewBrake(x.state)
	if _, news := b.Weigh(x.now, []member.ID{"web-1", "web-2", "web-3"}); news {
		t.Error("three who are being worked at are news to the brake")
	}
	if _, news := b.Weigh(x.now, []member.ID{"web-4", "web-5", "web-6"}); !news {
		t.Error("three others are no news to the brake")
	}
}

func TestOrdersThatMayNotStand(t *testing.T) {
	x := newTale(t, webFleet(5, 3, 2, 2)).serving()
	hour := x.now.Add(time.Hour)
	for want, p := range map[string]HoldGiven{
		"no reason":                     {Kind: HoldOnly, Scope: Fleet, Until: hour},
		"a reason of 201 bytes":         {Kind: HoldOnly, Scope: Fleet, Until: hour, Reason: strings.Repeat("x", 201)},
		"no end":                        {Kind: Freeze, Scope: Fleet, Reason: "r"},
		"is over":                       {Kind: HoldOnly, Scope: Fleet, Reason: "r", Until: x.now},
		"at most 720h":                  {Kind: HoldOnly, Scope: Fleet, Reason: "r", Until: x.now.Add(721 * time.Hour)},
		`kind "nap"`:                    {Kind: "nap", Scope: Fleet, Reason: "r", Until: hour},
		"no member web-9":               {Kind: HoldOnly, Scope: HoldOf("web-9"), Reason: "r", Until: hour},
		"no pool db":                    {Kind: HoldOnly, Scope: InPool("db"), Reason: "r", Until: hour},
		"is in failure domain x":        {Kind: HoldOnly, Scope: InDomain("x"), Reason: "r", Until: hour},
		"want fleet, domain:NAME, pool": {Kind: HoldOnly, Scope: "rack:1", Reason: "r", Until: hour},
	} {
		if f := x.commit(KindHold, "web-1", p); f.Accepted || !strings.Contains(f.Reason, want) {
			t.Errorf("%+v: %v %q, want %q", p, f.Accepted, f.Reason, want)
		}
	}
	if f := x.commit(KindHoldLifted, "web-1", HoldLifted{Hold: "hold/none"}); f.Accepted {
		t.Error("a hold that does not stand is lifted")
	}
}

func TestASnapshotKeepsTheHolds(t *testing.T) {
	x := condemned(t, webFleet(5, 3, 2, 2))
	x.hold(HoldOnly, Fleet, time.Hour)
	b, err := x.state.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	y := NewState()
	y.Bind(x.ledger)
	if err := y.Restore(b); err != nil {
		t.Fatal(err)
	}
	if hs := y.Holds(x.now); len(hs) != 1 || hs[0].By != "alice" || hs[0].Scope != Fleet {
		t.Errorf("after a restart: %+v", hs)
	}
}
