//go:build real

package demo

import (
	"slices"
	"strings"
	"testing"

	"moonwatch/consensus"
	"moonwatch/failover"
)

// at is the place of the first fact whose line has all words, -1 for none.
func (r Result) at(words ...string) int {
	return slices.IndexFunc(r.Facts, func(f told) bool {
		return !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(f.Line, w) })
	})
}

// times is how many facts have all words.
func (r Result) times(words ...string) int {
	n := 0
	for _, f := range r.Facts {
		if !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(f.Line, w) }) {
			n++
		}
	}
	return n
}

func TestARackThatLosesPowerIsOneVerdictAndWaits(t *testing.T) {
	r := storyOf(t, FaultRack)
	if *r.VerdictKind != consensus.VerdictDomainCut || r.times("domain-cut of failure domain a") != 1 || r.times("case vm-") != 0 {
		t.Errorf("want one verdict about the failure domain and no case: %+v", r.Facts)
	}
	if r.ModeMax != failover.Cascade || r.Destructive != 0 || len(r.Members) != 3 || len(r.Promotions) != 0 {
		t.Errorf("%+v", r)
	}
}

func TestWhoComesAndGoesIsReplacedOnceAndOnlyWhenItStaysAway(t *testing.T) {
	r := storyOf(t, FaultFlap)
	if r.Failovers != 1 || r.Restarts != 0 || len(r.Promotions) != 1 || *r.Promoted == r.Member {
		t.Errorf("%+v", r)
	}
	cut, stop := r.at("CUTOVER"), r.at(string(r.Member)+" says: stop of")
	if cut < 0 || stop < cut || r.times("CUTOVER") != 1 {
		t.Errorf("cutover is fact %d, the old occupant's stop fact %d of %+v: want one of each, in this order", cut, stop, r.Facts)
	}
}

func TestWhenTheSpareDiesTheNextOneIsTaken(t *testing.T) {
	r := storyOf(t, FaultSpareDies)
	if len(r.Members) != 2 || r.Failovers != 1 || len(r.Promotions) != 1 || slices.Contains(r.Members, *r.Promoted) {
		t.Fatalf("%+v", r)
	}
	first, second := r.at("ACTIVATING "+string(r.Members[1])), r.at("ACTIVATING "+string(*r.Promoted))
	if first < 0 || second < first || r.times("ACTIVATING") != 2 || r.times("CUTOVER") != 1 {
		t.Errorf("want the dead spare claimed first, then the one that serves: %+v", r.Facts)
	}
}

func TestACaseIsFinishedOnceAlthoughItsLeaderDies(t *testing.T) {
	r := storyOf(t, FaultLeaderInCase)
	// The leader that dies may have held a slot, which is a second case, or none.
	n := r.Failovers
	if len(r.Members) != 2 || n < 1 || n > 2 || len(r.Promotions) != n || n == 2 && r.Promotions[0].Slot == r.Promotions[1].Slot {
		t.Fatalf("%+v", r)
	}
	// Each case ends once, and no spare is in both.
	if r.times("CUTOVER") != n || r.times("ACTIVATING") != n || n == 2 && r.Promotions[0].Member == r.Promotions[1].Member {
		t.Errorf("%+v", r.Facts)
	}
}

func TestShortStallsOfEverybodyReplaceNobody(t *testing.T) {
	r := storyOf(t, FaultStall)
	if len(r.Members) != 7 || r.Failovers != 0 || r.Destructive != 0 || len(r.Promotions) != 0 {
		t.Errorf("%+v", r)
	}
}
