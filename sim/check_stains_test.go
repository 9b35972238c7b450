package sim

import (
	"testing"

	"moonwatch/consensus"
	"moonwatch/failover"
)

// A spare whose drill could not be taken back prepares for a case that does not want it
// in the end (seed 600473 of the swarm): it is a spare again when both are stopped.
func TestASpareIsCleanWhenAllIsStoppedThere(t *testing.T) {
	b := newBooks()
	b.soil("m-1", "web-25", stain{epoch: 52, drill: true})
	if slot, ran := b.dirty["m-1"].ran(); ran {
		t.Errorf("%s runs after a drill", slot)
	}
	b.soil("m-1", "web-18", stain{epoch: 59})
	b.aside["m-1"], b.well["m-1"] = true, true
	for _, said := range []failover.Report{
		{Slot: "web-18", Epoch: 58}, // of before
		{Slot: "web-18", Epoch: 59},
		{Slot: "web-18", Epoch: 59}, // once more
	} {
		if b.wiped("m-1", said); !b.aside["m-1"] {
			t.Fatalf("a spare again after %+v, with %v", said, b.dirty["m-1"])
		}
	}
	if err := b.returned("m-1"); err == nil {
		t.Error("returned before the drill was taken back")
	}
	if b.wiped("m-1", failover.Report{Slot: "web-25", Epoch: 52}); b.aside["m-1"] || len(b.dirty) > 0 {
		t.Errorf("all is stopped, and it is no spare: %v", b.dirty)
	}
}

// A spare that was condemned when a case gave it back is up again before it has stopped
// what it had prepared (seed 612853 of the swarm): it burns in, as when it stops first.
func TestASpareThatFellIsNotWellAllAlong(t *testing.T) {
	fell := consensus.Finding{Subject: "m-1", Kind: consensus.VerdictDown}
	up := consensus.Finding{Subject: "m-1", Kind: consensus.VerdictUp}
	stopped := failover.Report{Slot: "web-15", Epoch: 73}
	for _, c := range []struct {
		name  string
		story func(b *books)
		aside bool
	}{
		{"it stops", func(b *books) { b.wiped("m-1", stopped) }, false},
		{"it falls, is up and stops", func(b *books) {
			b.judged(consensus.Fact{}, fell)
			b.judged(consensus.Fact{}, up)
			b.wiped("m-1", stopped)
		}, true},
		{"it falls, stops and is up", func(b *books) {
			b.judged(consensus.Fact{}, fell)
			b.wiped("m-1", stopped)
			b.judged(consensus.Fact{}, up)
		}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBooks()
			b.soil("m-1", "web-15", stain{epoch: 73})
			b.aside["m-1"], b.well["m-1"] = true, true
			if c.story(&b); b.aside["m-1"] != c.aside || len(b.dirty) > 0 {
				t.Errorf("set aside: %v, want %v; left there: %v", b.aside["m-1"], c.aside, b.dirty)
			}
		})
	}
}
