package failover

import (
	"slices"
	"strings"
	"testing"
	"time"

	"moonwatch/agent"
	"moonwatch/consensus"
	"moonwatch/member"
)

// condemned is a fleet in which web-3 is down and its case is open, 3 s silent.
func condemned(t *testing.T, fleet member.Fleet) *tale {
	x := newTale(t, fleet).serving()
	x.results["web-6"] = neverEnds
	x.judge(consensus.VerdictDown, "web-3")
	x.now = x.now.Add(2 * time.Second)
	return x
}

func TestEveryGateOfAReplacement(t *testing.T) {
	for name, c := range map[string]struct {
		spoil  func(*tale)
		reason HeldReason
		why    string
	}{
		"open":                {func(*tale) {}, "", ""},
		"too soon":            {func(x *tale) { x.now = x.now.Add(-time.Millisecond) }, HeldEvidence, "replaced after 3s"},
		"disarmed":            {func(x *tale) { x.change(func(f *member.Fleet) { f.Pools[0].Armed = false }) }, HeldDisarmed, "not armed"},
		"moved on":            {func(x *tale) { x.theCase().Epoch-- }, HeldEvidence, "the slot has moved on"},
		"up again":            {func(x *tale) { x.judge(consensus.VerdictUp, "web-3") }, HeldEvidence, "no verdict asks for it"},
		"fence self":          {func(x *tale) { x.change(func(f *member.Fleet) { f.Pools[0].Fence = []string{"self"} }) }, HeldFence, "no proof"},
		"cascade":             {func(x *tale) { x.brake(Fleet, Cascade) }, HeldBrake, "fleet is in cascade"},
		"domain":              {func(x *tale) { x.brake(InDomain("a"), Cascade) }, HeldBrake, "domain:a is in cascade"},
		"other domain":        {func(x *tale) { x.brake(InDomain("b"), Cascade) }, "", ""},
		"pool":                {func(x *tale) { x.brake(InPool("web"), Cascade) }, HeldBrake, "pool:web is in cascade"},
		"guarded":             {func(x *tale) { x.brake(Fleet, Guarded) }, "", ""},
		"the verdicts say so": {func(x *tale) { x.judgeOnly("web-1", "web-4") }, HeldBrake, "3 members are condemned, cascade from 3"},
		"no spare":            {func(x *tale) { x.judgeOnly("web-6", "web-7") }, HeldPoolEmpty, "no free spare"},
		"window spent":        {func(x *tale) { x.state.s.Spent = []time.Time{x.now, x.now} }, HeldBudget, "2 replacements in 10m0s, at most 2"},
		"window over": {func(x *tale) {
			x.state.s.Spent = []time.Time{x.now.Add(-10 * time.Minute), x.now}
		}, "", ""},
		"in flight": {func(x *tale) {
			x.state.s.Cases[99] = &Case{ID: 99, State: Activating}
		}, HeldBudget, "1 cases under way, at most 1"},
	} {
		x := condemned(t, webFleet(5, 3, 2, 2))
		id := x.theCase().ID
		c.spoil(x)
		k, _ := x.state.Case(id)
		reason, why := x.state.ReplaceGate(x.now, k)
		if reason != c.reason || !strings.Contains(why, c.why) {
			t.Errorf("%s: %q (%s), want %q (%s)", name, reason, why, c.reason, c.why)
		}
		// The ledger, when it applies the command, says the same.
		if k.State != Draining && k.State != Held {
			continue
		}
		f := x.commit(KindCaseStep, "web-1", CaseStep{Case: id, Version: k.Version, To: Fencing})
		if f.Accepted != (c.reason == "") {
			t.Errorf("%s: the ledger accepts it: %v (%s)", name, f.Accepted, f.Reason)
		}
	}
}

// change applies a changed fleet; judgeOnly and brake commit what the conductor
// does not hear about.
func (x *tale) change(do func(*member.Fleet)) {
	x.t.Helper()
	f := *x.ledger.Fleet()
	f.Members, f.Pools = slices.Clone(f.Members), slices.Clone(f.Pools)
	do(&f)
	if f := x.commit(consensus.KindFleet, "web-1", f); !f.Accepted {
		x.t.Fatal(f.Reason)
	}
}

