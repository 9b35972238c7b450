package scenario

import (
	"testing"

	"moonwatch/failover"
)

const crashAndPause = `
about: One machine loses its power, and another one stands still for two seconds.
fleet: demo
duration: 2m
steps:
  - {at: 30s, do: crash, whom: member:web-3, for: 40s}
  - {at: 80s, do: pause, whom: member:web-1, for: 2s}
`

func storyOf(t *testing.T, text string) *Story {
	t.Helper()
	s, err := Parse("lanes.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	p, err := s.Compile(42, Options{})
	if err != nil {
		t.Fatal(err)
	}
	r, err := Play(p, PlayOptions{Story: true})
	if err != nil {
		t.Fatal(err)
	}
	return r.Story
}

// A pause of two seconds is a verdict that is lifted: its case is closed without
// a step of its own.
func TestEveryClosedCaseEndsInItsLane(t *testing.T) {
	last := map[uint64]string{}
	for _, e := range storyOf(t, crashAndPause).Events {
		if e.Lane == LaneCase && e.Case > 0 && e.State != "" {
			last[e.Case] = e.State
		}
	}
	if len(last) != 2 {
		t.Fatalf("cases %v, want those of the crash and of the pause", last)
	}
	for id, state := range last {
		if state != string(failover.Closed) {
			t.Errorf("C-%d ends in %s", id, state)
		}
	}
}

func TestACondemnedMemberIsDownInItsLaneWhileItHasNoPower(t *testing.T) {
	var states []string
	for _, e := range storyOf(t, crashAndPause).Events {
		if e.Lane == LaneMember && e.Member == "web-3" && e.State != "" && e.AtMS >= 30_000 && e.AtMS < 70_000 {
			states = append(states, e.State)
		}
	}
	if len(states) != 2 || states[0] != "off" || states[1] != "down" {
		t.Errorf("from the crash until the power is back web-3 is %v, want off and then down", states)
	}
}
