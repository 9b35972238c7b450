package sim

import (
	"strings"
	"testing"
	"time"

	"moonwatch/member"
)

// spoiled lets an occupant crash while the actions of one spare are spoiled, and
// tells which member has the slot in the end, and how the spare's actions ended.
func spoiled(t *testing.T, do FaultKind) (by member.ID, ends []string) {
	t.Helper()
	w := demo(t, "lan", 40)
	w.Watch(func(h Happening) {
		if h.What == ActionEnded && h.Member == "spare-1" {
			ends = append(ends, h.Text)
		}
	})
	id, slot := ordinary(w)
	w.Begin(Fault{Do: do, Whom: []member.ID{"spare-1"}})
	w.Begin(Fault{Do: Crash, Whom: []member.ID{id}})
	within(t, w, 3*time.Minute, string(do), replaced(w, slot, id))
	return w.Occupant(slot), ends
}

func TestWhatADriverDoesWrongIsNoticed(t *testing.T) {
	for _, c := range []struct {
		do   FaultKind
		want string // how the spare's action ended
		gets bool   // the spare may keep the slot
	}{
		{HangActions, "killed at its deadline", false},
		{FailActions, "exit status 1", false},
		{LyingActions, "", false},
		{UnknownActions, "ended by a signal", true},
	} {
		by, ends := spoiled(t, c.do)
		if len(ends) == 0 {
			t.Fatalf("%s: spare-1 was not asked", c.do)
		}
		if by == "spare-1" && !c.gets {
			t.Errorf("%s: spare-1 serves a slot that it never started", c.do)
		}
		if !strings.Contains(ends[0], c.want) {
			t.Errorf("%s: ended with %q, want %q", c.do, ends[0], c.want)
		}
	}
}

func TestALyingStopStopsNothing(t *testing.T) {
	for _, lies := range []bool{false, true} {
		w := demo(t, "lan", 41)
		id, slot := ordinary(w)
		if lies {
			w.Begin(Fault{Do: LyingActions, Whom: []member.ID{id}})
		}
		w.Begin(Fault{Do: Crash, Whom: []member.ID{id}, For: 30 * time.Second, Serve: true})
		run(t, w, time.Minute)
		if w.Occupant(slot) == id {
			t.Fatal("not replaced")
		}
		if runs := w.machine(id).serves(slot); runs != lies {
			t.Errorf("the former occupant runs the slot: %v; its stop lies: %v", runs, lies)
		}
	}
}

func TestAnActionThatOutlivesItsAgentIsNotDoneTwice(t *testing.T) {
	cfg := Demo()
	cfg.Action = Span{3 * time.Second, 3100 * time.Millisecond}
	w := story(t, cfg, 42)
	id, slot := ordinary(w)
	killed := false
	w.Watch(func(h Happening) {
		if h.What == ActionBegan && h.Member != id && !killed {
			killed = true
			w.Begin(Fault{Do: KillAgent, Whom: []member.ID{h.Member}, For: 500 * time.Millisecond})
		}
	})
	w.Hit(Crash, id)
	within(t, w, 5*time.Minute, "served again", replaced(w, slot, id))
}

func TestADefamerAloneCondemnsNobody(t *testing.T) {
	w := demo(t, "lan", 43)
	acts, before := destroyed(w), w.checker.Verdicts
	f := Fault{Do: Defame, Whom: []member.ID{"spare-0"}, Other: []member.ID{"web-1"}, For: 2 * time.Minute}
	w.Begin(f)
	run(t, w, 3*time.Minute)
	if n := acts(); n > 0 || w.checker.Verdicts > before {
		t.Errorf("%d verdicts and %d destructive actions, want none", w.checker.Verdicts-before, n)
	}
	if _, ok := w.checker.words[saying{"spare-0", "web-1", 0}]; !ok {
		t.Error("it did not even try")
	}
	for id := range map[member.ID]bool{"web-0": true, "web-2": true} {
		if _, ok := w.checker.words[saying{"spare-0", id, 0}]; ok {
			t.Errorf("it lied about %s too", id)
		}
	}
}