func (x *tale) judgeOnly(ids ...member.ID) {
	quiet := x.conductor
	x.conductor = NewConductor(newTale(x.t, webFleet(1, 3)).state, nil, 9, x.now)
	x.judge(consensus.VerdictDown, ids...)
	x.conductor = quiet
}

func (x *tale) brake(s Scope, m Mode) {
	x.commit(KindBrake, "web-1", Brakes{Modes: map[Scope]ScopeMode{s: {Mode: m, Why: "test"}}})
}

func TestEveryGateOfARestart(t *testing.T) {
	for name, c := range map[string]struct {
		spoil  func(*tale, *Case)
		reason HeldReason
		why    string
	}{
		"open":            {func(*tale, *Case) {}, "", ""},
		"disarmed":        {func(x *tale, _ *Case) { x.change(func(f *member.Fleet) { f.Pools[0].Armed = false }) }, HeldDisarmed, "not armed"},
		"the member down": {func(_ *tale, c *Case) { c.Kind = consensus.VerdictDown }, HeldEvidence, "the member itself is down"},
		"cascade":         {func(x *tale, _ *Case) { x.brake(Fleet, Cascade) }, HeldBrake, "cascade"},
		"pool cascade":    {func(x *tale, _ *Case) { x.brake(InPool("web"), Cascade) }, HeldBrake, "cascade"},
		"three times": {func(x *tale, c *Case) {
			x.state.s.Slots[c.Slot].Restarts = []time.Time{x.now, x.now, x.now}
		}, HeldBudget, "3 in 10m0s"},
		"three, one long ago": {func(x *tale, c *Case) {
			x.state.s.Slots[c.Slot].Restarts = []time.Time{x.now.Add(-10 * time.Minute), x.now, x.now}
		}, "", ""},
		"another one restarts": {func(x *tale, _ *Case) {
			x.state.s.Cases[99] = &Case{ID: 99, State: Restarting, Restart: true, Pool: "web"}
		}, HeldBudget, "1 restarts under way in pool web, at most 1"},
		"another pool restarts": {func(x *tale, _ *Case) {
			x.state.s.Cases[99] = &Case{ID: 99, State: Restarting, Restart: true, Pool: "db"}
		}, "", ""},
	} {
		x := newTale(t, webFleet(5, 3, 2, 2)).serving()
		x.judge(consensus.VerdictServiceDown, "web-3")
		k := x.theCase()
		c.spoil(x, k)
		reason, why := x.state.RestartGate(x.now, k)
		if reason != c.reason || !strings.Contains(why, c.why) {
			t.Errorf("%s: %q (%s), want %q (%s)", name, reason, why, c.reason, c.why)
		}
	}
}

func TestARestartThatHelpedClosesTheCase(t *testing.T) {
	x := newTale(t, webFleet(5, 3, 2, 2)).serving()
	x.judge(consensus.VerdictServiceDown, "web-3")
	x.looks["web-3"] = [2]agent.Stance{agent.Up, agent.Up}
	x.run(1500 * time.Millisecond)
	c := x.state.Cases()[0]
	if got := walk(c); got != "OPEN DRAINING RESTARTING VERIFYING CLOSED" || c.Outcome != OutcomeRestarted {
		t.Errorf("%s: %s", got, c.Outcome)
	}
	if s := x.slot("slot-2"); s.Occupant != "web-3" || s.Epoch != c.Epoch {
		t.Errorf("slot-2 is held by %s at %d", s.Occupant, s.Epoch)
	}
}

func TestAgentLostAndPartialOpenNoCase(t *testing.T) {
	for _, kind := range []consensus.VerdictKind{consensus.VerdictAgentLost, consensus.VerdictPartial, consensus.VerdictDomainCut} {
		x := newTale(t, webFleet(5, 3, 2, 2)).serving()
		x.judge(kind, "web-3")
		x.run(time.Minute)
		if n := len(x.state.Cases()); n != 0 {
			t.Errorf("%s opened %d cases", kind, n)
		}
		s := x.slot("slot-2")
		f := x.commit(KindCaseOpened, "web-1", CaseOpened{Slot: s.ID, Subject: s.Occupant, Epoch: s.Epoch})
		if f.Accepted {
			t.Errorf("the ledger opens a case for %s", kind)
		}
	}
}

