package mutants

import "testing"

// TestTheAlarmRings is the canary: a few mutants that die at once are killed in
// every run of the tests, and the product as it is lives. If it fails, a campaign
// without broken promises says nothing.
func TestTheAlarmRings(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the simulator four times")
	}
	h := Hunt{Root: root, Dir: t.TempDir()}
	plain, err := h.Build(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"quorum-minus-one", "commit-before-persist", "no-fence"} {
		t.Run(name, func(t *testing.T) {
			m, ok := Named(name)
			if !ok {
				t.Fatal("there is no such mutant any more")
			}
			k, err := h.Kill(t.Context(), plain, m, 20)
			if err != nil {
				t.Fatal(err)
			}
			if k.Rang != m.Ought || len(k.Beside) > 0 {
				t.Fatalf("%s rang after %d seeds, and %v before, want %s: %s", k.Rang, k.Seeds, k.Beside, m.Ought, k.Words)
			}
		})
	}
}

// TestAMutantThatDoesNotCompileIsNoKill keeps a broken build from counting as a
// fault that was found.
func TestAMutantThatDoesNotCompileIsNoKill(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the simulator")
	}
	h := Hunt{Root: root, Dir: t.TempDir()}
	m := Mutant{Name: "nonsense", Edits: []Edit{{"agent/doubt.go", "return d.reason", "return d.nonsense"}}}
	if k, err := h.Kill(t.Context(), "", m, 1); err == nil || k.Dead() {
		t.Fatalf("%+v, %v: want an error", k, err)
	}
}
