package main

import (
	"runtime"
	"testing"
)

func TestGarbageLiesWhereItBuysTime(t *testing.T) {
	percent := calmPercent
	for i, x := range []struct {
		collections uint64
		want        int
	}{
		{0, calmPercent},
		{busyFrom - 1, calmPercent}, // a busy moment is none yet
		{busyFrom, busyPercent},
		{1000, busyPercent},
		{busyFrom / 2, busyPercent}, // half as often, for the percentage was doubled
		{calmBelow - 1, calmPercent},
		{3 * (calmBelow - 1), calmPercent}, // and that many more, for it was halved
	} {
		if percent = garbagePercent(percent, x.collections); percent != x.want {
			t.Errorf("look %d: after %d collections %d %%, want %d", i, x.collections, percent, x.want)
		}
	}
}

func TestCollectionsAreCounted(t *testing.T) {
	before := collections()
	runtime.GC()
	if n := collections(); n <= before {
		t.Errorf("%d collections after one more than %d", n, before)
	}
}
