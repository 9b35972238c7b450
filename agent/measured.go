package agent

import (
	"math/bits"
	"time"
)

// Measured is what an observer has seen of its ways and of its own machine since it
// began: what a timing profile has to bear.
type Measured struct {
	Since  time.Time `json:"since"`
	Trips  Spread    `json:"round_trips"` // of probes that were answered, in time or late
	Stalls Spread    `json:"stalls"`      // how late the observer was called
	Sent   uint64    `json:"sent"`        // probes
	Lost   uint64    `json:"lost"`        // probes without an answer in time
}

// spreadFrom is the upper end of the first bucket of a Spread, and spreadBuckets how many
// there are: four for each doubling, up to almost two minutes, and one for the rest.
const (
	spreadFrom    = 64 * time.Microsecond
	spreadBuckets = 84
)

// Spread is how often durations of each length were seen, in buckets that are each up
// to a quarter longer than the one before.
type Spread struct {
	Counts [spreadBuckets]uint64 `json:"counts"`
	Most   time.Duration         `json:"most"` // the longest one
}

// Add counts one duration.
func (s *Spread) Add(d time.Duration) {
	s.Counts[bucketOf(d)]++
	s.Most = max(s.Most, d)
}

// bucketOf finds a bucket by the place of the highest bit and the two below it.
func bucketOf(d time.Duration) int {
	if d <= spreadFrom {
		return 0
	}
	n := uint64(d-1) / uint64(spreadFrom/4) // 4 or more
	high := bits.Len64(n) - 3               // 0: from spreadFrom to twice that
	return min(1+4*high+int(n>>high)-4, spreadBuckets-1)
}

// end is the longest duration of a bucket.
func end(bucket int) time.Duration {
	if bucket == 0 {
		return spreadFrom
	}
	high, quarter := (bucket-1)/4, (bucket-1)%4
	return spreadFrom / 4 * time.Duration(5+quarter) << high
}

// N is how many were counted.
func (s *Spread) N() uint64 {
	var n uint64
	for _, c := range s.Counts {
		n += c
	}
	return n
}

// Quantile is a duration that the given share of all did not exceed, at most a quarter
// too long; 0 if none was counted.
func (s *Spread) Quantile(share float64) time.Duration {
	left := uint64(share * float64(s.N()))
	for i, c := range s.Counts {
		if (c > left || c > 0 && c == left) && i < spreadBuckets-1 {
			return min(end(i), s.Most)
		}
		left -= c
	}
	return s.Most
}

// Above is how many were longer than d, those of d's own bucket left out.
func (s *Spread) Above(d time.Duration) uint64 {
	var n uint64
	for _, c := range s.Counts[bucketOf(d)+1:] {
		n += c
	}
	return n
}

// Join adds what another observer has seen.
func (s *Spread) Join(other Spread) {
	for i, c := range other.Counts {
		s.Counts[i] += c
	}
	s.Most = max(s.Most, other.Most)
}

// Measured is what this observer has seen up to now.
func (o *Observer) Measured() Measured { return o.measured }
