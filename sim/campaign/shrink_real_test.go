//go:build real

package campaign

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"moonwatch/sim/mutants"
	"moonwatch/sim/scenario"
)

// aStorm is a storm in which nothing is on purpose.
const aStorm = `
about: Twenty faults.
fleet: {members: 30, profile: demo}
duration: 5m
swarm: {faults: 20}
`

// broken builds the program with a planted fault.
func broken(t *testing.T, name string) string {
	t.Helper()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	m, ok := mutants.Named(name)
	if !ok {
		t.Fatalf("no mutant %s", name)
	}
	files, err := m.Mutated(root)
	if err != nil {
		t.Fatal(err)
	}
	dir, replace := t.TempDir(), map[string]string{}
	for file, text := range files {
		changed := filepath.Join(dir, filepath.Base(file))
		replace[filepath.Join(root, file)] = changed
		if err := os.WriteFile(changed, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	overlay, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		t.Fatal(err)
	}
	list, program := filepath.Join(dir, "overlay.json"), filepath.Join(dir, "moonwatch")
	if err := os.WriteFile(list, overlay, 0o600); err != nil {
		t.Fatal(err)
	}
	build := exec.CommandContext(t.Context(), "go", "build", "-overlay", list, "-o", program, "./cmd/moonwatch")
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return program
}

// A failing plan of 20 faults shrinks to 3 at most. The minute that it may take of an
// idle machine is in docs/simulation.md; here others may have the processors.
func TestARealStormShrinksToWhatThePlantedFaultNeeds(t *testing.T) {
	storm, err := scenario.Parse("twenty.yaml", []byte(aStorm))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"brake-off", "drain-below-the-floor"} {
		crew := Crew{Command: []string{broken(t, name), "sim", "worker"}, Env: []string{"GOGC=400"}, Workers: 2, Patience: time.Minute}
		var plan *scenario.Plan
		for seed := uint64(1); plan == nil; seed++ {
			if seed > 20 {
				t.Fatalf("%s breaks nothing in 20 seeds", name)
			}
			p, err := storm.Compile(seed, scenario.Options{})
			if err != nil {
				t.Fatal(err)
			}
			text, err := p.Encode()
			if err != nil {
				t.Fatal(err)
			}
			r, err := One(t.Context(), crew, Task{Seed: seed, Plan: text})
			if err != nil {
				t.Fatal(err)
			}
			if r.Broken() {
				plan = p
			}
		}
		began := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
		s, err := Shrink(ctx, crew, plan, nil)
		cancel()
		if err != nil {
			t.Fatal(err)
		}
		if s.From != 20 || s.To > 3 {
			t.Errorf("%s: %d faults shrunk to %d, want 20 to 3 at most", name, s.From, s.To)
		}
		t.Logf("%s: %d faults to %d of %d members in %d runs and %v: %s", name, s.From, s.To,
			len(s.Plan.World.Fleet.Members), s.Runs, time.Since(began).Round(time.Second), s.Failure.Broken)
	}
}
