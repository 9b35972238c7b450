package scenario

import (
	"io/fs"
	"testing"

	"moonwatch/sim"
)

// Every basic fault in profile fast, over a few seeds: `make sim-fast` plays a
// hundred of each.
func TestProfileFastKeepsItsPromisesOverSeeds(t *testing.T) {
	const seeds = 5
	files, err := fs.Glob(sim.Library, "testdata/fast-*.yaml")
	if err != nil || len(files) < 8 {
		t.Fatalf("%d stories of profile fast, want 8 at least: %v", len(files), err)
	}
	for _, file := range files {
		src, err := sim.Library.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		s, err := Parse(file, src)
		if err != nil {
			t.Fatal(err)
		}
		for seed := uint64(101); seed < 101+seeds; seed++ {
			p, err := s.Compile(seed, Options{})
			if err != nil {
				t.Fatal(err)
			}
			if r := played(t, p, PlayOptions{}); r.Outcome != Ok {
				t.Errorf("%s with seed %d: %s: %s", s.Name, seed, r.Outcome, r.Broken)
			}
		}
	}
}
