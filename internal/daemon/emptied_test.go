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
	f.until("c", "council", 60*time.Second, func(p status.Page) bool { return p.Council.Leader != "" })
	f.apply(testFleet(f, 1))
	f.stop("a")
	if err := os.RemoveAll(filepath.Join(f.dir, "a", "data")); err != nil {
		t.Fatal(err)
	}
	for life := range 2 {
		f.start("a")
		f.until("a", "the ledger", 60*time.Second, func(p status.Page) bool { return p.Knowledge.Head >= 2 })
		if f.agents["a"].mind.Councillor() {
			t.Fatalf("life %d: a councillor that has forgotten its vote", life+1)
		}
		f.stop("a")
	}
}

// TestACouncillorWhoseLedgerFileWasMovedAwayFollows although everything else of its
// data folder is there: what it promised in raft went with that file, and the step
// journal beside it stays.
func TestACouncillorWhoseLedgerFileWasMovedAwayFollows(t *testing.T) {
	f := newFleet(t, []member.ID{"a", "b", "c"})
	f.until("c", "council", 60*time.Second, func(p status.Page) bool { return p.Council.Leader != "" })
	f.apply(testFleet(f, 1))
	f.stop("a")
	data := filepath.Join(f.dir, "a", "data")
	if err := os.Rename(filepath.Join(data, "ledger.db"), filepath.Join(data, "ledger.db.damaged")); err != nil {
		t.Fatal(err)
	}
	for life := range 2 {
		f.start("a")
		f.until("a", "the ledger", 60*time.Second, func(p status.Page) bool { return p.Knowledge.Head >= 2 })
		if f.agents["a"].mind.Councillor() {
			t.Fatalf("life %d: a councillor that has forgotten its vote", life+1)
		}
		f.stop("a")
	}
	for _, kept := range []string{"steps", "incarnation"} {
		if _, err := os.Stat(filepath.Join(data, kept)); err != nil {
			t.Errorf("beside the ledger: %v", err)
		}
	}
}
