package consensus

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"moonwatch/member"
)

func rosterOf(n, domains int) *member.Roster {
	var ms []member.Member
	for i := range n {
		ms = append(ms, member.Member{
			ID: member.ID(fmt.Sprintf("m%03d", i)), Domain: member.FailureDomain(fmt.Sprintf("d%d", i%domains)),
		})
	}
	return member.NewRoster(1, ms)
}

func TestUpToSixteenEverybodyObservesEverybody(t *testing.T) {
	for _, n := range []int{0, 1, 2, 7, FullMeshTo} {
		r := rosterOf(n, 3)
		o := NewOverlay(r)
		for _, m := range r.Members {
			if len(o.ObserversOf(m.ID)) != n-1 || o.Assigned(m.ID, m.ID) {
				t.Errorf("%d members: %s has %d observers", n, m.ID, len(o.ObserversOf(m.ID)))
			}
		}
	}
}

func TestAStrangerObservesNobody(t *testing.T) {
	o := NewOverlay(rosterOf(5, 2))
	if o.SubjectsOf("x") != nil || o.ObserversOf("x") != nil || o.Assigned("x", "m001") || o.Assigned("m001", "x") {
		t.Error("a stranger has edges")
	}
}

func TestAboveSixteenASubjectHasSixteenObserversInThreeDomains(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		n := rapid.IntRange(FullMeshTo+1, 120).Draw(rt, "members")
		domains := rapid.IntRange(1, 12).Draw(rt, "domains")
		r := rosterOf(n, domains)
		o := NewOverlay(r)
		for _, m := range r.Members {
			obs := o.ObserversOf(m.ID)
			if len(obs) != Observers || !slices.IsSorted(obs) || len(slices.Compact(slices.Clone(obs))) != Observers {
				rt.Fatalf("%s of %d has observers %v", m.ID, n, obs)
			}
			seen := map[member.FailureDomain]bool{}
			for _, x := range obs {
				if x == m.ID {
					rt.Fatalf("%s observes itself", x)
				}
				if !slices.Contains(o.SubjectsOf(x), m.ID) || !o.Assigned(x, m.ID) {
					rt.Fatalf("%s observes %s, and does not know it", x, m.ID)
				}
				seen[r.Domain(x)] = true
			}
			if len(seen) < min(3, domains) {
				rt.Fatalf("%d members in %d domains: %s is observed from %d only", n, domains, m.ID, len(seen))
			}
		}
	})
}

func TestTheLoadIsSpread(t *testing.T) {
	for _, n := range []int{17, 32, 100, 500} {
		o := NewOverlay(rosterOf(n, 5))
		most, least := 0, n
		for _, m := range o.roster.Members {
			k := len(o.SubjectsOf(m.ID))
			most, least = max(most, k), min(least, k)
		}
		// Domains are widened at the cost of a few edges more for somebody.
		if most > 2*Observers || least < Observers/2 {
			t.Errorf("%d members observe %d to %d others, want about %d", n, least, most, Observers)
		}
	}
}

func TestAnOverlayIsAFunctionOfTheRoster(t *testing.T) {
	r := rosterOf(60, 4)
	shuffled := slices.Clone(r.Members)
	slices.Reverse(shuffled)
	one, two := NewOverlay(r), NewOverlay(member.NewRoster(99, shuffled))
	for _, m := range r.Members {
		if !slices.Equal(one.ObserversOf(m.ID), two.ObserversOf(m.ID)) {
			t.Fatalf("%s: %v and %v", m.ID, one.ObserversOf(m.ID), two.ObserversOf(m.ID))
		}
	}
}

func TestOneMemberMoreMovesFewEdges(t *testing.T) {
	for _, n := range []int{40, 100, 300} {
		small, large := rosterOf(n, 5), rosterOf(n+1, 5)
		before, after := NewOverlay(small), NewOverlay(large)
		moved := 0
		for _, m := range small.Members {
			for _, x := range before.ObserversOf(m.ID) {
				if !after.Assigned(x, m.ID) {
					moved++
				}
			}
		}
		// 16 edges have to give way to the new observer; a few follow them.
		if moved > 5*Observers {
			t.Errorf("%d members and one more: %d of %d edges moved", n, moved, n*Observers)
		}
	}
}
