package failover

import (
	"strings"
	"testing"
	"time"

	"moonwatch/consensus"
	"moonwatch/member"
)

// drillable is a tale whose spares web-6 to web-9 can prepare.
func drillable(t *testing.T) *tale {
	t.Helper()
	fleet := webFleet(5, 3, 3, 3)
	fleet.Pools[0].Actions.Prepare, fleet.Pools[0].Actions.Unprepare = "prepare", "unprepare"
	return newTale(t, fleet).serving()
}

// drills is what the policy proposes.
func (x *tale) drills(id member.ID) consensus.Fact {
	x.t.Helper()
	f := x.commit(KindDrillDue, "web-1", DrillOrdered{Member: id})
	x.stir()
	return f
}

func TestADrillPreparesAndTakesItBackAndNeverGoesLive(t *testing.T) {
	x := drillable(t)
	var did []string
	x.note = func(s string) { did = append(did, s) }
	if f := x.drills("web-7"); !f.Accepted {
		t.Fatal(f.Reason)
	}
	x.run(10 * time.Second)
	u := x.state.Use("web-7")
	if len(did) != 2 || !strings.Contains(did[0], "web-7 runs prepare") || !strings.Contains(did[1], "web-7 runs unprepare") {
		t.Errorf("it did %q", did)
	}
	if u.Duty != Spare || u.Drilled == nil || !u.Drilled.Good || u.Drilled.Took != time.Second || len(u.Leftover) > 0 || len(u.Shadow) > 0 {
		t.Errorf("after it: %+v, %+v", u, u.Drilled)
	}
	if e := x.state.s.Took["web"]; len(e) != 1 || e[0] != time.Second {
		t.Errorf("the estimate learnt %v, want a second", e)
	}
}

func TestADrillIsRefusedUnlessAllIsWell(t *testing.T) {
	for _, c := range []struct {
		name, says string
		spoil      func(x *tale)
	}{
		{"another one is under way", "web-8 does one", func(x *tale) { x.drills("web-8") }},
		{"a case goes on", "goes on", func(x *tale) { x.judge(consensus.VerdictDown, "web-3") }},
		{"guarded", "is guarded", func(x *tale) {
			x.commit(KindBrake, "web-1", Brakes{Modes: map[Scope]ScopeMode{Fleet: {Mode: Guarded, Why: "a test"}}})
		}},
		{"held", "hold of fleet", func(x *tale) {
			x.commit(KindHold, "web-1", HoldGiven{Kind: HoldOnly, Scope: Fleet, Reason: "a test", Until: x.now.Add(time.Hour)})
		}},
		{"an occupant", "no free spare", func(x *tale) {}},
		{"not proven", "not proven", func(x *tale) { x.state.s.Uses["web-7"].Proof = nil }},
		{"not armed", "not armed", func(x *tale) { x.ledger.Fleet().Pools[0].Armed = false }},
		{"no slot", "no slot to prepare for", func(x *tale) { x.ledger.Fleet().Pools[0].Slots = nil }},
		{"no action", "no action that prepares", func(x *tale) { x.ledger.Fleet().Pools[0].Actions.Prepare = "" }},
	} {
		t.Run(c.name, func(t *testing.T) {
			x := drillable(t)
			id := member.ID("web-7")
			if c.name == "an occupant" {
				id = "web-2"
				x.state.s.Uses[id].Proof = &Proof{At: x.now, Good: true}
			}
			c.spoil(x)
			wantRefusal(t, x.commit(KindDrillDue, "web-1", DrillOrdered{Member: id}), c.says)
		})
	}
}

func TestASpareThatFailsItsDrillIsNotReadyUntilAnotherOneSucceeds(t *testing.T) {
	x := drillable(t)
	x.results["web-7"] = ResultFailed
	x.drills("web-7")
	x.run(5 * time.Second)
	if err := x.state.Ready(x.now, "web-7"); err == nil || !strings.Contains(err.Error(), "failed its drill") || x.state.Strikes(x.now, "web-7") != 1 {
		t.Errorf("ready: %v, %d strikes", err, x.state.Strikes(x.now, "web-7"))
	}
	delete(x.results, "web-7")
	x.run(30 * time.Second) // until what it left is taken back
	if f := x.drills("web-7"); !f.Accepted {
		t.Fatal(f.Reason)
	}
	x.run(5 * time.Second)
	if err := x.state.Ready(x.now, "web-7"); err != nil {
		t.Error(err)
	}
}

func TestADrillThatNobodyHearsOfHasFailed(t *testing.T) {
	x := drillable(t)
	x.results["web-7"] = neverEnds
	x.drills("web-7")
	x.run(x.state.timing().Activate + drillSlack + time.Second)
	if u := x.state.Use("web-7"); x.state.Drill() != nil || u.Drilled == nil || u.Drilled.Good || len(u.Struck) != 1 {
		t.Errorf("%+v, %+v", x.state.Drill(), u)
	}
}

