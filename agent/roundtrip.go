package agent

import "time"

// roundTrips estimates the p99 round trip of the last answers, over all edges:
// a stalled switch delays everybody, and one far member must not make every
// probe slow to fail.
type roundTrips struct {
	ring [128]time.Duration
	n    int // how many answers were seen
	p99  time.Duration
}

func (r *roundTrips) add(d time.Duration) {
	r.ring[r.n%len(r.ring)] = d
	r.n++
	// Every 32nd is fresh enough, and the first ones are needed soon.
	if r.n <= 8 || r.n%32 == 0 {
		r.p99 = second(r.ring[:min(r.n, len(r.ring))])
	}
}

// second is the second largest of some durations, which is the p99 of 128; of
// less than a hundred it is the largest.
func second(ds []time.Duration) time.Duration {
	var most, next time.Duration
	for _, d := range ds {
		switch {
		case d > most:
			most, next = d, most
		case d > next:
			next = d
		}
	}
	if len(ds) < 100 {
		return most
	}
	return next
}

// timeout is 4 x the p99 round trip within the bounds; without answers it is
// the upper bound.
func (r *roundTrips) timeout(c *Config) time.Duration {
	if r.n == 0 {
		return c.TimeoutMax
	}
	return min(max(4*r.p99, c.TimeoutMin), c.TimeoutMax)
}
