package link

import (
	"context"
	"errors"
	"io"
	"net/http"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"moonwatch/member"
)

const (
	maxStreamed = 256 << 10 // a larger frame travels beside the stream, not in it

	// A peer's queue holds what raft sends while a connection is made or a slow
	// moment lasts: at 200 facts a second about a second's worth, and never
	// more memory than a small snapshot.
	maxQueuedFrames = 512
	maxQueuedBytes  = 8 << 20

	frameHeader = 4 // bytes, big endian: the length of the frame behind it
)

// SendRaft hands a frame on its way to a councillor, at most once. It never
// blocks. False: the frame was dropped (the queue is full, or the councillor
// cannot be reached now), and raft may be told so. The frame must not be
// changed afterwards.
func (l *Link) SendRaft(to member.ID, frame []byte) bool {
	if len(frame) > MaxFrame {
		l.metrics.drops.WithLabelValues(dropTooLarge).Inc()
		return false
	}
	p := l.raftPeer(to)
	if p == nil {
		return false
	}
	reason := p.offer(frame)
	if reason == "" {
		return true
	}
	l.metrics.drops.WithLabelValues(reason).Inc()
	return false
}

// raftPeer finds or begins what is kept for a peer; nil for ourselves and after
// Close. Councillors are few, so none is ever forgotten.
func (l *Link) raftPeer(to member.ID) *raftPeer {
	if to == l.cfg.Self {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed.Load() {
		return nil
	}
	p, ok := l.peers[to]
	if !ok {
		p = &raftPeer{to: to, queue: make(chan []byte, maxQueuedFrames), large: make(chan []byte, 1)}
		l.peers[to] = p
		l.work.Go(func() { l.runStream(p) })
		l.work.Go(func() { l.runLarge(p) })
	}
	return p
}

// raftPeer is the way out to one councillor.
type raftPeer struct {
	to      member.ID
	queue   chan []byte
	queued  atomic.Int64 // bytes in queue
	large   chan []byte
	resting atomic.Bool // the last attempt failed and the next is not due
}

// offer queues a frame, or says why not.
func (p *raftPeer) offer(frame []byte) (dropped string) {
	if p.resting.Load() {
		return dropUnreachable
	}
	if len(frame) > maxStreamed {
		select {
		case p.large <- frame:
			return ""
		default:
			return dropFull // the snapshot before it is still on its way
		}
	}
	if p.queued.Add(int64(len(frame))) > maxQueuedBytes {
		p.queued.Add(-int64(len(frame)))
		return dropFull
	}
	select {
	case p.queue <- frame:
		return ""
	default:
		p.queued.Add(-int64(len(frame)))
		return dropFull
	}
}

// took books a frame out of the queue.
func (p *raftPeer) took(frame []byte) { p.queued.Add(-int64(len(frame))) }

// drain empties the queue: when a peer could not be reached, what waited for it
// is old, and raft knows better what to send next. A large frame is left: it
// travels by another connection, which may fare better.
func (p *raftPeer) drain() (dropped int) {
	for {
		select {
		case frame := <-p.queue:
			p.took(frame)
			dropped++
		default:
			return dropped
		}
	}
}

// runStream keeps a stream to the peer while there is something to send, and
// rests after a failure. It ends with the link.
func (l *Link) runStream(p *raftPeer) {
	failures := 0
	for {
		var first []byte
		select {
		case <-l.life.Done():
			return
		case first = <-p.queue:
			p.took(first)
		}
		opened, err := l.stream(p, first)
		if l.life.Err() != nil {
			return
		}
		if opened {
			failures = 0
		}
		if err == nil {
			continue // it was idle; the next frame opens another
		}
		failures++
		if failures == 1 { // then it is the same trouble going on
			l.log.Warn("raft stream lost", zap.String("member", string(p.to)), zap.Error(err))
		}
		p.resting.Store(true)
		l.metrics.drops.WithLabelValues(dropUnreachable).Add(float64(p.drain()))
		if !rest(l.life, l.timing.backoff(failures)) {
			return
		}
		p.resting.Store(false)
	}
}

// stream opens one stream and stays until it ends. opened tells whether the
// peer took it; a nil error, that it ended because there was nothing to send.
func (l *Link) stream(p *raftPeer, first []byte) (opened bool, err error) {
	ctx, cancel := context.WithCancel(l.life)
	defer cancel()
	body := &frames{ctx: ctx, cancel: cancel, peer: p, metrics: l.metrics, idle: time.NewTimer(l.timing.Idle), timeout: l.timing.Idle}
	defer body.idle.Stop()
	body.add(first)
	resp, err := l.post(ctx, l.quick, p.to, pathRaft, body)
	if err != nil {
		return false, err
	}
	defer resp.Body.Close()
	if err := accepted(p.to, resp); err != nil {
		return false, err
	}
	l.log.Debug("raft stream open", zap.String("member", string(p.to)))
	_, err = io.Copy(io.Discard, resp.Body) // empty: it ends when the stream does
	switch {
	case body.wasIdle.Load():
		return true, nil
	case err != nil:
		return true, explain(err)
	default:
		return true, errors.New("the peer ended it")
	}
}

func (l *Link) post(ctx context.Context, by *http.Transport, to member.ID, path string, body io.Reader) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, memberURL(to, path).String(), body)
	if err != nil {
		return nil, err
	}
	resp, err := by.RoundTrip(req)
	if err != nil {
		return nil, explain(err)
	}
	return resp, nil
}
