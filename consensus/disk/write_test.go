package disk

import (
	"bytes"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"go.etcd.io/raft/v3/raftpb"

	"moonwatch/consensus"
)

func indices(list []*raftpb.Entry) (x []uint64) {
	for _, e := range list {
		x = append(x, e.GetIndex())
	}
	return x
}

func TestAnEmptyFolderBecomesAFreshStore(t *testing.T) {
	dir := t.TempDir() + "/a/b"
	s := open(t, config(dir))
	if b := load(t, s); !b.Fresh || b.Snapshot != nil || b.Facts != nil || b.Raft.Hard != nil || b.Raft.Snapshot != nil || b.Raft.Entries != nil {
		t.Errorf("got %+v", b)
	}
	if list, ok := s.Facts(1, 1000); len(list) > 0 || !ok {
		t.Errorf("facts of an empty store: %d, %v", len(list), ok)
	}
	if s.LatestSnapshot() != nil {
		t.Error("a whole ledger out of nothing")
	}
}

func TestWhatWasWrittenIsThereAfterARestart(t *testing.T) {
	dir := t.TempDir()
	b := everything(t, dir)
	c := newChronicle(t, 150)
	if b.Fresh || len(b.Facts) != 30 || b.Facts[0].Hash != c.facts[120].Hash || b.Facts[29].Hash != c.facts[149].Hash {
		t.Errorf("facts: fresh %v, %d of them", b.Fresh, len(b.Facts))
	}
	if head, err := consensus.SnapshotHead(b.Snapshot); head != 120 || err != nil || !bytes.Equal(b.Raft.Snapshot.GetData(), b.Snapshot) {
		t.Errorf("the whole ledger ends with %d, %v", head, err)
	}
	if b.Raft.Hard.GetTerm() != 3 || b.Raft.Hard.GetVote() != 1 || b.Raft.Hard.GetCommit() != 150 {
		t.Errorf("hard state: %v", b.Raft.Hard)
	}
	if m := b.Raft.Snapshot.GetMetadata(); m.GetIndex() != 120 || m.GetTerm() != 2 || !slices.Equal(m.GetConfState().GetVoters(), []uint64{1}) {
		t.Errorf("raft's snapshot: %v", m)
	}
	if got := indices(b.Raft.Entries); got[0] != 111 || got[len(got)-1] != 150 || len(got) != 40 {
		t.Errorf("entries: %v", got)
	}
}

func TestEntriesReplaceAllFromTheFirstOn(t *testing.T) {
	cfg := config(t.TempDir())
	s := open(t, cfg)
	var log []*raftpb.Entry
	for i := range uint64(9) {
		log = append(log, entry(1, i+2, []byte{byte(i)}))
	}
	no(t, s.Persist(consensus.Persist{Entries: log, Sync: true}))
	no(t, s.Persist(consensus.Persist{Entries: []*raftpb.Entry{entry(2, 5, []byte("new")), entry(2, 6, nil)}, Hard: hardState(2, 0, 4), Sync: true}))
	no(t, s.Close())
	got := load(t, open(t, cfg)).Raft.Entries
	if !slices.Equal(indices(got), []uint64{2, 3, 4, 5, 6}) || string(got[3].GetData()) != "new" || got[4].GetTerm() != 2 {
		t.Errorf("entries: %v", got)
	}
}

func TestEntriesThatWouldLeaveAGapAreRefused(t *testing.T) {
	s := open(t, config(t.TempDir()))
	no(t, s.Persist(consensus.Persist{Entries: []*raftpb.Entry{entry(1, 2, nil), entry(1, 3, nil)}, Sync: true}))
	before := load(t, s).print()
	for _, list := range [][]*raftpb.Entry{
		{entry(1, 5, nil)},
		{entry(1, 1, nil)},
		{entry(1, 4, nil), entry(1, 6, nil)},
	} {
		if err := s.Persist(consensus.Persist{Entries: list, Sync: true}); err == nil {
			t.Errorf("entries %v were taken", indices(list))
		}
	}
	if after := load(t, s).print(); after != before {
		t.Errorf("was %s, is %s", before, after)
	}
	no(t, s.Persist(consensus.Persist{Entries: []*raftpb.Entry{entry(1, 4, nil)}, Sync: true}))
}

