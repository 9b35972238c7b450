package sim

import (
	"slices"
	"testing"
	"time"

	"moonwatch/member"
)

// Three councillors of five have places for 48 of 195 followers. The others are fed
// by followers, and everybody hears of everything, also of what happened meanwhile.
func TestAFleetIsFedByWhoIsLeftOfItsCouncil(t *testing.T) {
	w := story(t, Fleet(200), 1)
	if n := len(w.cfg.Council); n != 5 {
		t.Fatalf("%d councillors", n)
	}
	run(t, w, 30*time.Second)
	lost := slices.DeleteFunc(slices.Clone(w.cfg.Council), func(id member.ID) bool { return id == w.Leader() })[:2]
	w.Hit(Crash, lost...)
	before := len(w.facts)
	run(t, w, 40*time.Second)
	if len(w.facts) == before {
		t.Fatal("nothing happened of which anybody could hear")
	}
	deep := 0
	for _, m := range w.machines {
		if slices.Contains(lost, m.id) {
			continue
		}
		if len(m.listeners) > mostFed {
			t.Errorf("%s feeds %d", m.id, len(m.listeners))
		}
		if !m.mind.Councillor() && !w.machine(m.feed.upstream).mind.Councillor() {
			deep++
		}
		if head := m.mind.Ledger().Head(); head != uint64(len(w.facts)) {
			t.Errorf("%s has %d facts of %d", m.id, head, len(w.facts))
		}
	}
	if want := 195 - 3*mostFed; deep < want {
		t.Errorf("%d are fed by followers, want at least %d", deep, want)
	}
}
