package disk

import (
	"time"

	"go.uber.org/zap"
)

// waiting is what was taken and need not be on disk at once.
type waiting struct {
	facts  []kept // in order, the first one follows what is on disk
	bytes  int
	hard   []byte // raft's hard state, nil: unchanged
	hardAt uint64 // counts its changes
	failed error  // of the last write; nil if it went well
}

// kept is a fact on its way to the disk. It is not changed any more.
type kept struct {
	index uint64
	bytes []byte
}

const (
	flushBytes = 1 << 20  // so many bytes do not wait for the flusher
	maxWaiting = 16 << 20 // beyond it, with a full disk, Keep takes no more
)

// done forgets what a write took along.
func (w *waiting) done(took waiting) {
	w.facts = w.facts[len(took.facts):]
	w.bytes -= took.bytes
	if w.hardAt == took.hardAt {
		w.hard = nil
	}
	if len(w.facts) == 0 {
		w.facts = nil // let go of the array
	}
	w.failed = nil
}

// idle reports that nothing waits.
func (s *Store) idle() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.waiting.facts) == 0 && s.waiting.hard == nil
}

// nudge tells the flusher that something waits.
func (s *Store) nudge() {
	select {
	case s.wake <- struct{}{}:
	default: // it knows
	}
}

// flushLoop writes what has waited long enough. A write that fails is repeated:
// a full disk is emptied some day.
func (s *Store) flushLoop() {
	for {
		select {
		case <-s.stop:
			return
		case <-s.wake:
		}
		timer := time.NewTimer(s.cfg.FlushAfter)
		select {
		case <-s.stop:
			timer.Stop()
			return
		case <-timer.C:
		}
		s.flush()
	}
}

func (s *Store) flush() {
	if s.idle() {
		return // a durable write took it along
	}
	s.writing.Lock()
	defer s.writing.Unlock()
	s.mu.Lock()
	again := s.waiting.failed != nil
	s.mu.Unlock()
	err := s.write(nothing)
	if err != nil && !again {
		s.cfg.Log.Error("facts not written", zap.Error(s.explain("keep facts", err)))
	}
	if err != nil && s.broken == nil {
		s.nudge()
	}
}
