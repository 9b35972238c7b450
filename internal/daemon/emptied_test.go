package daemon

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"moonwatch/member"
	"moonwatch/status"
)

// TestAnEmptiedCouncillorFollowsInAllItsLives and never sits in the council
// again with a vote that it has forgotten.
func TestAnEmptiedCouncillorFollowsInAllItsLives(t *testing.T) {
	f := newFleet(t, []member.ID{"a", "b", "c"})
	f.until("c", "council", 15*time.Second, func(p status.Page) bool { return p.Council.Leader != "" })
	f.apply(testFleet(f, 1))
	f.stop("a")
	if err := os.RemoveAll(filepath.Join(f.dir, "a", "data")); err != nil {
		t.Fatal(err)
	}
	for life := range 2 {
		f.start("a")
		f.until("a", "the ledger", 15*time.Second, func(p status.Page) bool { return p.Knowledge.Head >= 2 })
		if f.agents["a"].mind.Councillor() {
			t.Fatalf("life %d: a councillor that has forgotten its vote", life+1)
		}
		f.stop("a")
	}
}
