package gateway

import (
	"errors"
	"net/http"
	"os"
	"sync/atomic"
	"time"
)

// taking is a client that takes its answer. It holds its occupant's connection until it
// has taken all of it, so it has to do so at TakeRate on average, after TakeTimeout. Only
// the time for which the gateway waits for it counts: an answer may take as long as its
// occupant likes, and an event stream may be silent for hours.
type taking struct {
	http.ResponseWriter
	g        *Gateway
	deadline *http.ResponseController
	bytes    int64         // that were written
	waited   time.Duration // for the client to take them
	slow     bool          // it was given up
	lost     atomic.Bool   // its place went to another
}

// lose ends what is read of the client and written to it. It may be called while either
// goes on.
func (t *taking) lose() {
	t.lost.Store(true)
	_ = t.deadline.SetReadDeadline(past)
	_ = t.deadline.SetWriteDeadline(past)
}

// past is a deadline that is over.
var past = time.Unix(1, 0)

// readBy is until when the client may send what is read next, without end if zero.
func (t *taking) readBy(until time.Time) {
	_ = t.deadline.SetReadDeadline(until)
	if t.lost.Load() { // it may just have been lost
		_ = t.deadline.SetReadDeadline(past)
	}
}

// unreadFor is how long the body of a request is waited for that nobody reads, because the
// request is refused or no occupant takes it. Before the library answers it reads such a
// body to its end, and would wait for that for ever: meanwhile the connection counts as one
// with a request under way, which no other client can have closed. What an honest client
// sends is on its way already.
const unreadFor = time.Second

// take begins an answer. The deadlines are the kernel's, on a real clock; a writer
// without any (in a test) leaves the client its time.
func (g *Gateway) take(w http.ResponseWriter, r *http.Request) *taking {
	t := &taking{ResponseWriter: w, g: g, deadline: http.NewResponseController(w)}
	_ = t.deadline.SetWriteDeadline(time.Time{}) // of the request before on this connection
	if r.ContentLength != 0 {
		t.readBy(time.Now().Add(unreadFor)) // whoever reads it gives it another time
	}
	return t
}

// Unwrap lets the library find what else the writer can do, as hijack.
func (t *taking) Unwrap() http.ResponseWriter { return t.ResponseWriter }

func (t *taking) Write(p []byte) (n int, err error) {
	t.within(int64(len(p)), func() error {
		n, err = t.ResponseWriter.Write(p)
		return err
	})
	t.bytes += int64(n)
	return n, err
}

// FlushError is what the library calls for answers that come bit by bit.
func (t *taking) FlushError() (err error) {
	t.within(0, func() error {
		err = t.deadline.Flush()
		return err
	})
	return err
}

// within lets something be written for as long as the client still may take.
func (t *taking) within(more int64, write func() error) {
	begun := time.Now()
	_ = t.deadline.SetWriteDeadline(begun.Add(t.allowed(more)))
	if t.lost.Load() {
		_ = t.deadline.SetWriteDeadline(past)
	}
	err := write()
	t.waited += time.Since(begun)
	t.slow = t.slow || errors.Is(err, os.ErrDeadlineExceeded)
}

// allowed is how long the gateway waits for the client from now on.
func (t *taking) allowed(more int64) time.Duration {
	cfg := &t.g.cfg
	return cfg.TakeTimeout + time.Duration(float64(t.bytes+more)/float64(cfg.TakeRate)*float64(time.Second)) - t.waited
}

// end bounds what the library still has to write when the handler has ended: who has
// lost its place is told so within a second, or not.
func (t *taking) end() {
	left := max(t.allowed(0), time.Second)
	if t.lost.Load() {
		left = time.Second
	}
	_ = t.deadline.SetWriteDeadline(time.Now().Add(left))
}
