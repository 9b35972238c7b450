package gateway

import (
	"math/bits"
	"sync/atomic"
	"time"
)

const (
	latencyWindow  = 10 * time.Second       // long enough for 100 answers at 10 requests a second
	latencyRefresh = 250 * time.Millisecond // how old the quantiles may be
	latencyBuckets = 248                    // 8 per power of two microseconds, up to an hour
	latencyMin     = 10                     // fewer answers say nothing about the pool
)

// latency keeps the answer times of a pool over the last one to two windows,
// within 12.5 %. Only answers count, also late ones: a request that was given up
// says when patience ended and not how fast the pool is, and would raise the
// bound that it crossed, and so on for ever.
type latency struct {
	reflex *Reflex
	now    atomic.Pointer[latencyCounts]
	before atomic.Pointer[latencyCounts]
	begun  atomic.Int64 // Unix nanoseconds, of the present window
	due    atomic.Int64 // when the numbers below are made anew
	bound  atomic.Int64 // nanoseconds; 0: not yet known
	p50    atomic.Int64
	p99    atomic.Int64
}

type latencyCounts [latencyBuckets]atomic.Uint32

// add notes an answer that took d.
func (l *latency) add(d time.Duration) {
	c := l.now.Load()
	if c == nil {
		l.now.CompareAndSwap(nil, new(latencyCounts))
		c = l.now.Load()
	}
	c[latencyBucket(d)].Add(1)
}

// lateAfter is how long an answer may take that is sent for now: LateFactor x
// p99, at least LateMin.
func (l *latency) lateAfter(now time.Time) time.Duration {
	t, due := now.UnixNano(), l.due.Load()
	if t >= due && l.due.CompareAndSwap(due, t+int64(latencyRefresh)) {
		l.refresh(t)
	}
	if b := l.bound.Load(); b != 0 {
		return time.Duration(b)
	}
	return l.reflex.LateMin
}

// refresh turns the window and reads the quantiles. Only one caller at a time
// gets here, the one that moved due.
func (l *latency) refresh(t int64) {
	switch age := time.Duration(t - l.begun.Load()); {
	case age >= 2*latencyWindow: // nobody came for a while: all of it is old
		l.before.Store(nil)
		l.now.Store(new(latencyCounts))
		l.begun.Store(t)
	case age >= latencyWindow:
		l.before.Store(l.now.Swap(new(latencyCounts)))
		l.begun.Store(t)
	}
	var sum [latencyBuckets]uint64
	var total uint64
	for _, c := range []*latencyCounts{l.before.Load(), l.now.Load()} {
		if c == nil {
			continue
		}
		for i := range c {
			n := uint64(c[i].Load())
			sum[i] += n
			total += n
		}
	}
	p99 := latencyQuantile(&sum, total, 99)
	l.p50.Store(int64(latencyQuantile(&sum, total, 50)))
	l.p99.Store(int64(p99))
	bound := l.reflex.LateMin
	if total >= latencyMin {
		bound = max(bound, time.Duration(l.reflex.LateFactor*float64(p99)))
	}
	l.bound.Store(int64(bound))
}

// latencyQuantile is the upper edge of the bucket in which the value of that
// rank lies (nearest rank), 0 without values.
func latencyQuantile(sum *[latencyBuckets]uint64, total, percent uint64) time.Duration {
	if total == 0 {
		return 0
	}
	rank := (total*percent + 99) / 100
	for i, n := range sum {
		if n >= rank {
			return latencyEdge(i)
		}
		rank -= n
	}
	return latencyEdge(latencyBuckets - 1)
}

// latencyBucket and latencyEdge: below 8 microseconds one bucket each, above it
// 8 to each power of two.
func latencyBucket(d time.Duration) int {
	us := uint64(max(d, 0) / time.Microsecond)
	if us < 8 {
		return int(us)
	}
	exp := bits.Len64(us) - 1
	return min((exp-2)*8+int(us>>(exp-3)&7), latencyBuckets-1)
}

func latencyEdge(i int) time.Duration {
	if i < 8 {
		return time.Duration(i+1) * time.Microsecond
	}
	exp := i/8 + 2
	return time.Duration(8+i%8+1) << (exp - 3) * time.Microsecond
}
