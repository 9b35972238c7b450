package agent

import (
	"slices"
	"time"
)

// roundTrips estimates the p99 round trip of the last answers, over all edges:
// a stalled switch delays everybody, and one far member must not make every
// probe slow to fail.
type roundTrips struct {
	ring    [128]time.Duration
	n       int // how many answers were seen
	p99     time.Duration
	scratch [128]time.Duration
}

func (r *roundTrips) add(d time.Duration) {
	r.ring[r.n%len(r.ring)] = d
	r.n++
	// Sorting for each answer would cost more than the probe; every 32nd is
	// fresh enough, and the first ones are needed soon.
	if r.n <= 8 || r.n%32 == 0 {
		k := min(r.n, len(r.ring))
		s := append(r.scratch[:0], r.ring[:k]...)
		slices.Sort(s)
		r.p99 = s[(k*99+99)/100-1]
	}
}

// timeout is 4 x the p99 round trip within the bounds; without answers it is
// the upper bound.
func (r *roundTrips) timeout(c *Config) time.Duration {
	if r.n == 0 {
		return c.TimeoutMax
	}
	return min(max(4*r.p99, c.TimeoutMin), c.TimeoutMax)
}
