package scenario

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"moonwatch/sim"
)

// TestTheLibraryIsPlayedAsItIsTold plays every scenario of the library and
// compares with what stands beside it. MOONWATCH_REWRITE=1 writes down what
// happens now; read the difference.
func TestTheLibraryIsPlayedAsItIsTold(t *testing.T) {
	files, err := fs.Glob(sim.Library, "testdata/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no library: %v", err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".yaml")
		t.Run(name, func(t *testing.T) {
			src, err := sim.Library.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			s, err := Parse(file, src)
			if err != nil {
				t.Fatal(err)
			}
			if s.About == "" || s.Name != name {
				t.Errorf("it is called %q and about %q", s.Name, s.About)
			}
			p, err := s.Compile(s.Seed, Options{})
			if err != nil {
				t.Fatal(err)
			}
			r := played(t, p, PlayOptions{Story: true})
			got := string(account(p, r))
			if r.Outcome != Ok {
				t.Errorf("%s: %s\n%s", r.Outcome, r.Broken, got)
			}
			beside := filepath.Join("..", "testdata", name+".txt")
			if os.Getenv("MOONWATCH_REWRITE") != "" {
				if err := os.WriteFile(beside, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			want, err := sim.Library.ReadFile("testdata/" + name + ".txt")
			if err != nil || string(want) != got {
				t.Errorf("%v: it is told otherwise now\n%s", err, got)
			}
		})
	}
}

// TestTheLibraryKnowsEveryFault keeps the library complete: a kind of fault that
// comes new needs a story that shows what is done about it.
func TestTheLibraryKnowsEveryFault(t *testing.T) {
	files, err := fs.Glob(sim.Library, "testdata/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	told := map[sim.FaultKind]bool{}
	for _, file := range files {
		src, err := sim.Library.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		s, err := Parse(file, src)
		if err != nil {
			t.Fatal(err)
		}
		for _, step := range s.Steps {
			told[step.Do] = true
		}
	}
	for _, r := range sim.Kinds() {
		if !told[r.Kind] {
			t.Errorf("no scenario of the library has a %s", r.Kind)
		}
	}
}
