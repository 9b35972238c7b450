package consensus

import (
	"bytes"
	"fmt"
	"testing"
)

// sharing writes facts into a ledger that shares its folds.
func sharing(t *testing.T) (*book, *Folds) {
	t.Helper()
	folds := NewFolds()
	b := &book{t: t, ledger: NewLedger(), raft: 1, now: noon}
	b.ledger.ShareFolds(folds)
	f, err := b.ledger.Found(unsigned)
	if err != nil {
		t.Fatal(err)
	}
	b.facts = append(b.facts, f)
	return b, folds
}

func snapshotOf(t *testing.T, l *Ledger) []byte {
	t.Helper()
	b, err := l.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestLedgersOfOneProcessShareWhatTheyFold(t *testing.T) {
	b, folds := sharing(t)
	b.commit(b.command(KindFleet, "fleet", threeMembers()))
	b.commit(b.command(KindVerdict, "v1", Verdict{}))
	first, alone := NewLedger(), NewLedger()
	first.ShareFolds(folds)
	for _, f := range b.facts {
		f.Accepted, f.Reason = false, ""
		g, _, err := first.Follow(f)
		h, _, err2 := alone.Follow(f)
		if err != nil || err2 != nil || g.Accepted != h.Accepted || g.Reason != h.Reason {
			t.Fatalf("fact %d: %v %q %v, folded alone %v %q %v", f.Index, g.Accepted, g.Reason, err, h.Accepted, h.Reason, err2)
		}
	}
	if first.Roster() != b.ledger.Roster() || first.Overlay() != b.ledger.Overlay() {
		t.Error("each has a roster and an overlay of its own")
	}
	if !bytes.Equal(snapshotOf(t, first), snapshotOf(t, alone)) {
		t.Error("the shared state is another than the one folded alone")
	}
}

func TestALedgerThatGoesOnDoesNotMoveTheOthers(t *testing.T) {
	b, folds := sharing(t)
	b.commit(b.command(KindFleet, "fleet", threeMembers()))
	other := NewLedger()
	other.ShareFolds(folds)
	for _, f := range b.facts {
		if _, _, err := other.Follow(f); err != nil {
			t.Fatal(err)
		}
	}
	alone := NewLedger()
	if err := alone.Restore(snapshotOf(t, other)); err != nil {
		t.Fatal(err)
	}
	before := snapshotOf(t, alone)
	f, _ := b.commit(b.command(KindVerdict, "v1", wellVoted("a1", VerdictDown, "b1", "c1")))
	if !f.Accepted {
		t.Fatal(f.Reason)
	}
	if _, condemned := other.Standing("a1"); condemned || other.Head() != f.Index-1 || other.seen["v1"] {
		t.Error("it knows of a fact that it has not applied")
	}
	if !bytes.Equal(snapshotOf(t, other), before) {
		t.Errorf("its state was\n%s\nand is\n%s", before, snapshotOf(t, other))
	}
}

func TestWhoLagsFarBehindFoldsForItself(t *testing.T) {
	b, folds := sharing(t)
	b.commit(b.command(KindFleet, "fleet", threeMembers()))
	for i := range 3 * recentFolds {
		b.commit(b.command("note", fmt.Sprint(i), i))
	}
	if len(folds.after) != recentFolds {
		t.Errorf("%d folds are kept, want %d", len(folds.after), recentFolds)
	}
	late := NewLedger()
	late.ShareFolds(folds)
	for _, f := range b.facts {
		if _, _, err := late.Follow(f); err != nil {
			t.Fatal(err)
		}
	}
	if late.Roster() != b.ledger.Roster() || !bytes.Equal(snapshotOf(t, late), snapshotOf(t, b.ledger)) {
		t.Error("it did not come to the shared state")
	}
}

// TestASnapshotIsWrittenAndReadOnce also looks at a repeated command: it leaves no
// fact, and yet the snapshot has to say how far raft's log was read.
func TestASnapshotIsWrittenAndReadOnce(t *testing.T) {
	b, folds := sharing(t)
	b.commit(b.command(KindFleet, "fleet", threeMembers()))
	first := snapshotOf(t, b.ledger)
	l := NewLedger()
	l.ShareFolds(folds)
	if err := l.Restore(first); err != nil {
		t.Fatal(err)
	}
	if l.Roster() != b.ledger.Roster() || l.Raft() != b.ledger.Raft() {
		t.Error("the snapshot was read again")
	}
	if again := snapshotOf(t, l); &again[0] != &first[0] {
		t.Error("the snapshot was written again")
	}
	b.commit(b.command(KindFleet, "fleet", threeMembers()))
	if l.Raft() == b.ledger.Raft() || bytes.Equal(snapshotOf(t, b.ledger), first) {
		t.Error("a repeated command has moved raft, and the snapshot does not say so")
	}
}
