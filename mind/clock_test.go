package mind

import (
	"testing"
	"time"
)

// That a clock which jumps is noticed takes two clocks in one time: package sim has them
// (TestAClockThatJumpsIsNoticedAtOnce).

func TestALeaderWhoseClockIsOffDecidesNothing(t *testing.T) {
	h := found(t, "web-1", "web-1")
	h.run(3 * time.Second)
	if !h.mind.conducts() {
		t.Fatal("the lone councillor does not lead")
	}
	for _, c := range []struct {
		ev    ClockMeasured
		right bool
	}{
		{ClockMeasured{Ahead: 5 * time.Second}, false},
		{ClockMeasured{Unknown: true}, false}, // says nothing of the clock
		{ClockMeasured{Ahead: -time.Second}, true},
		{ClockMeasured{Unknown: true, Outlived: true}, true}, // may not lead if another can, and knows the time
	} {
		h.step(c.ev)
		if h.mind.conducts() != c.right {
			t.Errorf("after %+v: decides %v, want %v", c.ev, h.mind.conducts(), c.right)
		}
	}
}

func TestLedgerTimeIsTheMedianOfTheCouncillorsWhereThisClockIsOff(t *testing.T) {
	h := found(t, "web-1", "web-1")
	h.run(3 * time.Second)
	for ahead, want := range map[time.Duration]time.Duration{1500 * time.Millisecond: 0, time.Hour: time.Hour, -time.Minute: -time.Minute} {
		h.step(ClockMeasured{Ahead: ahead})
		h.run(10 * time.Second)
		if off := h.now.Sub(h.mind.clock.time(h.now, h.mind.cfg.ClockMax)); off != want {
			t.Errorf("%v ahead: facts are dated %v before this clock, want %v", ahead, off, want)
		}
	}
}
