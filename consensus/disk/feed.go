package disk

import (
	"bytes"

	bolt "go.etcd.io/bbolt"
	"go.uber.org/zap"
)

// Facts gives encoded facts in order from the one with index from on: as many
// as fit in maxBytes, at least one if there is one. Nothing and true mean that
// there is none yet; false, that it is no longer kept and a whole ledger is
// wanted. Facts that wait for the disk are among them: the council has agreed
// on them.
func (s *Store) Facts(from uint64, maxBytes int) (list [][]byte, ok bool) {
	s.mu.Lock()
	stock, tail := s.stock, s.waiting.facts
	s.mu.Unlock()
	size := 0
	take := func(b []byte) bool {
		size += len(b)
		if len(list) > 0 && size > maxBytes {
			return false
		}
		list = append(list, b)
		return true
	}
	next := from
	if from <= stock.head() {
		if stock.Facts.empty() || from < stock.Facts.First {
			return nil, false
		}
		more := true
		err := s.view(func(tx *bolt.Tx) error {
			for ; more && next <= stock.Facts.Last; next++ {
				b, err := must(tx, bucketFacts, key(next))
				if err != nil {
					return err
				}
				more = take(bytes.Clone(b))
			}
			return nil
		})
		if err != nil {
			if s.keeps(from) { // otherwise a snapshot dropped it meanwhile
				s.unread(err)
			}
			return nil, false
		}
		if !more {
			return list, true
		}
	}
	for _, f := range tail {
		if f.index < next {
			continue
		}
		if !take(f.bytes) {
			break
		}
	}
	return list, true
}

// First is the oldest fact that is kept by itself, 0: none is on disk.
func (s *Store) First() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stock.Facts.empty() {
		if len(s.waiting.facts) > 0 {
			return s.waiting.facts[0].index
		}
		return 0
	}
	return s.stock.Facts.First
}

// LatestSnapshot is the last whole ledger on disk, nil if there is none or it
// cannot be read.
func (s *Store) LatestSnapshot() (whole []byte) {
	err := s.view(func(tx *bolt.Tx) error {
		b, err := get(tx, bucketLedger, wholeKey)
		whole = bytes.Clone(b)
		return err
	})
	if err != nil {
		s.unread(err)
		return nil
	}
	return whole
}

// keeps reports whether a fact is on disk by itself.
func (s *Store) keeps(index uint64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.stock.Facts.empty() && s.stock.Facts.First <= index && index <= s.stock.Facts.Last
}

// unread tells of a record that could not be read. Whoever asked has other
// sources.
func (s *Store) unread(err error) {
	s.metrics.failures.WithLabelValues("read").Inc()
	s.cfg.Log.Error("ledger not readable", zap.String("member", string(s.cfg.Member)), zap.String("file", s.path), zap.Error(err))
}
