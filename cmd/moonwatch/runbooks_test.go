package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestRunbooksNameCommandsThatThereAre: at 3 a.m. nobody wants to learn that a page was
// written for another version. Sub-commands and flags are looked up, not run.
func TestRunbooksNameCommandsThatThereAre(t *testing.T) {
	root := (&app{parts: shipped()}).root()
	pages, err := filepath.Glob("../../docs/runbooks/*.md")
	if err != nil || len(pages) < 30 {
		t.Fatal(len(pages), err)
	}
	// In a block of its own, or between backquotes.
	quoted := regexp.MustCompile("(?m)^    moonwatch .*$|`moonwatch [^`]*`")
	asked := 0
	for _, path := range pages {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, q := range quoted.FindAllString(string(text), -1) {
			line, _, _ := strings.Cut(strings.Trim(strings.TrimSpace(q), "`"), " #")
			words := strings.Fields(line)[1:]
			c, rest, err := root.Find(words)
			if err != nil || c == root || c.HasSubCommands() && len(rest) > 0 && !strings.HasPrefix(rest[0], "-") {
				t.Errorf("%s: %q: there is no such command", filepath.Base(path), line)
				continue
			}
			asked++
			c.InitDefaultHelpFlag()
			for _, w := range rest {
				if name, ok := strings.CutPrefix(w, "--"); ok && c.Flag(name) == nil {
					t.Errorf("%s: %q: %s has no flag --%s", filepath.Base(path), line, c.CommandPath(), name)
				}
			}
		}
	}
	if asked < 60 {
		t.Errorf("only %d commands were found: the pages are not read as they are written", asked)
	}
}
