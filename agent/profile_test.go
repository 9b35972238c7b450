package agent

import (
	"testing"
	"time"
)

func TestEveryProfileHoldsTogether(t *testing.T) {
	for _, name := range []string{"", "lan", "demo", "fast"} {
		if err := ForProfile(name).Validate(); err != nil {
			t.Errorf("profile %q: %v", name, err)
		}
	}
}

func TestTheTimesOfProfileFastAreThoseOfTheProtocol(t *testing.T) {
	c := ForProfile("fast")
	got := [5]time.Duration{c.ProbeInterval, c.TimeoutMin, c.TimeoutMax, c.ReprobeInterval, c.Patience}
	want := [5]time.Duration{100 * time.Millisecond, 30 * time.Millisecond, 80 * time.Millisecond, 40 * time.Millisecond, 300 * time.Millisecond}
	if got != want {
		t.Errorf("probe, time-out, re-probe and patience are %v, want %v", got, want)
	}
}

func TestStallsUnderASecondAreNoLossInProfileFast(t *testing.T) {
	c := ForProfile("fast")
	if stall := int(time.Second / c.ProbeInterval); 2*stall >= c.LossCount {
		t.Errorf("two stalls of a second lose %d probes, and %d of %d accuse", 2*stall, c.LossCount, c.LossWindow)
	}
}
