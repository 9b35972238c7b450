package status

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"moonwatch/failover"
)

// TestEveryHeldReasonHasItsPage: the list of reasons is whole, each is put into words,
// its page is there, and there is no page of a reason that is gone.
func TestEveryHeldReasonHasItsPage(t *testing.T) {
	source, err := os.ReadFile("../failover/case.go")
	if err != nil {
		t.Fatal(err)
	}
	all := failover.HeldReasons()
	for _, m := range regexp.MustCompile(`HeldReason = "([a-z-]+)"`).FindAllStringSubmatch(string(source), -1) {
		if !slices.Contains(all, failover.HeldReason(m[1])) {
			t.Errorf("failover.HeldReasons lacks %s", m[1])
		}
	}
	var want []string
	for _, r := range all {
		if heldBy(r) == string(r) {
			t.Errorf("%s: no words for it", r)
		}
		want = append(want, filepath.Join("..", filepath.FromSlash(Runbook(r))))
	}
	pages, err := filepath.Glob("../docs/runbooks/held-*.md")
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(want)
	if !slices.Equal(pages, want) {
		t.Errorf("pages %v, want %v", pages, want)
	}
	for _, path := range pages {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, part := range []string{"**It means:** ", "**Moonwatch waits for:** ", "**Look at:**", "**Do:**", "moonwatch "} {
			if !strings.Contains(string(text), part) {
				t.Errorf("%s: without %q", path, part)
			}
		}
	}
}
