package scenario

import (
	"os"
	"path/filepath"
	"testing"
)

// TestThePlansThatBrokeSomethingStayMended plays the plans of testdata/track: each
// broke a promise once, and its about says which mistake it found. A plan is the
// same story whatever becomes of the swarm that drew it.
func TestThePlansThatBrokeSomethingStayMended(t *testing.T) {
	files, err := filepath.Glob("../testdata/track/*.plan.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("plans: %v, %v", files, err)
	}
	for _, f := range files {
		t.Run(filepath.Base(f), func(t *testing.T) {
			b, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			p, err := DecodePlan(f, b)
			if err != nil {
				t.Fatal(err)
			}
			if p.About == "" {
				t.Error("about is empty, want what was found")
			}
			r, err := Play(p, PlayOptions{})
			if err != nil {
				t.Fatal(err)
			}
			if r.Outcome != Ok {
				t.Errorf("%s: %s", r.Outcome, r.Broken)
			}
		})
	}
}
