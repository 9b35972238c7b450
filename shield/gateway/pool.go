package gateway

import (
	"math/rand/v2"
	"slices"
	"sync"
	"time"
)

// pool is what the reflex remembers about a pool from one table to the next.
type pool struct {
	name     string
	latency  latency
	budget   budget
	ejecting sync.Mutex // so that two occupants cannot each think that the other one stays
}

func newPool(name string, r *Reflex) *pool {
	return &pool{name: name, latency: latency{reflex: r}, budget: budget{reflex: r, tokens: r.RetryBurst}}
}

// pick chooses the occupant for one sending, among those not tried yet: the
// least busy of the chosen ones, which keeps clear of a slow one before any
// rule does; when none is left an ejected one, then a drained one, for a guess
// is better than a refusal. mayProbe lets the request try an ejected occupant
// whose time has come. Nil: nobody is left.
//
// It looks at all occupants: a pool has tens of them, and the gateway knows the
// exact load of each, so that the herd of stale load reports does not arise.
func (v *view) pick(now time.Time, tried []*occupant, mayProbe bool) *occupant {
	var chosen, ejected *occupant
	for _, o := range from(v.live) {
		switch {
		case slices.Contains(tried, o):
		case !o.ejected():
			chosen = lessBusy(chosen, o)
		case mayProbe && o.takeProbe(now):
			return o
		default:
			ejected = lessBusy(ejected, o)
		}
	}
	if chosen != nil {
		return chosen
	}
	if ejected != nil {
		return ejected
	}
	for _, o := range from(v.drained) {
		if !slices.Contains(tried, o) {
			return o
		}
	}
	return nil
}

// pickSure chooses the occupant for a request that has been let down once: the
// one that answered most recently. When several went silent together, load says
// nothing about them yet, but their last answer is old. Nil: no chosen one is
// left.
func (v *view) pickSure(tried []*occupant) *occupant {
	var sure *occupant
	for _, o := range from(v.live) {
		if o.ejected() || slices.Contains(tried, o) {
			continue
		}
		if sure == nil || o.answeredAt.Load() > sure.answeredAt.Load() {
			sure = o
		}
	}
	return sure
}

// mayEject reports whether the pool can do without o. Never the last one. And
// lateness that all others share is not o's: the pool is slow, and sending all
// of its load to fewer of them would make it worse.
func (v *view) mayEject(o *occupant, late bool) bool {
	return slices.ContainsFunc(v.live, func(other *occupant) bool {
		return other != o && !other.ejected() && (!late || other.strikes.Load() == 0)
	})
}

func lessBusy(a, b *occupant) *occupant {
	if a == nil || b.inFlight.Load() < a.inFlight.Load() {
		return b
	}
	return a
}

// from ranges over all of list, beginning at a random place, so that ties do
// not always fall on the first.
func from(list []*occupant) func(yield func(int, *occupant) bool) {
	return func(yield func(int, *occupant) bool) {
		n := len(list)
		if n == 0 {
			return
		}
		start := rand.IntN(n)
		for i := range n {
			if !yield(i, list[(start+i)%n]) {
				return
			}
		}
	}
}
