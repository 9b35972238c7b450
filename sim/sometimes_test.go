package sim

import (
	"strings"
	"testing"
	"time"

	"moonwatch/consensus"
	"moonwatch/failover"
)

func TestRaritiesAreNamedOnceAndExplained(t *testing.T) {
	seen := map[string]bool{}
	for _, r := range Rarities() {
		if seen[r.Name] || strings.ToLower(r.Name) != r.Name || strings.Contains(r.Name, " ") || r.Says == "" {
			t.Errorf("%q: %q", r.Name, r.Says)
		}
		seen[r.Name] = true
	}
}

// What is meant for an earlier slot epoch is told from what is late otherwise.
func TestRefusalsAreToldApart(t *testing.T) {
	w := demo(t, "demo", 42)
	for reason, name := range map[string]string{
		"case C-12: slot web-0 has moved on from slot epoch 3": "refused-epoch",
		"case C-12: it is closed":                              "refused-late",
		"case C-12 held: fleet is in cascade":                  "refused-by-gates",
	} {
		w.noticeRefusal(consensus.Fact{Command: consensus.Command{Kind: failover.KindCaseStep}, Reason: reason})
		if n := w.rare.n[name]; n != 1 {
			t.Errorf("%q: %s is counted %d times", reason, name, n)
		}
	}
}

// Everything that this story does is counted, and nothing else.
func TestAStoryIsCountedByWhatIsRareInIt(t *testing.T) {
	w := demo(t, "demo", 42)
	id, slot := ordinary(w)
	w.Hit(KillService, id)
	within(t, w, 10*time.Second, "restart", func() bool { return w.Served(slot) })
	within(t, w, 5*time.Minute, "all well", func() bool { return len(w.Troubles()) == 0 })
	leader := w.Leader()
	w.Hit(Isolate, leader)
	run(t, w, 10*time.Second)
	w.Mend(Isolate, leader)
	within(t, w, 10*time.Minute, "all well", func() bool { return len(w.Troubles()) == 0 })
	got := w.Sometimes()
	for _, name := range []string{
		"verdict-service-down", "restart-in-place", "verdict-withdrawn", "leader-changed", "minority-isolated",
		"isolated-and-back", "two-think-they-lead",
	} {
		if got[name] == 0 {
			t.Errorf("%s is not counted", name)
		}
	}
	for _, name := range []string{"domain-cut", "cascade-entered", "quorum-lost", "spare-dead-on-arrival", "snapshot-installed"} {
		if got[name] > 0 {
			t.Errorf("%s is counted %d times, and did not happen", name, got[name])
		}
	}
	for name := range w.rare.n {
		if _, named := got[name]; !named {
			t.Errorf("%s is counted and in no catalogue", name)
		}
	}
	if len(got) != len(Rarities()) {
		t.Errorf("%d counters, %d are named", len(got), len(Rarities()))
	}
}
