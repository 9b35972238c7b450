package gateway

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync/atomic"
	"time"
)

// body is a request's body, of which each sending gets a reader of its own. Up
// to MaxBody bytes are kept; what is longer is streamed after them, once.
type body struct {
	head   []byte
	rest   io.Reader    // nil: head is all
	length int64        // -1: not known
	spent  atomic.Bool  // some of rest was read: it cannot be sent again
	ended  atomic.Bool  // the request is over, and reading from the client not allowed any more
	broken atomic.Value // error with which the client's side ended early

	clock func(read int64) // of rest: allows time for more, or ends the allowance (read < 0)
	read  int64            // of rest; one sending at a time reads it
}

// takeBody reads as much of the body as is kept, before an occupant is bound to
// the request: a client that trickles holds none of them up. It returns nil
// for a request without body.
func (g *Gateway) takeBody(w *taking, r *http.Request) (*body, error) {
	if r.ContentLength == 0 || r.Body == nil || r.Body == http.NoBody {
		return nil, nil
	}
	limit := int64(g.cfg.MaxBody)
	// The deadline is set and cleared on a real clock: it is the kernel's. A
	// writer without deadlines (in a test) leaves the client its time.
	begun := time.Now()
	clock := func(read int64) {
		until := time.Time{}
		if read >= 0 {
			until = begun.Add(g.cfg.BodyTimeout + time.Duration(float64(read)/float64(g.cfg.BodyRate)*float64(time.Second)))
		}
		w.readBy(until)
	}
	if r.ContentLength > limit {
		return &body{rest: r.Body, length: r.ContentLength, clock: clock}, nil
	}
	w.readBy(time.Now().Add(g.cfg.BodyTimeout))
	head, err := io.ReadAll(io.LimitReader(r.Body, limit+1))
	if err != nil {
		// The deadline stays: before it answers, the library would wait for the
		// rest of the body.
		w.Header().Set("Connection", "close")
		return nil, fmt.Errorf("read request body: %w", err)
	}
	w.readBy(time.Time{})
	if int64(len(head)) > limit {
		return &body{head: head, rest: r.Body, length: r.ContentLength, clock: clock}, nil
	}
	if len(head) == 0 {
		return nil, nil
	}
	return &body{head: head, length: int64(len(head))}, nil
}

// whole reports whether the body can be sent any number of times, also at once.
func (b *body) whole() bool { return b == nil || b.rest == nil }

// unspent reports whether it can be sent once more, if nobody sends it now.
func (b *body) unspent() bool { return b.whole() || !b.spent.Load() }

// attach gives a sending its body.
func (b *body) attach(out *http.Request) {
	out.TransferEncoding = nil
	if b == nil {
		out.Body, out.ContentLength = nil, 0
		return
	}
	out.ContentLength = b.length
	if b.whole() {
		out.Body = io.NopCloser(bytes.NewReader(b.head))
		// With it the transport can use another idle connection when the first
		// one turns out to be closed.
		out.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(b.head)), nil }
		return
	}
	out.Body = io.NopCloser(io.MultiReader(bytes.NewReader(b.head), (*bodyRest)(b)))
}

// clientFault is the error with which the client's side of a streamed body
// ended early, nil if it did not.
func (b *body) clientFault() error {
	if b == nil {
		return nil
	}
	err, _ := b.broken.Load().(error)
	return err
}

func (b *body) end() {
	if b != nil {
		b.ended.Store(true)
	}
}

var errBodyEnded = errors.New("read request body: the request is over")

// bodyRest reads what was not kept.
type bodyRest body

func (b *bodyRest) Read(p []byte) (int, error) {
	if b.ended.Load() {
		return 0, errBodyEnded
	}
	b.spent.Store(true)
	b.clock(b.read)
	n, err := b.rest.Read(p)
	b.read += int64(n)
	if errors.Is(err, io.EOF) {
		b.clock(-1) // how long the occupant takes for its answer is not the client's doing
	}
	if err != nil && !errors.Is(err, io.EOF) {
		err = fmt.Errorf("read request body: %w", err)
		b.broken.CompareAndSwap(nil, err)
	}
	return n, err
}
