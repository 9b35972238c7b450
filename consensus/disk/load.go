package disk

import (
	"bytes"
	"fmt"

	bolt "go.etcd.io/bbolt"
	"go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/proto"

	"moonwatch/consensus"
)

// Boot is what a store holds: where an agent goes on.
type Boot struct {
	Snapshot []byte           // the last whole ledger, nil: none
	Facts    []consensus.Fact // those that follow it
	Raft     consensus.Saved  // its snapshot's data is Snapshot

	// Fresh: no fact is there, for the folder is new or was emptied. Raft may
	// hold a hard state all the same: the agent ended while its cluster was
	// founded, and must not forget its vote.
	Fresh bool
}

// Load reads what the store holds.
func (s *Store) Load() (Boot, error) {
	boot, err := s.load()
	return boot, s.explain("load ledger", err)
}

func (s *Store) load() (Boot, error) {
	s.mu.Lock()
	stock := s.stock
	s.mu.Unlock()
	var boot Boot
	err := s.view(func(tx *bolt.Tx) error {
		if err := boot.readLedger(tx, stock); err != nil {
			return err
		}
		return boot.readRaft(tx, stock)
	})
	if err == nil {
		err = boot.check(s.cfg)
	}
	return boot, err
}

func (b *Boot) readLedger(tx *bolt.Tx, stock inventory) error {
	b.Fresh = stock.head() == 0
	if stock.Head > 0 {
		whole, err := must(tx, bucketLedger, wholeKey)
		if err != nil {
			return err
		}
		b.Snapshot = bytes.Clone(whole)
	}
	if stock.Facts.empty() {
		return nil
	}
	for i := max(stock.Head+1, stock.Facts.First); i <= stock.Facts.Last; i++ {
		content, err := must(tx, bucketFacts, key(i))
		if err != nil {
			return err
		}
		f, err := consensus.DecodeFact(content)
		if err != nil {
			return fmt.Errorf("fact %d: %w", i, err)
		}
		if f.Index != i {
			return fmt.Errorf("%w: fact %d calls itself %d", ErrDamaged, i, f.Index)
		}
		b.Facts = append(b.Facts, f)
	}
	return nil
}

func (b *Boot) readRaft(tx *bolt.Tx, stock inventory) error {
	b.Raft.Seat = stock.Seat
	if stock.Hard != nil {
		b.Raft.Hard = &raftpb.HardState{}
		if err := proto.Unmarshal(stock.Hard, b.Raft.Hard); err != nil {
			return fmt.Errorf("%w: raft's hard state: %w", ErrDamaged, err)
		}
	}
	if stock.Snapshot != nil {
		m := &raftpb.SnapshotMetadata{}
		if err := proto.Unmarshal(stock.Snapshot, m); err != nil {
			return fmt.Errorf("%w: raft's snapshot: %w", ErrDamaged, err)
		}
		b.Raft.Snapshot = &raftpb.Snapshot{Metadata: m, Data: b.Snapshot}
	}
	if stock.Entries.empty() {
		return nil
	}
	for i := stock.Entries.First; i <= stock.Entries.Last; i++ {
		content, err := must(tx, bucketEntries, key(i))
		if err != nil {
			return err
		}
		e := &raftpb.Entry{}
		if err := proto.Unmarshal(content, e); err != nil {
			return fmt.Errorf("%w: raft entry %d: %w", ErrDamaged, i, err)
		}
		b.Raft.Entries = append(b.Raft.Entries, e)
	}
	return nil
}

// check refuses a ledger that does not begin with the founding of the cluster,
// or that is another one's.
func (b *Boot) check(cfg Config) error {
	if b.Fresh {
		return nil
	}
	begin := consensus.NewLedger() // no folders: only what the ledger itself knows
	if b.Snapshot != nil {
		if err := begin.Restore(b.Snapshot); err != nil {
			return fmt.Errorf("%w: the whole ledger: %w", ErrDamaged, err)
		}
	} else if _, _, err := begin.Follow(b.Facts[0]); err != nil {
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	switch found := begin.Cluster(); found {
	case cfg.Cluster:
		return nil
	case "":
		return fmt.Errorf("%w: its ledger does not begin with the founding of a cluster (genesis)", ErrDamaged)
	default:
		return format{Version: formatVersion, Cluster: found, Member: cfg.Member}.check(cfg)
	}
}

// view runs a transaction that only reads.
func (s *Store) view(read func(*bolt.Tx) error) error {
	return guarded(func() error { return s.db.View(read) })
}
