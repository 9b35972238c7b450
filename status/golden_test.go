package status

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// golden compares with testdata/name; MOONWATCH_REWRITE=1 writes it.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if os.Getenv("MOONWATCH_REWRITE") != "" {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs; got:\n%s", path, got)
	}
}

func TestAStoryIsALinePerFact(t *testing.T) {
	s := newStory(t)
	s.replaced()
	var b strings.Builder
	for i := len(s.history.lines) - 1; i >= 0; i-- {
		b.WriteString(s.history.lines[i].Line + "\n")
	}
	golden(t, "lines.txt", b.String())
}

func TestPageOfAnOpenCase(t *testing.T) {
	s := newStory(t)
	s.opened()
	s.after(700 * 1e6)
	golden(t, "page-open.json", asJSON(t, s.page()))
}

func TestPageAfterAReplacement(t *testing.T) {
	s := newStory(t)
	s.replaced()
	golden(t, "page-replaced.json", asJSON(t, s.page()))
}

func TestExplainTellsTheWholeStory(t *testing.T) {
	s := newStory(t)
	c := s.replaced()
	p := s.page()
	var b strings.Builder
	for _, id := range []string{"V-3", c.Name(), "web-3", "spare-1", "spare-2", "slot-2"} {
		e, err := p.Explain(id)
		if err != nil {
			t.Fatal(err)
		}
		b.WriteString("> explain " + id + "\n" + strings.Join(e.Lines, "\n") + "\nsee " + strings.Join(e.See, " ") + "\n\n")
	}
	golden(t, "explain.txt", b.String())
}