func TestTheDrainKeepsHalfOfAPoolAndItsLastOccupant(t *testing.T) {
	for _, c := range []struct{ slots, dead, drained int }{{1, 1, 0}, {2, 2, 1}, {3, 3, 1}, {4, 4, 2}, {5, 5, 2}} {
		x := newTale(t, webFleet(c.slots, 3, 3, 3)).serving()
		var ids []member.ID
		for _, s := range x.state.Slots()[:c.dead] {
			ids = append(ids, s.Occupant)
		}
		x.judge(consensus.VerdictDown, ids...)
		x.run(500 * time.Millisecond)
		drained := 0
		for _, s := range x.state.Slots() {
			if s.Drained {
				drained++
			}
		}
		if drained != c.drained {
			t.Errorf("%d of %d down: %d drained, want %d", c.dead, c.slots, drained, c.drained)
		}
	}
}

func TestAStepFromAnOlderVersionHasNoEffect(t *testing.T) {
	x := condemned(t, webFleet(5, 3, 2, 2))
	c := x.theCase()
	first := x.commit(KindCaseStep, "web-1", CaseStep{Case: c.ID, Version: c.Version, To: Fencing})
	again := x.commit(KindCaseStep, "web-4", CaseStep{Case: c.ID, Version: 0, To: Fencing})
	if !first.Accepted || again.Accepted {
		t.Errorf("first %v, again %v", first.Accepted, again.Accepted)
	}
	if n := len(x.state.s.Spent); n != 1 {
		t.Errorf("the budget was spent %d times", n)
	}
}

// TestABrakeDoesNotUndoWhatItHasNotSeen: seed 6 of a swarm of twelve. A leader stood
// still with a brake on its way, the next one saw a cascade, and the old proposal was
// agreed after it. In seed 1003 of thirty the old leader's proposal, a cascade, was
// agreed when the next one had weighed already, and was undone at once.
func TestABrakeDoesNotUndoWhatItHasNotSeen(t *testing.T) {
	x := condemned(t, webFleet(5, 3, 2, 2))
	cascade := map[Scope]ScopeMode{Fleet: {Mode: Cascade, Why: "test"}}
	first, second := Weighing{Term: 3, Turn: 1}, Weighing{Term: 3, Turn: 2}
	for _, b := range []Brakes{{Weighing: first}, {Modes: cascade, Weighing: second, Over: first}} {
		if f := x.commit(KindBrake, "web-1", b); !f.Accepted {
			t.Fatalf("refused: %s", f.Reason)
		}
	}
	for _, old := range []Brakes{
		{Weighing: Weighing{Term: 2, Turn: 9}},
		{Weighing: Weighing{Term: 3, Turn: 3}, Over: first}, // its own leader had not seen it agreed
		{Weighing: Weighing{Term: 4, Turn: 1}, Over: first}, // nor had the next one
	} {
		if f := x.commit(KindBrake, "web-1", old); f.Accepted || x.state.Brake().Mode() != Cascade {
			t.Errorf("%+v is taken, and was not weighed over proposal 2 of term 3", old)
		}
	}
	if f := x.commit(KindBrake, "web-1", Brakes{Weighing: Weighing{Term: 4, Turn: 2}, Over: second}); !f.Accepted {
		t.Errorf("a brake that was weighed over the present one is refused: %s", f.Reason)
	}
}

