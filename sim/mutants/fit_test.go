package mutants

import (
	"errors"
	"go/parser"
	"go/token"
	"maps"
	"slices"
	"strings"
	"testing"

	"moonwatch/sim"
)

const root = "../.."

// TestEveryMutantStillFits holds the list against the sources: code that moves
// on would leave a mutant behind that plants nothing.
func TestEveryMutantStillFits(t *testing.T) {
	for _, m := range All() {
		files, err := m.Mutated(root)
		if err != nil {
			t.Error(err)
			continue
		}
		for _, name := range slices.Sorted(maps.Keys(files)) {
			if _, err := parser.ParseFile(token.NewFileSet(), name, files[name], parser.SkipObjectResolution); err != nil {
				t.Errorf("mutant %s: %v", m.Name, err)
			}
		}
	}
}

// promised are the names under which an alarm can ring.
func promised() map[string]bool {
	names := map[string]bool{}
	for _, p := range append(sim.Promises(), sim.LivenessPromises()...) {
		names[p.Name] = true
	}
	return names
}

func TestAMutantIsAChangeOfShippedCodeThatSaysWhatItBreaks(t *testing.T) {
	names, promised := map[string]bool{}, promised()
	for _, m := range All() {
		if m.Name == "" || names[m.Name] {
			t.Errorf("mutant %q: want a name of its own", m.Name)
		}
		names[m.Name] = true
		if m.Breaks == "" || !promised[m.Ought] || len(m.Edits) == 0 {
			t.Errorf("mutant %s: want what it breaks, a promise that ought to ring, and an edit", m.Name)
		}
		for i, p := range m.Also {
			if !promised[p] || p == m.Ought || slices.Contains(m.Also[:i], p) {
				t.Errorf("mutant %s: also %s: want another promise, once", m.Name, p)
			}
		}
		for _, e := range m.Edits {
			if e.Old == e.New || strings.HasPrefix(e.File, "sim/") || strings.HasSuffix(e.File, "_test.go") {
				t.Errorf("mutant %s: %s: want a change of shipped code", m.Name, e.File)
			}
		}
	}
	if len(names) < 20 {
		t.Errorf("%d mutants, want 20", len(names))
	}
}

func TestATextThatIsGoneOrNotAloneNamesTheMutant(t *testing.T) {
	for _, old := range []string{"nobody ever wrote this", "return"} {
		m := Mutant{Name: "adrift", Edits: []Edit{{File: "agent/doubt.go", Old: old}}}
		if _, err := m.Mutated(root); !errors.Is(err, ErrAdrift) || !strings.Contains(err.Error(), "adrift") {
			t.Errorf("text %q: %v, want an error that names the mutant", old, err)
		}
	}
	m := Mutant{Name: "astray", Edits: []Edit{{File: "agent/nowhere.go"}}}
	if _, err := m.Mutated(root); err == nil || !strings.Contains(err.Error(), "astray") {
		t.Errorf("a file that is not there: %v, want an error that names the mutant", err)
	}
}