func TestAFailureEndsADrillAndItsSpareIsFreeToServe(t *testing.T) {
	x := drillable(t)
	x.results["web-7"] = neverEnds
	x.drills("web-7")
	var did []string
	x.note = func(s string) { did = append(did, s) }
	x.judge(consensus.VerdictDown, "web-3")
	x.run(time.Second)
	u := x.state.Use("web-7")
	if x.state.Drill() != nil || u.Duty != Spare || len(u.Struck) > 0 || u.Drilled != nil {
		t.Errorf("%+v, %+v", x.state.Drill(), u)
	}
	if said := strings.Join(did, "; "); !strings.Contains(said, "web-7 ends prepare") || !strings.Contains(said, "web-7 runs unprepare") {
		t.Errorf("it did %q", said)
	}
}

func TestAWarmSpareIsChosenBeforeAColdOne(t *testing.T) {
	x := drillable(t)
	c := &Case{Slot: "slot-2", Pool: "web", Subject: "web-3"}
	cold := x.state.FreeSpares(x.now, c)
	last := cold[2]
	x.state.s.Uses[last].Drilled = &Drilled{At: x.now, Good: true}
	var beside []member.ID // of the same failure domain: all that counts more is the same
	for _, id := range x.state.FreeSpares(x.now, c) {
		if x.ledger.Roster().Domain(id) == x.ledger.Roster().Domain(last) {
			beside = append(beside, id)
		}
	}
	if len(beside) < 2 || beside[0] != last {
		t.Errorf("%v before, %v now: want %s first", cold, beside, last)
	}
	x.now = x.now.Add(warmFor)
	if x.state.s.Uses[last].warm(x.now) {
		t.Error("it stays warm for ever")
	}
}

func TestPeopleForgiveStrikesAndAFailedDrill(t *testing.T) {
	x := drillable(t)
	u := x.state.s.Uses["web-7"]
	u.Struck = []time.Time{x.now, x.now, x.now}
	u.Drilled = &Drilled{At: x.now, Says: "exit status 1"}
	for _, c := range []struct {
		p    StrikesCleared
		says string
	}{
		{StrikesCleared{Member: "web-7"}, "no reason"},
		{StrikesCleared{Member: "web-8", Reason: "looked at"}, "it has none"},
		{StrikesCleared{Member: "nobody", Reason: "looked at"}, "in no pool"},
	} {
		if err := x.state.CheckCleared(c.p); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%+v: %v, want %q", c.p, err, c.says)
		}
	}
	f := x.commit(KindCleared, "web-1", StrikesCleared{Member: "web-7", Reason: "new disk"})
	if !f.Accepted || x.state.Strikes(x.now, "web-7") != 0 || x.state.Ready(x.now, "web-7") != nil {
		t.Errorf("%v %q: %+v", f.Accepted, f.Reason, x.state.Use("web-7"))
	}
}

func TestThePolicyDrillsTheSpareThatWaitsLongest(t *testing.T) {
	x := drillable(t)
	x.ledger.Fleet().Pools[0].Spares.DrillEvery = time.Hour
	x.run(5 * time.Minute)
	var at []time.Time
	for _, id := range []member.ID{"web-6", "web-7", "web-8", "web-9"} {
		u := x.state.Use(id)
		if u.Drilled == nil || !u.Drilled.Good {
			t.Fatalf("%s: %+v, want every spare drilled after five minutes", id, u.Drilled)
		}
		at = append(at, u.Drilled.At)
	}
	for i, a := range at[1:] {
		if a.Sub(at[i]) < drillPause {
			t.Errorf("drills ended at %v: want a minute between them", at)
		}
	}
	x.run(30 * time.Minute)
	if u := x.state.Use("web-6"); !u.Drilled.At.Equal(at[0]) {
		t.Errorf("web-6 again at %v, want it after an hour", u.Drilled.At)
	}
}

// What all prepare from may be what fails: it strikes one of them and not all.
func TestWhileOneSpareFailsItsDrillsTheOthersDoNone(t *testing.T) {
	x := drillable(t)
	failed := &Drilled{At: x.now, Good: false}
	x.state.s.Uses["web-7"].Drilled = failed
	if !x.state.failsElsewhere(x.now, "web-8", "web") {
		t.Error("web-8 would do one, and web-7 tries again")
	}
	if x.state.failsElsewhere(x.now, "web-7", "web") {
		t.Error("web-7 does not try again")
	}
	x.state.s.Uses["web-8"].Drilled = failed
	if x.state.failsElsewhere(x.now, "web-7", "web") || x.state.failsElsewhere(x.now, "web-8", "web") {
		t.Error("two that have failed wait for each other")
	}
	x.state.s.Uses["web-8"].Drilled = nil
	x.state.s.Uses["web-7"].Struck = []time.Time{x.now, x.now, x.now}
	if x.state.failsElsewhere(x.now, "web-8", "web") {
		t.Error("web-7 waits for people, and web-8 for it")
	}
}