func TestASnapshotOfRaftReplacesLogAndLedgerAtOnce(t *testing.T) {
	cfg := config(t.TempDir())
	s := open(t, cfg)
	c := newChronicle(t, 5)
	no(t, s.Keep(c.facts))
	no(t, s.Persist(consensus.Persist{Entries: []*raftpb.Entry{entry(1, 2, nil), entry(1, 3, nil)}, Hard: hardState(1, 1, 3), Sync: true}))
	c.grow(95)
	whole := c.snapshot()
	no(t, s.Persist(consensus.Persist{Seq: 7, Snapshot: raftSnapshot(4, 100, whole), Hard: hardState(4, 0, 100), Sync: true}))
	// The crash comes before the ledger has asked for its own copy.
	no(t, s.Close())
	s = open(t, cfg)
	b := load(t, s)
	if !bytes.Equal(b.Snapshot, whole) || len(b.Facts) != 0 || len(b.Raft.Entries) != 0 || b.Raft.Snapshot.GetMetadata().GetIndex() != 100 {
		t.Errorf("got %s", b.print())
	}
	if _, ok := s.Facts(5, 1000); ok {
		t.Error("a fact before the gap is served")
	}
	no(t, s.KeepSnapshot(100, whole, nil, 10, true))
	no(t, s.Keep(c.grow(2)))
	no(t, s.Persist(consensus.Persist{Entries: []*raftpb.Entry{entry(4, 101, nil)}, Sync: true}))
	if b = load(t, s); len(b.Facts) != 2 || len(b.Raft.Entries) != 1 {
		t.Errorf("got %s", b.print())
	}
}

func TestFactsAreKeptWithoutGapAndOnce(t *testing.T) {
	cfg := config(t.TempDir())
	s := open(t, cfg)
	c := newChronicle(t, 10)
	no(t, s.Keep(c.facts[:4]))
	no(t, s.Keep(c.facts[2:6]))
	if err := s.Keep(c.facts[8:]); err == nil {
		t.Error("facts with a gap before them were taken")
	}
	no(t, s.Close())
	s = open(t, cfg)
	no(t, s.Keep(c.facts))
	no(t, s.Close())
	b := load(t, open(t, cfg))
	if len(b.Facts) != 10 || b.Facts[9].Hash != c.facts[9].Hash {
		t.Errorf("got %s", b.print())
	}
}

// TestWhatWaitsGoesWithTheNextDurableWrite looks at the file as a killed
// process would leave it.
func TestWhatWaitsGoesWithTheNextDurableWrite(t *testing.T) {
	dir := t.TempDir()
	s := open(t, config(dir))
	c := newChronicle(t, 3)
	no(t, s.Keep(c.facts))
	no(t, s.Persist(consensus.Persist{Hard: hardState(1, 1, 9)}))
	if b := load(t, open(t, config(place(t, cut(t, dir))))); !b.Fresh || b.Raft.Hard != nil {
		t.Errorf("before: %s", b.print())
	}
	no(t, s.Persist(consensus.Persist{Entries: []*raftpb.Entry{entry(1, 2, nil)}, Sync: true}))
	if b := load(t, open(t, config(place(t, cut(t, dir))))); len(b.Facts) != 3 || b.Raft.Hard.GetCommit() != 9 || len(b.Raft.Entries) != 1 {
		t.Errorf("after: %s", b.print())
	}
}

func TestWhatWaitsReachesTheDiskByItself(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		cfg := config(dir)
		cfg.FlushAfter = 200 * time.Millisecond
		s := open(t, cfg)
		no(t, s.Keep(newChronicle(t, 3).facts))
		time.Sleep(199 * time.Millisecond)
		synctest.Wait()
		if s.idle() {
			t.Error("written too early: nothing could go along")
		}
		time.Sleep(2 * time.Millisecond)
		synctest.Wait()
		if !s.idle() {
			t.Error("it still waits")
		}
		no(t, s.Close())
	})
	if b := load(t, open(t, config(dir))); len(b.Facts) != 3 {
		t.Errorf("got %s", b.print())
	}
}

