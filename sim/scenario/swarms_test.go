package scenario

import (
	"maps"
	"math"
	"slices"
	"testing"
	"time"

	"moonwatch/member"
	"moonwatch/sim"
)

// TestTheSwarmsOfTheLibraryDrawWhatTheyAreFor keeps a campaign from looking at nothing: what
// a swarm may draw it does draw, within the seeds that make sim-gate plays.
func TestTheSwarmsOfTheLibraryDrawWhatTheyAreFor(t *testing.T) {
	for _, name := range []string{"swarm-of-people", "swarm-of-floods", "swarm-of-fences"} {
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

// TestAScenariosSwarmDrawsWithinWhatTheProtocolAssumes, and as wide as the built-in one: it
// had ranges of its own, which left most kinds at their default and let clocks run 10 % wrong.
func TestAScenariosSwarmDrawsWithinWhatTheProtocolAssumes(t *testing.T) {
	s, err := Parse("s.yaml", []byte(`about: everything
fleet: {members: 12, failure_domains: 3, spares: 3, council: 5}
duration: 3m
swarm: {faults: 4..8, kinds: {clock-drift: 1, clock-jump: 1, cut: 1, lie: 1, slow: 1, wipe: 1, burst: 1}}
`))
	if err != nil {
		t.Fatal(err)
	}
	var back, between, domain, paces int
	for seed := uint64(1); seed <= 200; seed++ {
		p, err := s.Compile(seed, Options{})
		if err != nil {
			t.Fatal(err)
		}
		emptied, liars, drifts := map[member.ID]bool{}, map[member.ID]bool{}, map[member.ID]bool{}
		for _, x := range p.Steps {
			if len(x.Members) == 0 || time.Duration(x.At+x.For) > 3*time.Minute {
				t.Errorf("seed %d: %+v strikes nobody, or goes on after the end", seed, x)
			}
			if len(x.Members) == 4 && sameDomain(p.World.Fleet, x.Members) {
				domain++
			}
			switch {
			case x.Do == sim.ClockDrift:
				for _, id := range x.Members {
					if math.Abs(x.Share) > 0.01 || drifts[id] {
						t.Errorf("seed %d: the clock of %s is wrong by %v, and was before: %v", seed, id, x.Share, drifts[id])
					}
					drifts[id] = true
				}
			case x.Do == sim.Wipe:
				for _, id := range x.Members {
					emptied[id] = slices.Contains(p.World.Council, id)
				}
			case x.Do == sim.Lie:
				for _, id := range x.Members {
					liars[id] = true
				}
			case x.Do == sim.ClockJump && x.Delay < 0:
				back++
			case x.Do == sim.Cut && len(x.Others) > 0:
				between++
			case x.Do == sim.Slow && x.Delay > 0 && x.Share > 1:
				paces++
			}
		}
		maps.DeleteFunc(emptied, func(_ member.ID, sits bool) bool { return !sits })
		if len(emptied) > 2 || len(liars) > 1 {
			t.Errorf("seed %d: %d of 5 councillors' disks are emptied, and %d members lie", seed, len(emptied), len(liars))
		}
	}
	if back == 0 || between == 0 || domain == 0 || paces == 0 {
		t.Errorf("%d jumps back, %d cuts between some, %d whole failure domains, %d paces: want some of each", back, between, domain, paces)
	}
}

func sameDomain(f member.Fleet, ids []member.ID) bool {
	domains := map[member.FailureDomain]bool{}
	for _, m := range f.Members {
		for _, id := range ids {
			if m.ID == id {
				domains[m.Domain] = true
			}
		}
	}
	return len(domains) == 1
}
