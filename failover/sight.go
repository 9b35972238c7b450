package failover

import (
	"maps"
	"time"
)

// sights is when a leader saw each open case enter its present state. A case's Since
// is ledger time, which never runs back and is no clock: once the leader's has been
// set back, a roll call that was called after a fact would seem older than the fact,
// and a deadline never come. What the leader saw itself it measures on its steady
// clock.
type sights map[uint64]sight

type sight struct {
	passages int // of the case's history: a state that is entered again is seen anew
	at       time.Time
}

// look notes what is new.
func (s sights) look(now time.Time, st *State) {
	open := st.OpenCases()
	for _, x := range open {
		if old, ok := s[x.ID]; !ok || old.passages != len(x.History) {
			s[x.ID] = sight{passages: len(x.History), at: now}
		}
	}
	if len(s) > len(open) {
		maps.DeleteFunc(s, func(id uint64, _ sight) bool { x, ok := st.Case(id); return !ok || !x.Open() })
	}
}

// began is when the case's present state was first seen.
func (s sights) began(x *Case) time.Time { return s[x.ID].at }

// late reports that the case is past the deadline of its state: in ledger time, or
// after as long a time of the leader's own.
func (s sights) late(now time.Time, x *Case) bool {
	return !x.Deadline.IsZero() && (!now.Before(x.Deadline) || now.Sub(s.began(x)) >= x.Deadline.Sub(x.Since))
}
