package gateway

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"syscall"
)

// wire is a connection to an occupant. It counts what was written, which is the
// proof that a request was not sent.
type wire struct {
	net.Conn
	of      *wires
	written atomic.Int64 // bytes that the kernel took
}

func (w *wire) Write(p []byte) (int, error) {
	n, err := w.Conn.Write(p)
	w.written.Add(int64(n))
	return n, err
}

// CloseWrite passes on the half-close of an upgraded connection.
func (w *wire) CloseWrite() error {
	if c, ok := w.Conn.(interface{ CloseWrite() error }); ok {
		return c.CloseWrite()
	}
	return http.ErrNotSupported
}

func (w *wire) Close() error {
	w.of.mu.Lock()
	delete(w.of.open, w)
	w.of.mu.Unlock()
	return w.Conn.Close()
}

// wires are the open connections to occupants, and those being made. A dial may
// outlive the request that wanted it, so that Close has to know of it.
type wires struct {
	mu     sync.Mutex
	open   map[*wire]struct{}
	closed bool
	dials  sync.WaitGroup
}

func (s *wires) close() {
	s.mu.Lock()
	s.closed = true
	open := s.open
	s.open = nil
	s.mu.Unlock()
	for w := range open {
		w.Conn.Close() // nobody is left who could use its error
	}
	s.dials.Wait()
}

// connectError says that an occupant could not be reached: the request was
// certainly not sent. ours means that the cause lies on this side.
type connectError struct {
	addr string
	err  error
	ours bool
}

func (e *connectError) Error() string { return fmt.Sprintf("connect %s: %v", e.addr, e.err) }
func (e *connectError) Unwrap() error { return e.err }

var errClosed = errors.New("gateway is closed")

// dial opens a connection to an occupant within ConnectTimeout.
func (g *Gateway) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	s := &g.wires
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil, errClosed
	}
	s.dials.Add(1)
	s.mu.Unlock()
	defer s.dials.Done()

	limit := g.cfg.Reflex.ConnectTimeout
	begun := g.cfg.Now()
	short, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	c, err := g.cfg.Dial(short, network, addr)
	if err != nil {
		stalled := g.cfg.Now().Sub(begun) > limit+g.cfg.Reflex.SlipMax
		return nil, &connectError{addr: addr, err: err, ours: stalled || ctx.Err() != nil || ownFault(err)}
	}
	w := &wire{Conn: c, of: s}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		c.Close() // the dial is reported as refused, nothing was written
		return nil, errClosed
	}
	s.open[w] = struct{}{}
	return w, nil
}

// ownFault reports whether a connection failed for want of something on this
// machine: it would fail to every occupant, and ejecting them for it would make
// our trouble theirs.
func ownFault(err error) bool {
	for _, cause := range []error{syscall.EMFILE, syscall.ENFILE, syscall.ENOMEM, syscall.ENOBUFS, syscall.EADDRNOTAVAIL} {
		if errors.Is(err, cause) {
			return true
		}
	}
	return false
}
