package main

import (
	"context"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// How much garbage an agent lets lie, in per cent of what lives. An idle one makes some
// 0.3 MB a second of it: at 75 it is collected every ten seconds, which takes
// 0.05 % of a processor, and the 5 MiB that 200 would cost are an eighth of what an agent may
// have. One that serves makes as much in milliseconds: there the memory buys time.
const (
	calmPercent = 75
	busyPercent = 200

	// Once a second is busy. To go back to calmPercent makes collections at most three
	// times as frequent, so one that goes back does not return.
	busyFrom      = 10 // collections within collectorLook
	calmBelow     = 3
	collectorLook = 10 * time.Second
)

// garbagePercent is what the collector is to be set to after so many collections within
// collectorLook.
func garbagePercent(now int, collections uint64) int {
	switch {
	case collections >= busyFrom:
		return busyPercent
	case collections < calmBelow:
		return calmPercent
	default:
		return now
	}
}

// tuneCollector sets the collector by what there is to collect, until ctx ends.
func tuneCollector(ctx context.Context) {
	percent, before := calmPercent, collections()
	debug.SetGCPercent(percent)
	look := time.NewTicker(collectorLook)
	defer look.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-look.C:
		}
		n := collections()
		if p := garbagePercent(percent, n-before); p != percent {
			percent = p
			debug.SetGCPercent(p)
		}
		before = n
	}
}

// collections is how often this process has collected its garbage.
func collections() uint64 {
	s := []metrics.Sample{{Name: "/gc/cycles/total:gc-cycles"}}
	metrics.Read(s)
	return s[0].Value.Uint64()
}
