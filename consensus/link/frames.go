package link

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"sync/atomic"
	"time"
)

// frames is the body of a raft stream: a reader that waits for the queue and
// takes along whatever stands in it.
type frames struct {
	ctx     context.Context
	cancel  context.CancelFunc
	peer    *raftPeer
	metrics *metrics
	idle    *time.Timer
	timeout time.Duration
	buf     bytes.Buffer
	wasIdle atomic.Bool
}

func (f *frames) add(frame []byte) {
	var header [frameHeader]byte
	binary.BigEndian.PutUint32(header[:], uint32(len(frame)))
	f.buf.Write(header[:])
	f.buf.Write(frame)
	f.metrics.framesSent.Inc()
}

func (f *frames) Read(p []byte) (int, error) {
	if f.buf.Len() == 0 {
		f.idle.Reset(f.timeout)
		select {
		case <-f.ctx.Done():
			return 0, context.Cause(f.ctx)
		case <-f.idle.C:
			f.wasIdle.Store(true)
			return 0, io.EOF
		case frame := <-f.peer.queue:
			f.peer.took(frame)
			if f.ctx.Err() != nil { // the stream ended in the same moment
				f.metrics.drops.WithLabelValues(dropUnreachable).Inc()
				return 0, context.Cause(f.ctx)
			}
			f.add(frame)
		}
	}
	for f.buf.Len() < len(p) { // what waits already goes into the same packet
		select {
		case frame := <-f.peer.queue:
			f.peer.took(frame)
			f.add(frame)
			continue
		default:
		}
		break
	}
	return f.buf.Read(p)
}

// Close is called by net/http when the stream has ended; a Read that waits for
// the queue returns.
func (f *frames) Close() error {
	f.cancel()
	return nil
}
