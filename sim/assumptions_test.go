package sim

import (
	"slices"
	"testing"
	"time"

	"moonwatch/member"
)

func TestAStoryBeyondTheAssumptionsSaysSo(t *testing.T) {
	council := []member.ID{"a", "b", "c"}
	got := Beyond(council, []Fault{
		{Do: ClockDrift, Whom: []member.ID{"x"}, Share: -0.02},
		{Do: Wipe, Whom: []member.ID{"a", "x"}}, {Do: BitFlip, Whom: []member.ID{"b"}},
		{Do: Lie, Whom: []member.ID{"x"}}, {Do: Defame, Whom: []member.ID{"y"}, Other: council},
	})
	want := []string{
		"the clock of x runs 2 % wrong, at most 1 %", "2 of 3 councillors lose their disk: [a b]", "2 observers lie: [x y]",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
	if got := Beyond(council, []Fault{{Do: Crash, Whom: council}, {Do: Wipe, Whom: []member.ID{"a"}}, {Do: Lie, Whom: []member.ID{"x"}}}); len(got) > 0 {
		t.Errorf("within the assumptions: %q", got)
	}
}

func TestASwarmStaysWithinTheAssumptionsAndDrawsEveryKind(t *testing.T) {
	drawn := map[FaultKind]int{}
	for seed := range uint64(400) {
		cfg, faults := Swarm(seed, 30, 5*time.Minute)
		if x := Beyond(cfg.Council, faults); len(x) > 0 {
			t.Errorf("seed %d: %q", seed, x)
		}
		for _, f := range faults {
			drawn[f.Do]++
			if err := f.Check(); err != nil {
				t.Errorf("seed %d: %v", seed, err)
			}
			if end := f.At + f.For; end > 5*time.Minute {
				t.Errorf("seed %d: %v ends after the calm began", seed, f)
			}
		}
	}
	for _, k := range swarmKinds {
		if drawn[k] < 10 {
			t.Errorf("%s was drawn %d times in 400 stories", k, drawn[k])
		}
	}
}
