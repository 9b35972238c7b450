package consensus

import "maps"

// Folds lets the ledgers of one process share what they folded. The state after
// a fact is a function of the facts up to it, and the fact's hash covers all of
// them; so the first ledger that applies a fact leaves its state here, under that
// hash, and every other one that comes to the same fact takes it over instead of
// folding again.
//
// It is for a process with many agents in it, the simulator: ten thousand
// ledgers that say the same cost as much as one. What lies here is never
// changed: a ledger copies what it has taken or left before it writes.
type Folds struct {
	after  map[Hash]*fold
	recent []Hash          // oldest first
	newest uint64          // index of the last one
	whole  map[*byte]*fold // by the first byte of a snapshot in memory
}

// recentFolds is how many facts back a fold is found. Who lags further behind
// folds for itself until it has caught up.
const recentFolds = 64

// NewFolds makes a place for the ledgers of one cluster.
func NewFolds() *Folds { return &Folds{after: map[Hash]*fold{}, whole: map[*byte]*fold{}} }

// Sharer is a Folder whose state can be shared. Share gives the state as it is
// now and Adopt takes one that was given; both sides must copy it before they
// change anything in it.
type Sharer interface {
	Folder
	Share() any
	Adopt(any)
}

// fold is a ledger's whole state after one fact, and what became of that fact.
type fold struct {
	ledger   Ledger // its folders are the giver's and are not used
	parts    []any  // the folders' states, in their order
	accepted bool
	reason   string
	bytes    []byte // the snapshot, nil: nobody has asked for it yet
}

// ShareFolds makes the ledger share its state with the others that have f. All
// of its folders must be Sharers.
func (l *Ledger) ShareFolds(f *Folds) { l.folds = f }

// found takes over the state after a fact; false if nobody has left it.
func (s *Folds) found(l *Ledger, f *Fact) bool {
	if s == nil {
		return false
	}
	x := s.after[f.Hash]
	if x == nil {
		return false
	}
	f.Accepted, f.Reason = x.accepted, x.reason
	x.into(l)
	return true
}

// leave keeps the state after a fact for the others. Who replays old facts keeps
// it to itself.
func (s *Folds) leave(l *Ledger, f *Fact) {
	if s == nil || f.Index <= s.newest {
		return
	}
	if len(s.recent) == recentFolds {
		delete(s.after, s.recent[0])
		s.recent = s.recent[1:]
	}
	x := l.fold()
	x.accepted, x.reason = f.Accepted, f.Reason
	s.after[f.Hash] = x
	s.recent, s.newest = append(s.recent, f.Hash), f.Index
}

// restored takes over the state of a snapshot that another ledger has written or
// read: the very same bytes in memory, which nobody changes.
func (s *Folds) restored(l *Ledger, b []byte) bool {
	if s == nil || len(b) == 0 {
		return false
	}
	x := s.whole[&b[0]]
	if x == nil || len(x.bytes) != len(b) {
		return false
	}
	x.into(l)
	return true
}

// written is the snapshot of the ledger's state if somebody has made it already,
// nil if not.
func (s *Folds) written(l *Ledger) []byte {
	// A repeated command moves a ledger on in raft's log and leaves no fact.
	if s == nil || l.taken == nil || l.taken.ledger.s.Raft != l.s.Raft {
		return nil
	}
	return l.taken.bytes
}

// keptSnapshots bounds what is kept of them: they are large, and asked for within
// moments of each other.
const keptSnapshots = 8

// wrote keeps a snapshot for the others.
func (s *Folds) wrote(l *Ledger, b []byte) {
	if s == nil || len(b) == 0 {
		return
	}
	if len(s.whole) == keptSnapshots {
		clear(s.whole)
	}
	if l.taken == nil || l.taken.ledger.s.Raft != l.s.Raft {
		l.fold()
	}
	l.taken.bytes = b
	s.whole[&b[0]] = l.taken
}

// fold is the ledger's present state, which is shared from now on.
func (l *Ledger) fold() *fold {
	l.shared = true
	x := &fold{ledger: *l}
	for _, p := range l.folders {
		x.parts = append(x.parts, p.(Sharer).Share())
	}
	l.taken = x
	return x
}

// into lets a ledger take the fold over.
func (x *fold) into(l *Ledger) {
	folders, folds := l.folders, l.folds
	*l = x.ledger
	l.folders, l.folds, l.taken = folders, folds, x
	for i, p := range l.folders {
		p.(Sharer).Adopt(x.parts[i])
	}
}

// own makes the ledger's state its own before it is changed. What is no map and
// no list is so already, and rosters, overlays and fleets are never changed.
func (l *Ledger) own() {
	if !l.shared {
		return
	}
	l.shared, l.taken = false, nil
	l.s.Standing, l.s.Records = maps.Clone(l.s.Standing), maps.Clone(l.s.Records)
	l.s.Commands = l.s.Commands[:len(l.s.Commands):len(l.s.Commands)]
	l.seen = maps.Clone(l.seen)
}
