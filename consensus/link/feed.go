package link

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"

	"go.uber.org/zap"

	"moonwatch/member"
)

const (
	// batchBytes is how much of the ledger goes into one message: large enough
	// to catch up at the speed of the network, small enough to be applied
	// without a stall.
	batchBytes = 512 << 10

	// chunkBytes is how much a follower has to take within Timing.Write.
	chunkBytes = 256 << 10

	// headerFeeds names a member that is fed, of a feeder that has no place left.
	headerFeeds = "Moonwatch-Feeds"

	// maxSnapshots in a row without a fact between them: more mean that the
	// source forgets faster than this follower takes it in.
	maxSnapshots = 3
)

// serveFeed feeds one follower until it leaves, stalls, or comes again.
func (l *Link) serveFeed(w http.ResponseWriter, r *http.Request, from member.ID) {
	next, err := strconv.ParseUint(r.URL.Query().Get("from"), 10, 64)
	if err != nil {
		http.Error(w, fmt.Sprintf("from is %q, want the index of a fact", r.URL.Query().Get("from")), http.StatusBadRequest)
		return
	}
	ctx, rise, ok := l.feedSeats.take(r.Context(), from)
	if !ok {
		l.metrics.refused.WithLabelValues(refusedFollowers).Inc()
		for _, id := range l.feedSeats.list() {
			w.Header().Add(headerFeeds, string(id))
		}
		http.Error(w, fmt.Sprintf("%d members follow already, ask the next", MaxFollowers), http.StatusTooManyRequests)
		return
	}
	defer rise()
	l.metrics.followers.Inc()
	defer l.metrics.followers.Dec()
	f := &feeder{
		source:  l.cfg.Handler.Feed(),
		out:     w,
		control: http.NewResponseController(w),
		timing:  l.timing,
		metrics: l.metrics,
		next:    next,
	}
	l.log.Debug("follower fed", zap.String("member", string(from)), zap.Uint64("from", next))
	err = f.run(ctx)
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	}
	if errors.Is(err, ErrTooLarge) || errors.Is(err, errSnapshot) {
		l.log.Error("follower cannot be fed", zap.String("member", string(from)), zap.Uint64("from", next), zap.Error(err))
		return
	}
	l.log.Debug("follower left", zap.String("member", string(from)), zap.Error(err))
}

// errSnapshot is a follower that needs a snapshot and cannot have one.
var errSnapshot = errors.New("no snapshot")

// feeder sends the ledger to one follower.
type feeder struct {
	source  FeedSource
	out     http.ResponseWriter
	control *http.ResponseController
	timing  Timing
	metrics *metrics

	next      uint64 // index of the fact that goes out next
	snapshots int    // in a row
}

// run sends until ctx ends or the follower does not take it. The first message
// goes out at once, so that the follower knows whom it follows.
func (f *feeder) run(ctx context.Context) error {
	beat := time.NewTimer(0)
	defer beat.Stop()
	for ctx.Err() == nil {
		changed := f.source.Changed() // before the facts are read, or a change in between would be slept over
		b, pause, err := f.batch()
		if err != nil {
			return err
		}
		if b == nil {
			select {
			case <-ctx.Done():
				return nil
			case <-changed:
				continue
			case <-beat.C:
				b = &Batch{Status: f.source.Status(), From: f.next}
			}
		}
		if err := f.send(*b); err != nil {
			return err
		}
		beat.Reset(f.timing.Beat)
		if pause && !rest(ctx, f.timing.Pace) {
			return nil
		}
	}
	return nil
}

// batch takes what comes next from the source, nil when there is nothing. pause
// says that it was all there is: what is committed while we pause goes into one
// message.
func (f *feeder) batch() (b *Batch, pause bool, err error) {
	facts, ok := f.source.Facts(f.next, batchBytes)
	switch {
	case !ok && f.snapshots >= maxSnapshots:
		return nil, false, fmt.Errorf("%w: %d were not new enough: the facts behind them are gone too", errSnapshot, f.snapshots)
	case !ok:
		snapshot, head, err := f.source.Snapshot()
		if err != nil {
			return nil, false, fmt.Errorf("%w: %w", errSnapshot, err)
		}
		f.snapshots++
		f.next = head + 1
		f.metrics.snapshotsSent.Inc()
		if snapshot == nil {
			snapshot = []byte{} // of an empty ledger; nil would mean that there is none
		}
		return &Batch{Status: f.source.Status(), Snapshot: snapshot, From: f.next}, false, nil
	case len(facts) == 0:
		return nil, false, nil
	}
	size := 0
	for _, fact := range facts {
		size += len(fact)
	}
	b = &Batch{Status: f.source.Status(), From: f.next, Facts: facts}
	f.snapshots = 0
	f.next += uint64(len(facts))
	f.metrics.factsSent.Add(float64(len(facts)))
	return b, size < batchBytes/2, nil
}

// send writes one message, piece by piece: each has Write to be taken, however
// large the whole is.
func (f *feeder) send(b Batch) error {
	head, tail, err := b.encode()
	if err != nil {
		return err
	}
	for _, data := range [][]byte{head, tail} {
		if err := f.write(data); err != nil {
			return fmt.Errorf("write: %w", err)
		}
	}
	return f.control.SetWriteDeadline(time.Time{})
}

func (f *feeder) write(data []byte) error {
	for chunk := range slices.Chunk(data, chunkBytes) {
		if err := f.control.SetWriteDeadline(time.Now().Add(f.timing.Write)); err != nil {
			return err
		}
		if _, err := f.out.Write(chunk); err != nil {
			return err
		}
		if err := f.control.Flush(); err != nil {
			return err
		}
	}
	return nil
}
