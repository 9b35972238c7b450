package scenario

import (
	"testing"

	"moonwatch/sim"
)

// TestTheSwarmsOfTheLibraryDrawWhatTheyAreFor keeps a campaign from looking at nothing: what
// a swarm may draw it does draw, within the seeds that make sim-gate plays.
func TestTheSwarmsOfTheLibraryDrawWhatTheyAreFor(t *testing.T) {
	for _, name := range []string{"swarm-of-people", "swarm-of-floods"} {
		src, err := sim.Library.ReadFile("testdata/" + name + ".yaml")
		if err != nil {
			t.Fatal(err)
		}
		s, err := Parse(name+".yaml", src)
		if err != nil {
			t.Fatal(err)
		}
		drawn := map[sim.FaultKind]int{}
		for seed := uint64(1); seed <= 100; seed++ {
			p, err := s.Compile(seed, Options{})
			if err != nil {
				t.Fatal(err)
			}
			for _, x := range p.Steps {
				drawn[x.Do]++
			}
		}
		for _, k := range s.Swarm.Kinds {
			if drawn[k.Kind] < 10 {
				t.Errorf("%s draws %s %d times in 100 seeds", name, k.Kind, drawn[k.Kind])
			}
		}
		if len(s.Sometimes) == 0 {
			t.Errorf("%s wants nothing to happen sometimes", name)
		}
	}
}
