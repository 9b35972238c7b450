package daemon

import (
	"maps"
	"sync"
	"time"

	"moonwatch/consensus"
	"moonwatch/consensus/disk"
	"moonwatch/consensus/link"
	"moonwatch/member"
	"moonwatch/mind"
)

// feed is the read side of this agent's ledger for those who follow it. The
// loop writes, the link's goroutines read.
type feed struct {
	store *disk.Store

	mu       sync.Mutex
	first    uint64 // index of facts[0]
	facts    [][]byte
	status   link.Status
	quorumAt time.Time // when a follower last heard of the quorum; zero on a councillor that has a leader
	changed  chan struct{}
	nonces   map[member.ID]string
}

// kept is how many facts stay in memory; older ones come from the disk.
const kept = 4096

func newFeed(s *disk.Store) *feed { return &feed{store: s, changed: make(chan struct{})} }

// restored tells where the ledger stands after the start.
func (f *feed) restored(l *consensus.Ledger) {
	f.mu.Lock()
	defer f.mu.Unlock()
	h := l.HeadHash()
	f.status.Head, f.status.Hash = l.Head(), h[:]
}

func (f *feed) append(x consensus.Fact) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case len(f.facts) == 0:
		f.first = x.Index
	case x.Index < f.first+uint64(len(f.facts)):
		return // taken already
	case x.Index > f.first+uint64(len(f.facts)):
		f.facts, f.first = nil, x.Index // the ledger was replaced in between
	}
	f.facts = append(f.facts, x.Encode())
	if len(f.facts) > 2*kept {
		n := len(f.facts) - kept
		f.facts = append([][]byte(nil), f.facts[n:]...)
		f.first += uint64(n)
	}
	f.status.Head, f.status.Hash = x.Index, x.Hash[:]
	close(f.changed)
	f.changed = make(chan struct{})
}

// led takes what this agent knows of the council.
func (f *feed) led(l mind.Led) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.status.Leader, f.status.Term, f.status.Quorum = l.Leader, l.Term, l.Feeds()
}

// quorum notes when the council's quorum was last known of, at a follower: what
// it passes on must not look fresher than it is.
func (f *feed) quorum(at time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.quorumAt = at
}

// current notes whether this agent takes its own ledger for current: who is fed by it has
// nothing newer.
func (f *feed) current(is bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.status.Behind = !is
}

// refounded notes how often the council was founded anew, as this ledger has it.
func (f *feed) refounded(n uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.status.Refounded = n
}

func (f *feed) found(nonces map[member.ID]string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.nonces = maps.Clone(nonces)
}

func (f *feed) founded() map[member.ID]string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.nonces
}

// Facts returns facts from an index on, from memory or disk.
func (f *feed) Facts(from uint64, maxBytes int) ([][]byte, bool) {
	f.mu.Lock()
	head, first := f.status.Head, f.first
	if from > head {
		f.mu.Unlock()
		return nil, true
	}
	if len(f.facts) > 0 && from >= first {
		facts := f.facts[from-first:]
		n, size := 0, 0
		for n < len(facts) && (n == 0 || size+len(facts[n]) <= maxBytes) {
			size += len(facts[n])
			n++
		}
		facts = facts[:n:n]
		f.mu.Unlock()
		return facts, true
	}
	f.mu.Unlock()
	return f.store.Facts(from, maxBytes)
}

// Snapshot is the last whole ledger that was written; facts follow it.
func (f *feed) Snapshot() ([]byte, uint64, error) {
	b := f.store.LatestSnapshot()
	head, err := consensus.SnapshotHead(b)
	return b, head, err
}

// Status is how far this ledger reaches and what is known of the council.
func (f *feed) Status() link.Status {
	f.mu.Lock()
	defer f.mu.Unlock()
	s := f.status
	if !f.quorumAt.IsZero() {
		s.Age = time.Since(f.quorumAt)
	}
	return s
}

// Changed is closed when the head moves.
func (f *feed) Changed() <-chan struct{} {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.changed
}

func (f *feed) head() uint64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.status.Head
}
