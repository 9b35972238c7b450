package link

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"
)

// Timing holds every wait of the link. Longer waits forgive more and notice
// less.
type Timing struct {
	Dial        time.Duration // for the TCP connection, and again for the handshake
	Ping        time.Duration // a dialled connection silent for this long is asked whether it lives
	PingTimeout time.Duration // ... and given up when no answer comes within this
	BulkPing    time.Duration // both of that for snapshots and feeds, which may wait behind their own bytes
	BackoffMin  time.Duration // after the first failure of a raft stream; doubles
	BackoffMax  time.Duration
	Idle        time.Duration // a raft stream without a frame for this long is closed
	Pace        time.Duration // at least this long between two small batches of the feed
	Beat        time.Duration // a feed says something at least this often
	Silence     time.Duration // a feed that says nothing for this long is dead
	Write       time.Duration // a follower that takes no bytes for this long is dropped
	Ask         time.Duration // for a whole hello
	Submit      time.Duration // for a command in the hands of the handler
}

// DefaultTiming notices a stopped peer after 1.2 s at the latest: below the
// shortest election time-out plus one tick, above the stalls of a busy VM.
func DefaultTiming() Timing {
	return Timing{
		Dial:        time.Second,
		Ping:        600 * time.Millisecond,
		PingTimeout: 600 * time.Millisecond,
		BulkPing:    2 * time.Second,
		BackoffMin:  50 * time.Millisecond,
		BackoffMax:  2 * time.Second,
		Idle:        30 * time.Second,       // followers among themselves have nothing to say between elections
		Pace:        50 * time.Millisecond,  // PROTOCOL 8
		Beat:        500 * time.Millisecond, // four of them fit into Silence
		Silence:     2 * time.Second,
		Write:       5 * time.Second,
		Ask:         3 * time.Second, // dial, handshake and one round trip
		Submit:      10 * time.Second,
	}
}

// gateInterval is how late a gate that closes may be noticed by a connection
// on which nothing moves.
const gateInterval = 100 * time.Millisecond

// Validate lists the waits that cannot work.
func (t Timing) Validate() error {
	var mistakes []error
	for _, w := range []struct {
		key   string
		value time.Duration
	}{
		{"dial", t.Dial},
		{"ping", t.Ping},
		{"ping_timeout", t.PingTimeout},
		{"bulk_ping", t.BulkPing},
		{"backoff_min", t.BackoffMin},
		{"backoff_max", t.BackoffMax},
		{"idle", t.Idle},
		{"pace", t.Pace},
		{"beat", t.Beat},
		{"silence", t.Silence},
		{"write", t.Write},
		{"ask", t.Ask},
		{"submit", t.Submit},
	} {
		if w.value <= 0 {
			mistakes = append(mistakes, fmt.Errorf("%s is %v, want more than 0", w.key, w.value))
		}
	}
	if t.BackoffMax < t.BackoffMin {
		mistakes = append(mistakes, fmt.Errorf("backoff_max is %v, want at least backoff_min, %v", t.BackoffMax, t.BackoffMin))
	}
	if t.Silence < 2*t.Beat {
		mistakes = append(mistakes, fmt.Errorf("silence is %v, want at least two beats, %v", t.Silence, 2*t.Beat))
	}
	return errors.Join(mistakes...)
}

// backoff is how long to rest after so many failures in a row, at least one:
// doubled each time, and spread over half to all of it, so that the members
// which lost the same peer do not come back together.
func (t Timing) backoff(failures int) time.Duration {
	d := t.BackoffMax
	if shift := failures - 1; shift < 16 && t.BackoffMin<<shift < d {
		d = t.BackoffMin << shift
	}
	return d/2 + rand.N(d/2+1)
}

// rest waits; it reports false when ctx ended first.
func rest(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// every calls f again and again until ctx ends.
func every(ctx context.Context, d time.Duration, f func()) {
	for rest(ctx, d) {
		f()
	}
}
