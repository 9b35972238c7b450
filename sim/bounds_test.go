package sim

import (
	"testing"
	"time"
)

func TestASwarmStaysWithinTheAssumptionsAndDrawsEveryKind(t *testing.T) {
	drawn := map[FaultKind]int{}
	for seed := range uint64(400) {
		cfg, faults := Swarm(seed, 30, 5*time.Minute)
		w, err := New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range faults {
			drawn[f.Do]++
			w.assume(Happening{What: FaultBegan, Fault: &f})
			if err := f.Check(); err != nil {
				t.Errorf("seed %d: %v", seed, err)
			}
			if end := f.At + f.For; end > 5*time.Minute {
				t.Errorf("seed %d: %v ends after the calm began", seed, f)
			}
		}
		if v := w.Void(); v != "" {
			t.Errorf("seed %d: %s", seed, v)
		}
	}
	for _, k := range swarmKinds {
		if drawn[k] < 10 {
			t.Errorf("%s was drawn %d times in 400 stories", k, drawn[k])
		}
	}
}
