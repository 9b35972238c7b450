package sim

import (
	"slices"
	"testing"
	"time"

	"moonwatch/member"
)

// naively is the demo's fleet with the naive policy beside it, which has seen
// everybody answer.
func naively(t *testing.T, seed uint64) (*World, *Naive) {
	t.Helper()
	w := demo(t, "lan", seed)
	n := NewNaive(w, DefaultNaive())
	run(t, w, 5*time.Second)
	return w, n
}

// called lists whom the naive policy called dead, each once, sorted.
func called(n *Naive) []member.ID {
	var ids []member.ID
	for _, v := range n.Verdicts() {
		ids = append(ids, v.Subject)
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

func TestTheNaivePolicyReplacesACrashedMemberOnce(t *testing.T) {
	w, n := naively(t, 1)
	id, _ := ordinary(w)
	w.Hit(Crash, id)
	run(t, w, 2*time.Minute)
	if len(n.Verdicts()) != 1 {
		t.Fatalf("verdicts %+v, want one", n.Verdicts())
	}
	v := n.Verdicts()[0]
	if v.Subject != id || v.Well || !v.Occupant || !v.Replaced || v.Since < time.Second || v.Since > 2*time.Second {
		t.Fatalf("verdict %+v, want the crashed occupant %s replaced after 1.5 to 2 s", v, id)
	}
}

func TestTheNaivePolicyFindsNoSpareForTheThird(t *testing.T) {
	w, n := naively(t, 1)
	w.Hit(Crash, "web-2", "web-3", "spare-0")
	run(t, w, 10*time.Second)
	if len(n.Verdicts()) != 3 || n.Vacant() != 1 {
		t.Fatalf("verdicts %+v and %d vacant slots, want 3 and one", n.Verdicts(), n.Vacant())
	}
	if last := n.Verdicts()[2]; !last.Cascade {
		t.Fatalf("the third of seven is %+v, want a cascade", last)
	}
	w.Mend(Crash, "web-2", "web-3", "spare-0")
	run(t, w, time.Minute)
	if n.Vacant() != 0 {
		t.Fatalf("%d vacant slots after all came back, want none", n.Vacant())
	}
}

// TestTwoStalledMembersAreEnoughForTheNaivePolicyToCondemnTheHealthy is why
// nobody should write it: both wake up, find everybody silent, and say so.
func TestTwoStalledMembersAreEnoughForTheNaivePolicyToCondemnTheHealthy(t *testing.T) {
	for _, c := range []struct {
		stall time.Duration
		false bool
	}{{time.Second, false}, {4 * time.Second, true}} {
		w, n := naively(t, 3)
		stalled := []member.ID{"web-2", "web-3"}
		w.Strike(Fault{At: w.Now(), Do: Pause, Whom: stalled, For: c.stall})
		run(t, w, 20*time.Second)
		healthy := slices.ContainsFunc(n.Verdicts(), func(v NaiveVerdict) bool { return v.Well && !slices.Contains(stalled, v.Subject) })
		if healthy != c.false {
			t.Errorf("stall of %v: called dead: %v, want healthy ones: %v", c.stall, called(n), c.false)
		}
	}
}

func TestOneStalledMemberIsNotEnough(t *testing.T) {
	w, n := naively(t, 4)
	w.Strike(Fault{At: w.Now(), Do: Pause, Whom: []member.ID{"web-3"}, For: 4 * time.Second})
	run(t, w, 20*time.Second)
	if ids := called(n); len(ids) != 1 || ids[0] != "web-3" {
		t.Fatalf("called dead: %v, want web-3 alone", ids)
	}
}

func TestTheNaivePolicyCondemnsTheHealthyInLossyWeather(t *testing.T) {
	cfg := Demo()
	cfg.Net.Loss = 0.163 // 30 % of the round trips
	w := story(t, cfg, 5)
	n := NewNaive(w, DefaultNaive())
	run(t, w, 10*time.Minute)
	if !slices.ContainsFunc(n.Verdicts(), func(v NaiveVerdict) bool { return v.Well }) {
		t.Fatalf("verdicts %+v, want false ones", n.Verdicts())
	}
	if w.checker.Verdicts > 0 {
		t.Fatalf("%d verdicts of ours, want none", w.checker.Verdicts)
	}
}

// TestABaselineChangesNothing holds the world with an onlooker against the one
// without.
func TestABaselineChangesNothing(t *testing.T) {
	trace := func(beside bool) uint64 {
		w := demo(t, "lan", 6)
		if beside {
			NewNaive(w, DefaultNaive())
		}
		w.Strike(
			Fault{At: w.Now(), Do: Crash, Whom: []member.ID{"web-3"}},
			Fault{At: w.Now() + 10*time.Second, Do: Pause, Whom: []member.ID{"web-1", "web-2"}, For: 4 * time.Second},
		)
		run(t, w, time.Minute)
		return w.Trace()
	}
	if a, b := trace(false), trace(true); a != b {
		t.Fatalf("trace %x, and %x with the naive policy beside it", a, b)
	}
}
