package report

import (
	"testing"

	"moonwatch/sim/scenario"
)

// play plays a scenario with a seed and returns what is to be known of it.
func play(t *testing.T, name, text string, seed uint64) Run {
	t.Helper()
	s, err := scenario.Parse(name+".yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	p, err := s.Compile(seed, scenario.Options{})
	if err != nil {
		t.Fatal(err)
	}
	r, err := scenario.Play(p, scenario.PlayOptions{Story: true, Realise: true})
	if err != nil {
		t.Fatal(err)
	}
	plan, err := p.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return Run{Result: *r, Plan: string(plan)}
}

// aCrash is a real run of the demo's fleet: an occupant's power fails and comes
// back, and a member stands still for a while.
func aCrash(t *testing.T) Run {
	return play(t, "one-crash", `
about: One machine loses its power, and another one stands still for two seconds.
fleet: demo
duration: 2m
steps:
  - {at: 30s, do: crash, whom: member:web-3, for: 40s}
  - {at: 80s, do: pause, whom: member:web-1, for: 2s}
`, 42)
}

// tenBadMinutes is a real run of a large fleet in which much goes wrong.
func tenBadMinutes(t *testing.T) Run {
	return play(t, "ten-bad-minutes", `
about: Sixty members for ten minutes, and something goes wrong all the time.
fleet: {members: 60}
duration: 10m
steps:
  - {at: 30s, do: crash, whom: random:3, for: 2m}
  - {at: 90s, do: pause, whom: random:5, for: 8s}
  - {at: 2m, do: lossy, whom: random:2, share: 80%, for: 60s}
  - {at: 3m30s, do: crash, whom: leader, for: 30s}
  - {at: 4m, do: kill-service, whom: random:2 of occupants}
  - {at: 5m, do: isolate, whom: failure-domain:b, for: 40s}
  - {at: 6m30s, do: weather, share: 20%, for: 60s}
  - {at: 8m, do: crash, whom: random:12, for: 60s}
expect:
  verdicts: 1
`, 7)
}
