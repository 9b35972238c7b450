package sim

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"moonwatch/agent"
	"moonwatch/consensus"
	"moonwatch/failover"
	"moonwatch/member"
	"moonwatch/mind"
)

// TestEveryTroubleIsSeen plants one trouble after the other into a world at rest.
func TestEveryTroubleIsSeen(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range []struct {
		name, text string
		plant      func(w *World)
	}{
		{"L1", "spare-0 does not run", func(w *World) { w.Hit(Crash, "spare-0") }},
		{"L1", "web-3 does not run", func(w *World) { // that it is out of somebody's reach says less
			w.Hit(Crash, "web-3")
			standsUnder(w, "web-3", consensus.VerdictPartial)
		}},
		{"L1", "web-3 does not run", func(w *World) {
			w.Hit(Crash, "web-3")
			standsUnder(w, "web-3", consensus.VerdictServiceDown)
		}},
		{"L2", "slot web-3 of web-3 is not served", func(w *World) {
			w.Hit(KillService, "web-3")
			standsUnder(w, "web-3", consensus.VerdictPartial)
		}},
		{"L2", "slot web-3 of web-3 is not served", func(w *World) { w.Hit(KillService, "web-3") }},
		{"L2", "is in DRAINING", func(w *World) {
			w.Hit(Crash, "web-3")
			_ = w.RunUntil(10*time.Second, func() bool { return len(w.State().OpenCases()) > 0 })
		}},
		{"L2", "waits (budget), and nothing holds it any more", func(w *World) {
			w.Hit(Crash, "web-3")
			_ = w.RunUntil(10*time.Second, func() bool { return len(w.State().OpenCases()) > 0 })
			_ = w.Run(2 * time.Second) // for so long it is no time to replace anybody
			w.State().OpenCases()[0].Held = failover.HeldBudget
			w.State().OpenCases()[0].State = failover.Held
		}},
		{"L3", "spare-0 stands still", func(w *World) { w.Hit(Pause, "spare-0") }},
		{"L3", "is cut off from the council and does not know", func(w *World) { w.Hit(Isolate, "spare-0") }},
		{"L4", "web-4 is well and stands under down", func(w *World) {
			w.Hit(Crash, "web-4")
			_ = w.Run(30 * time.Second)
			w.Mend(Crash, "web-4")
			_ = w.Run(grace + 2*time.Second)
		}},
		{"L5", "nobody leads", func(w *World) { w.Hit(Crash, w.Leader()) }},
		{"L5", "web-0 is in mode normal, and there is no council quorum", func(w *World) { w.Hit(Crash, "web-1", "web-2", "web-3") }},
		{"L6", "slot web-3 of web-3 is drained without a case", func(w *World) {
			for _, m := range w.machines {
				s, _ := m.mind.State().Slot("web-3")
				s.Drained = true
			}
		}},
		{"L6", "spare-0 has not heard 1 messages yet", func(w *World) {
			m := w.machine("spare-0")
			m.waiting = append(m.waiting, func(*machine) {})
		}},
		{"L6", "web-0 wants 1 commands in the ledger", func(w *World) {
			m := w.machine("web-0")
			m.step(mind.Submitted{Command: []byte(`{"v":1,"id":"x","kind":"step-report","by":"web-0","payload":{}}`)})
		}},
	} {
		seen[c.name] = true
		w := demo(t, "lan", 31)
		if x := w.Troubles(); len(x) > 0 {
			t.Fatalf("at rest: %v", x)
		}
		c.plant(w)
		if !slices.ContainsFunc(w.Unsettled(), func(x Trouble) bool { return x.Name == c.name && strings.Contains(x.Text, c.text) }) {
			t.Errorf("%v, want %s: %s", w.Troubles(), c.name, c.text)
		}
	}
	for _, p := range LivenessPromises() {
		if !seen[p.Name] {
			t.Errorf("%s is never missed", p.Name)
		}
	}
}

// Three of five councillors are gone for good, with three occupants. The right
// answer is to do nothing, and to say so.
func TestWithoutACouncilQuorumDoingNothingIsRight(t *testing.T) {
	w := demo(t, "lan", 32)
	facts, acts := len(w.Facts()), destroyed(w)
	w.Hit(Crash, "web-1", "web-2", "web-3")
	within(t, w, 15*time.Second, "all well", func() bool { return len(w.Troubles()) == 0 })
	run(t, w, 5*time.Minute)
	if n := acts(); n > 0 || len(w.Facts()) != facts {
		t.Fatalf("%d actions and %d facts, want none", n, len(w.Facts())-facts)
	}
	if x := w.Troubles(); len(x) > 0 {
		t.Fatal(x)
	}
	for _, id := range []member.ID{"web-0", "web-4", "spare-0"} {
		if m := w.Mode(id); m != failover.Isolated {
			t.Errorf("%s says %s, want isolated", id, m)
		}
	}
	if err := w.Audit(); err != nil {
		t.Fatal(err)
	}
}