func TestASpareIsNeverInTwoCases(t *testing.T) {
	x := newTale(t, webFleet(50, 30, 30)).serving() // three in flight
	x.results["web-51"], x.results["web-52"] = neverEnds, neverEnds
	x.judge(consensus.VerdictDown, "web-1", "web-41")
	x.run(5 * time.Second)
	if n := x.state.InFlight(); n != 2 {
		t.Fatalf("%d cases in flight, want 2", n)
	}
	spares := map[member.ID]bool{}
	for _, c := range x.state.OpenCases() {
		if c.State != Activating || spares[c.Spare] {
			t.Errorf("%s is %s with spare %s", c.Name(), c.State, c.Spare)
		}
		spares[c.Spare] = true
	}
	c := x.state.OpenCases()[0]
	for spare := range spares {
		if err := x.state.checkClaim(x.now, c, spare); err == nil {
			t.Errorf("%s may be claimed a second time", spare)
		}
	}
	if x.state.checkClaim(x.now, c, "web-2") == nil || x.state.checkClaim(x.now, c, "stranger") == nil {
		t.Error("an occupant or a stranger may be claimed")
	}
}

func TestAClaimNeverEndsByTimeAlone(t *testing.T) {
	x := newTale(t, webFleet(5, 3, 2, 2)).serving()
	x.results["web-6"] = neverEnds
	x.judge(consensus.VerdictDown, "web-3")
	x.run(30 * time.Minute)
	if u := x.state.Use("web-6"); u.Duty == Spare || u.Duty == BurnIn || len(u.Leftover) == 0 {
		t.Errorf("web-6 never answered, and is %s", u.Duty)
	}
}

func TestTheBestSpareIsNotWithTheVictimThenInAnEmptyDomainThenUsedLongestAgo(t *testing.T) {
	// slots: web-1 a, web-2 a, web-3 b; spares: web-4 b, web-5 c, web-6 c
	x := newTale(t, webFleet(3, 2, 2, 2))
	c := &Case{Pool: "web", Subject: "web-3", Slot: "slot-2"}
	order := func(want ...member.ID) {
		t.Helper()
		if got := x.state.FreeSpares(x.now, c); !slices.Equal(got, want) {
			t.Errorf("spares %v, want %v", got, want)
		}
	}
	order("web-5", "web-6", "web-4")
	x.state.s.Uses["web-5"].LastUsed = noon
	order("web-6", "web-5", "web-4")
	x.state.s.Uses["web-6"].Struck = []time.Time{x.now}
	order("web-5", "web-6", "web-4")
	x.judge(consensus.VerdictAgentLost, "web-5")
	order("web-6", "web-4")
}

// Seen in the simulator: in a balanced pool the victim's own domain is the emptiest
// without it. Its spare took over, and lost its power with the domain.
func TestTheSpareOfTheVictimsDomainIsTheLastChoiceInABalancedPool(t *testing.T) {
	f := webFleet(3, 6)
	for i := range f.Members {
		f.Members[i].Domain = member.FailureDomain("abc"[i%3 : i%3+1])
	}
	x := newTale(t, f)
	got := x.state.FreeSpares(x.now, &Case{Pool: "web", Subject: "web-3", Slot: "slot-2"})
	if want := []member.ID{"web-4", "web-5", "web-6"}; !slices.Equal(got, want) {
		t.Errorf("spares %v, want %v", got, want)
	}
}

func TestWhoKeepsFallingIsHeldDown(t *testing.T) {
	x := newTale(t, webFleet(5, 3, 2, 2))
	for range 2 {
		x.judge(consensus.VerdictAgentLost, "web-6")
		x.judge(consensus.VerdictUp, "web-6")
	}
	if err := x.state.claimable(x.now.Add(119*time.Second), "web-6"); err == nil {
		t.Error("claimable 119 s after the second fall")
	}
	if err := x.state.claimable(x.now.Add(120*time.Second), "web-6"); err != nil {
		t.Error(err)
	}
}