func TestManyFactsDoNotWait(t *testing.T) {
	s := open(t, config(t.TempDir()))
	c := newChronicle(t, 1)
	no(t, s.Keep(c.facts))
	for i := 2; !s.idle(); i++ {
		f, _, err := c.ledger.Commit(uint64(i), command(i, dawn, 60<<10))
		no(t, err)
		no(t, s.Keep([]consensus.Fact{f}))
		if i > 30 {
			t.Fatal("1.8 MB wait")
		}
	}
}

func TestAnOlderLedgerChangesNothing(t *testing.T) {
	s := open(t, config(t.TempDir()))
	c := newChronicle(t, 5)
	old := c.snapshot()
	no(t, s.Keep(c.facts))
	c.grow(5)
	no(t, s.KeepSnapshot(10, c.snapshot(), nil, 0, true))
	before := load(t, s).print()
	no(t, s.KeepSnapshot(5, old, raftSnapshot(1, 5, old), 0, false))
	if after := load(t, s).print(); after != before {
		t.Errorf("was %s, is %s", before, after)
	}
}

func TestALedgerAheadOfTheFactsLeavesNoGap(t *testing.T) {
	cfg := config(t.TempDir())
	s := open(t, cfg)
	c := newChronicle(t, 5)
	no(t, s.Keep(c.facts))
	c.grow(5) // never kept
	no(t, s.KeepSnapshot(10, c.snapshot(), nil, 0, false))
	no(t, s.Keep(c.grow(1)))
	no(t, s.Close())
	b := load(t, open(t, cfg))
	if len(b.Facts) != 1 || b.Facts[0].Index != 11 {
		t.Errorf("got %s", b.print())
	}
}

func TestRaftsSnapshotMustBeTheLedger(t *testing.T) {
	s := open(t, config(t.TempDir()))
	c := newChronicle(t, 2)
	if err := s.KeepSnapshot(2, c.snapshot(), raftSnapshot(1, 2, []byte("other")), 0, false); err == nil {
		t.Error("two ledgers were taken for one")
	}
}

func TestOldFactsGoAtASnapshot(t *testing.T) {
	for _, x := range []struct {
		name  string
		limit func(*Config)
		first uint64
	}{
		{"by age", func(c *Config) { c.KeepAge = 10 * time.Hour }, 90},
		{"by size", func(c *Config) { c.KeepBytes = 2000 }, 0},
		{"never those that the ledger does not cover", func(c *Config) { c.KeepBytes = 1 }, 100},
	} {
		t.Run(x.name, func(t *testing.T) {
			cfg := config(t.TempDir())
			x.limit(&cfg)
			s := open(t, cfg)
			c := newChronicle(t, 100)
			no(t, s.Keep(c.facts))
			whole := c.snapshot()
			no(t, s.Keep(c.grow(5)))
			no(t, s.KeepSnapshot(100, whole, nil, 0, false))
			no(t, s.Close())
			s = open(t, cfg)
			first := s.stock.Facts.First
			if x.first > 0 && first != x.first {
				t.Errorf("the first fact kept is %d, want %d", first, x.first)
			}
			if x.first == 0 && (first < 80 || first > 99 || s.stock.FactBytes > 4000) {
				t.Errorf("kept from %d on, %d bytes", first, s.stock.FactBytes)
			}
			if _, ok := s.Facts(first-1, 1); ok {
				t.Error("a dropped fact is served")
			}
			if list, ok := s.Facts(first, 1<<20); !ok || len(list) != int(105-first+1) {
				t.Errorf("served %d, %v", len(list), ok)
			}
			if b := load(t, s); len(b.Facts) != 5 {
				t.Errorf("got %s", b.print())
			}
			no(t, s.KeepSnapshot(100, whole, nil, 0, false))
		})
	}
}

func TestAClosedStoreRefuses(t *testing.T) {
	s := open(t, config(t.TempDir()))
	no(t, s.Close())
	no(t, s.Close())
	if err := s.Persist(consensus.Persist{Hard: hardState(1, 1, 1), Sync: true}); !errors.Is(err, errClosed) {
		t.Errorf("got %v", err)
	}
	if _, ok := s.Facts(1, 1); !ok {
		t.Error("there is none yet")
	}
}