func TestWhereNobodyRunsNothingIsLeftToBeWell(t *testing.T) {
	w := demo(t, "lan", 32)
	for _, m := range w.machines {
		w.Hit(Crash, m.id)
	}
	run(t, w, time.Minute)
	if x := w.Troubles(); len(x) > 0 {
		t.Fatal(x)
	}
}

// A spare that died and stays dead is settled by its verdict.
func TestADeadSpareUnderAVerdictIsNoTrouble(t *testing.T) {
	w := demo(t, "lan", 33)
	w.Hit(Crash, "spare-0")
	within(t, w, 5*time.Minute, "all well", func() bool { return len(w.Troubles()) == 0 })
	if v := w.Verdict("spare-0"); v == "" {
		t.Fatal("nobody says that spare-0 is dead")
	}
}

// Two drifts of one clock are one that is as large as both.
func TestDriftsOfOneClockAddUp(t *testing.T) {
	w := demo(t, "lan", 34)
	drift := func(what HappeningKind, id member.ID, share float64) {
		w.assume(Happening{What: what, Fault: &Fault{Do: ClockDrift, Whom: []member.ID{id}, Share: share}})
	}
	drift(FaultBegan, "web-0", 0.009)
	drift(FaultBegan, "web-1", 0.009)
	drift(FaultBegan, "web-1", -0.009)
	drift(FaultEnded, "web-0", 0.009)
	drift(FaultBegan, "web-0", 0.01)
	if v := w.Void(); v != "" {
		t.Fatal(v)
	}
	drift(FaultEnded, "web-1", -0.009)
	drift(FaultBegan, "web-1", 0.009)
	if v := w.Void(); !strings.Contains(v, "the clock of web-1 is wrong by 1.8 % of the time") {
		t.Fatalf("%q", v)
	}
}

func TestARunThatLeavesTheAssumptionsIsVoid(t *testing.T) {
	for _, c := range []struct {
		fault Fault
		want  string
	}{
		{Fault{Do: Wipe, Whom: []member.ID{"web-0", "web-1", "spare-0"}}, ""},
		{Fault{Do: Wipe, Whom: []member.ID{"web-0", "web-1", "web-2"}}, "3 of 5 councillors' disks"},
		{Fault{Do: ClockDrift, Whom: []member.ID{"web-0"}, Share: 0.01}, ""},
		{Fault{Do: ClockDrift, Whom: []member.ID{"web-0"}, Share: -0.02}, "the clock of web-0 is wrong by -2.0 %"},
		{Fault{Do: Lie, Whom: []member.ID{"web-0", "web-1"}}, ""},
		{Fault{Do: Lie, Whom: []member.ID{"web-0", "web-1", "web-2"}}, "3 of the 6 running observers"},
	} {
		w := demo(t, "lan", 34)
		f := c.fault
		w.assume(Happening{What: FaultBegan, Fault: &f})
		w.outlied()
		if got := w.Void(); (got == "") != (c.want == "") || !strings.Contains(got, c.want) {
			t.Errorf("%v: %q, want %q", c.fault, got, c.want)
		}
	}
}

// standsUnder lets the council agree on a verdict of the leader's about a member,
// before anybody has found out what is really the case.
func standsUnder(w *World, id member.ID, kind consensus.VerdictKind) {
	m := w.machine(w.Leader())
	v := verdictOn(w, id, "web-0", "web-1", "web-2", "web-4")
	v.Term = m.mind.Leading().Term
	x := &v.Findings[0]
	x.Kind, x.Service = kind, x.Agent
	fell(w, id)
	wordsOf(w, id, 0)
	for s, word := range maps.Clone(w.checker.words) {
		s.kind = agent.OfService
		w.checker.words[s] = word
	}
	c, err := consensus.NewCommand(consensus.KindVerdict, "planted", m.id, w.time(), v)
	if err != nil {
		panic(err)
	}
	b, err := c.Encode()
	if err != nil {
		panic(err)
	}
	m.step(mind.Submitted{Command: b})
	_ = w.Run(300 * time.Millisecond)
	if s, _ := w.State().Ledger().Standing(id); s.Kind != kind {
		panic(id + " does not stand under " + member.ID(kind))
	}
}