func TestOnlyTheExecutorsOwnWordCounts(t *testing.T) {
	x := newTale(t, webFleet(5, 3, 2, 2)).serving()
	x.results["web-6"] = neverEnds
	x.judge(consensus.VerdictDown, "web-3")
	x.run(3 * time.Second)
	c := x.theCase()
	good := Report{Case: c.ID, Attempt: c.Attempt, Step: StepActivate, Slot: c.Slot, Epoch: c.NewEpoch, Done: true}
	for name, r := range map[string]struct {
		by   member.ID
		make func(Report) Report
	}{
		"somebody else":    {"web-7", func(r Report) Report { return r }},
		"another step":     {"web-6", func(r Report) Report { r.Step = StepStop; return r }},
		"another attempt":  {"web-6", func(r Report) Report { r.Attempt++; return r }},
		"older slot epoch": {"web-6", func(r Report) Report { r.Epoch = c.Epoch; return r }},
		"another case":     {"web-6", func(r Report) Report { r.Case = 4711; return r }},
	} {
		if f := x.commit(KindReport, r.by, r.make(good)); f.Accepted {
			t.Errorf("%s: believed", name)
		}
	}
	if f := x.commit(KindReport, "web-6", good); !f.Accepted {
		t.Errorf("its own word: %s", f.Reason)
	}
}

func TestAMemberComesBackThroughBurnIn(t *testing.T) {
	x := newTale(t, webFleet(5, 3, 2, 2)).serving()
	x.judge(consensus.VerdictDown, "web-3")
	x.run(30 * time.Second)
	if d := x.state.Use("web-3").Duty; d != Quarantined {
		t.Fatalf("the victim is %s", d)
	}
	x.judge(consensus.VerdictUp, "web-3")
	if d := x.state.Use("web-3").Duty; d != BurnIn {
		t.Errorf("up again: %s", d)
	}
	x.run(9 * time.Minute)
	if d := x.state.Use("web-3").Duty; d != BurnIn {
		t.Errorf("after 9 min: %s", d)
	}
	x.run(2 * time.Minute)
	if d := x.state.Use("web-3").Duty; d != Spare {
		t.Errorf("after 11 min: %s", d)
	}
}

func TestAFleetThatTakesTheGroundAwayIsRefused(t *testing.T) {
	for want, spoil := range map[string]func(*member.Fleet){
		"occupied: slot-2 by web-3, slot-3 by web-4": func(f *member.Fleet) { f.Pools[0].Slots = f.Pools[0].Slots[:2] },
		"members.web-3: occupies slot":               func(f *member.Fleet) { f.Members = slices.Delete(f.Members, 2, 3) },
		"members.web-1: occupies slot":               func(f *member.Fleet) { f.Members[0].Retired = true },
		"members.web-1.pool: occupies":               func(f *member.Fleet) { f.Members[0].Pool = "" },
	} {
		x := newTale(t, webFleet(5, 3, 2, 2))
		f := *x.ledger.Fleet()
		f.Members, f.Pools = slices.Clone(f.Members), slices.Clone(f.Pools)
		spoil(&f)
		if got := x.commit(consensus.KindFleet, "web-1", f); got.Accepted || !strings.Contains(got.Reason, want) {
			t.Errorf("want %q, got accepted %v: %s", want, got.Accepted, got.Reason)
		}
	}
}

func TestASnapshotOfACaseUnderWayGoesOn(t *testing.T) {
	x := newTale(t, webFleet(5, 3, 2, 2)).serving()
	x.judge(consensus.VerdictDown, "web-3")
	for _, wait := range []time.Duration{0, time.Second, 2 * time.Second, time.Second, time.Second} {
		x.run(wait)
		snap, err := x.ledger.Snapshot()
		if err != nil {
			t.Fatal(err)
		}
		st := NewState()
		l := consensus.NewLedger(st)
		st.Bind(l)
		if err := l.Restore(snap); err != nil {
			t.Fatal(err)
		}
		again, err := l.Snapshot()
		if err != nil || string(again) != string(snap) {
			t.Fatalf("another state after the round trip (%v):\n%s\n%s", err, snap, again)
		}
		x.ledger, x.state = l, st
		x.conductor = NewConductor(st, nil, 2, x.now)
		for id, e := range x.executors {
			e.st = st
			x.executors[id] = e
		}
	}
	x.run(30 * time.Second)
	if c := x.theCase(); c.Outcome != OutcomeReplaced || x.stepped["web-6"] != 1 {
		t.Errorf("%s; web-6 ran %d steps", walk(c), x.stepped["web-6"])
	}
	if err := NewState().Restore([]byte("{")); err == nil {
		t.Error("a spoiled snapshot was restored")
	}
}
