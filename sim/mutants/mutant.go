// Package mutants measures the checkers: it plants faults of ours into the
// shipped decisions, one at a time, and lets the simulator look for them. A
// fault that lives on shows which promise nobody watches.
//
// A Mutant is a replacement of text in a shipped source file. The shipped code
// knows nothing of it: the changed copy lies in a temporary folder, and
// go build -overlay puts it in the place of the original (docs/adr/012). The
// list is built and held against the sources by every test run; the hunt itself
// stands behind the build tag mutants.
package mutants

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Mutant is one planted fault.
type Mutant struct {
	Name   string
	Breaks string   // what the changed product does, in one sentence
	Ought  string   // the promise that ought to ring, by its name in sim.Promises or sim.LivenessPromises
	Also   []string // others that are the fault's doing as surely; what else rings is no kill
	Story  string   // the worker's story that is played; empty: the small swarm
	Edits  []Edit
}

// Expects reports whether a promise that breaks shows that the fault was seen.
func (m Mutant) Expects(promise string) bool {
	return promise == m.Ought || slices.Contains(m.Also, promise)
}

// Edit replaces a text that stands exactly once in a file of the module.
type Edit struct{ File, Old, New string }

// ErrAdrift says that a mutant's text is not there any more, or not alone: the
// source has moved on, and the mutant has to follow.
var ErrAdrift = errors.New("the mutant does not fit its source any more")

// Mutated gives the changed files of the module at root, by their path in it.
func (m Mutant) Mutated(root string) (map[string][]byte, error) {
	files := map[string][]byte{}
	for _, e := range m.Edits {
		text, begun := files[e.File]
		if !begun {
			b, err := os.ReadFile(filepath.Join(root, e.File))
			if err != nil {
				return nil, fmt.Errorf("mutant %s: %w", m.Name, err)
			}
			text = b
		}
		if n := strings.Count(string(text), e.Old); n != 1 {
			return nil, fmt.Errorf("mutant %s: %s has %d times, want once: %q: %w", m.Name, e.File, n, e.Old, ErrAdrift)
		}
		files[e.File] = []byte(strings.Replace(string(text), e.Old, e.New, 1))
	}
	return files, nil
}

// All lists the mutants, package by package.
func All() []Mutant {
	var all []Mutant
	for _, list := range [][]Mutant{ofAgent, ofConsensus, ofLedger, ofFailover, ofLease, ofMind, ofShield} {
		all = append(all, list...)
	}
	return all
}

// Named finds a mutant.
func Named(name string) (Mutant, bool) {
	for _, m := range All() {
		if m.Name == name {
			return m, true
		}
	}
	return Mutant{}, false
}
