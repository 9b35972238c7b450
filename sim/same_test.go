package sim

import (
	"runtime"
	"testing"

	"moonwatch/mind"
)

// sameSeeds are stories with many kinds of faults.
var sameSeeds = []uint64{2, 9}

func traceOf(t *testing.T, seed uint64, change func(mind.Config) mind.Config) uint64 {
	t.Helper()
	cfg, faults := Swarm(seed, swarmMembers, swarmStorm)
	if was := cfg.Mind; change != nil {
		cfg.Mind = func(c mind.Config) mind.Config {
			if was != nil {
				c = was(c)
			}
			return change(c)
		}
	}
	w, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	w.Strike(faults...)
	if err := w.Run(swarmStorm); err != nil {
		t.Error(err)
	}
	return w.Trace()
}

func TestASeedIsTheSameStoryOnOneProcessorAndOnTwo(t *testing.T) {
	was := runtime.GOMAXPROCS(0)
	defer runtime.GOMAXPROCS(was)
	for _, seed := range sameSeeds {
		runtime.GOMAXPROCS(1)
		one, again := traceOf(t, seed, nil), traceOf(t, seed, nil)
		runtime.GOMAXPROCS(2)
		if two := traceOf(t, seed, nil); one != again || one != two {
			t.Errorf("seed %d: traces %x and %x on one processor, %x on two", seed, one, again, two)
		}
	}
}

// TestSharingWhatIsFoldedChangesNothing plays stories whose agents fold each for
// themselves, as they do on machines of their own.
func TestSharingWhatIsFoldedChangesNothing(t *testing.T) {
	for _, seed := range sameSeeds {
		alone := traceOf(t, seed, func(c mind.Config) mind.Config { c.Folds = nil; return c })
		if shared := traceOf(t, seed, nil); shared != alone {
			t.Errorf("seed %d: trace %x where agents share, %x where each folds alone", seed, shared, alone)
		}
	}
}
