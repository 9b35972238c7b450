package tables

import (
	"fmt"
	"testing"
	"time"
)

// small plays one world of a small size and holds it to the setting's promises.
func small(t *testing.T, id string, play func(seed uint64) Row) Row {
	t.Helper()
	s, err := Select(id)
	if err != nil || len(s) != 1 {
		t.Fatalf("%s: %v", id, err)
	}
	r := play(1)
	if r.Seconds == 0 {
		t.Errorf("%s: nothing was played", id)
	}
	for _, b := range s[0].Bars(r) {
		t.Errorf("%s: %s", id, b)
	}
	t.Logf("%-18s %3d faults: ours p50 %v, %d condemned, %d healthy; naive p50 %v, %d condemned, %d healthy", id, r.Faults,
		r.Ours.Detect(50), r.Ours.Condemned, r.Ours.Healthy, r.Naive.Detect(50), r.Naive.Condemned, r.Naive.Healthy)
	return r
}

func TestACrashIsAVerdictInTime(t *testing.T) {
	for _, c := range []struct{ members, crashes int }{{5, 10}, {7, 10}, {32, 5}, {100, 3}} {
		r := small(t, fmt.Sprintf("crash/%d", c.members), func(seed uint64) Row { return playCrashes(c.members, c.crashes, false, seed) })
		if r.Faults != c.crashes || len(r.Naive.DetectMS) != c.crashes {
			t.Errorf("%d members: %d crashes, %d of them found by the naive policy, want %d", c.members, r.Faults, len(r.Naive.DetectMS), c.crashes)
		}
	}
}

func TestALeadersDeathCostsAtMostThreeSecondsMore(t *testing.T) {
	small(t, "crash/7-leader", func(seed uint64) Row { return playCrashes(7, 5, true, seed) })
}

func TestUniformLossCondemnsNobodyButNaively(t *testing.T) {
	for _, c := range []struct {
		roundTrip int
		oneWay    float64
	}{{10, 0.051}, {30, 0.163}, {51, 0.30}} {
		r := small(t, fmt.Sprintf("loss/%d-5", c.roundTrip), func(seed uint64) Row { return playLoss(5, c.oneWay, 2*time.Hour, seed) })
		if c.roundTrip > 10 && r.Naive.Healthy == 0 {
			t.Errorf("%d %%: the naive policy condemned nobody, want that it does", c.roundTrip)
		}
	}
}

func TestStalledMembersCondemnNobodyButThemselves(t *testing.T) {
	naive := 0
	for _, c := range []struct {
		at     int
		length time.Duration
	}{{1, 8 * time.Second}, {8, 500 * time.Millisecond}, {8, 2 * time.Second}, {32, 4 * time.Second}} {
		r := small(t, fmt.Sprintf("stalls/%d-%v", c.at, c.length), func(seed uint64) Row { return playStalls(c.at, c.length, 30*time.Second, seed) })
		naive += r.Naive.Healthy
	}
	if naive == 0 {
		t.Error("the naive policy condemned no healthy member, want that it does")
	}
}

func TestRapidsFaults(t *testing.T) {
	for _, id := range []string{"rapid/crashes-100", "rapid/flips-100", "rapid/in-100", "rapid/out-100"} {
		s, err := Select(id)
		if err != nil {
			t.Fatal(err)
		}
		small(t, id, s[0].Play)
	}
}
