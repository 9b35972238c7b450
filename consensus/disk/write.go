package disk

import (
	"bytes"
	"errors"
	"fmt"
	"time"

	bolt "go.etcd.io/bbolt"
	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/proto"

	"moonwatch/consensus"
)

// Persist writes raft's state. With Sync, or with entries or a snapshot, it is
// durable when Persist returns; a bare hard state without Sync waits. Entries
// replace what is stored from the first one's index on; a snapshot replaces the
// whole log and, with its data, the whole ledger. After ErrFull nothing was
// changed and the same call may be repeated.
func (s *Store) Persist(p consensus.Persist) error {
	var hard []byte
	if p.Hard != nil {
		var err error
		if hard, err = proto.Marshal(p.Hard); err != nil {
			return s.explain("write raft state", err)
		}
	}
	if !p.Sync && len(p.Entries) == 0 && raft.IsEmptySnap(p.Snapshot) && !p.Anew && s.sits(p.Seat) {
		return s.persistLater(hard)
	}
	defer s.metrics.persisted(time.Now())
	s.writing.Lock()
	defer s.writing.Unlock()
	return s.explain("write raft state", s.write(func(w *writer) error {
		if err := w.sit(p.Seat, p.Anew); err != nil {
			return err
		}
		if hard != nil {
			w.stock.Hard = hard
		}
		if !raft.IsEmptySnap(p.Snapshot) {
			if err := w.install(p.Snapshot); err != nil {
				return err
			}
		}
		return w.append(p.Entries)
	}))
}

// sits reports that what is stored of raft is of this seat.
func (s *Store) sits(seat uint64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stock.Seat == seat
}

// persistLater lets a hard state wait: nothing but the commit index moved.
func (s *Store) persistLater(hard []byte) error {
	if hard == nil {
		return nil
	}
	s.mu.Lock()
	s.waiting.hard = hard
	s.waiting.hardAt++
	s.mu.Unlock()
	s.nudge()
	return nil
}

// Keep takes facts, in order. They are served at once and on disk soon. A fact
// that is kept already is skipped, so repeating a call is harmless; one with a
// gap before it is an error and changes nothing. On ErrFull the facts may or
// may not have been taken: repeat them.
func (s *Store) Keep(facts []consensus.Fact) error {
	now, err := s.take(facts)
	if err != nil || !now {
		s.nudge()
		return s.explain("keep facts", err)
	}
	s.writing.Lock()
	defer s.writing.Unlock()
	return s.explain("keep facts", s.write(nothing))
}

// take puts facts in line and tells whether they should be written now.
func (s *Store) take(facts []consensus.Fact) (now bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	w := &s.waiting
	for _, f := range facts {
		last := s.stock.head()
		if n := len(w.facts); n > 0 {
			last = max(last, w.facts[n-1].index)
		}
		switch {
		case f.Index <= last:
			continue
		case f.Index > last+1:
			return false, fmt.Errorf("fact %d after %d: facts are missing between them", f.Index, last)
		case w.failed != nil && w.bytes > maxWaiting:
			return false, fmt.Errorf("fact %d: %d bytes of facts wait: %w", f.Index, w.bytes, w.failed)
		}
		b := f.Encode()
		w.facts = append(w.facts, kept{f.Index, b})
		w.bytes += len(b)
	}
	s.metrics.waiting.Set(float64(len(w.facts)))
	return w.failed != nil || w.bytes > flushBytes, nil
}

// KeepSnapshot writes a whole ledger that ends with the fact head and, where
// raftSnap is not nil, raft's snapshot at the same place; both or none are
// there after a crash. Raft's log loses what lies more than keep entries before
// it, and the facts what is too old. With whole the ledger was replaced: the
// facts up to head are not this agent's own, and go. A ledger that is older
// than the one kept changes nothing.
func (s *Store) KeepSnapshot(head uint64, ledger []byte, raftSnap *raftpb.Snapshot, keep uint64, whole bool) error {
	if raftSnap != nil && !bytes.Equal(raftSnap.GetData(), ledger) {
		return s.explain("keep ledger", fmt.Errorf("raft's snapshot at entry %d is not the ledger at fact %d", raftSnap.GetMetadata().GetIndex(), head))
	}
	s.writing.Lock()
	defer s.writing.Unlock()
	return s.explain("keep ledger", s.write(func(w *writer) error {
		if head < w.stock.Head {
			return nil
		}
		if err := w.whole(head, ledger); err != nil {
			return err
		}
		if raftSnap != nil {
			if err := w.compact(raftSnap.GetMetadata(), keep); err != nil {
				return err
			}
		}
		if whole {
			return w.forgetFacts()
		}
		return w.retain(s.cfg)
	}))
}

func nothing(*writer) error { return nil }

// write makes one durable transaction of what waits, then change. The caller
// holds writing.
func (s *Store) write(change func(*writer) error) error {
	if s.broken != nil {
		return s.broken
	}
	s.mu.Lock()
	took, stock := s.waiting, s.stock
	s.mu.Unlock()
	var ours error // not the disk's
	err := guarded(func() error {
		return s.db.Update(func(tx *bolt.Tx) error {
			w := &writer{tx: tx, stock: &stock}
			if took.hard != nil {
				stock.Hard = took.hard
			}
			if err := w.keep(took.facts); err != nil {
				return err
			}
			if ours = change(w); ours != nil {
				return ours
			}
			return w.close()
		})
	})
	switch {
	case err == nil:
		s.mu.Lock()
		s.stock = stock
		s.waiting.done(took)
		s.metrics.waiting.Set(float64(len(s.waiting.facts)))
		s.mu.Unlock()
		s.metrics.size.Set(s.size())
		return nil
	case ours != nil && !errors.Is(err, errFault):
		return err
	case full(err):
		err = fmt.Errorf("%w: %w", ErrFull, err)
		s.metrics.failures.WithLabelValues("full").Inc()
	default:
		s.crashed = errors.Is(err, errFault)
		err = fmt.Errorf("%w: nothing more is written until the agent is started again", err)
		s.broken = err
		s.metrics.failures.WithLabelValues("broken").Inc()
	}
	s.mu.Lock()
	s.waiting.failed = err
	s.mu.Unlock()
	return err
}
