package gossip

import (
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/hashicorp/memberlist"
)

const (
	// dialTimeout is shorter than the engine's own time-out, because joins are
	// tried one after the other: a machine that is off costs the round 2 s.
	// It still covers one lost SYN, which the kernel repeats after 1 s.
	dialTimeout = 2 * time.Second

	// maxInbound is the number of inbound streams at a time. The engine serves
	// 128 state exchanges and closes a stream that says nothing in time.
	maxInbound = 128
)

// streams are the open streams, so that Shutdown can end them.
type streams struct {
	mu      sync.Mutex
	open    map[*stream]struct{}
	inbound int
	closed  bool
}

// stream is one of the engine's streams, counted and gated.
type stream struct {
	net.Conn

	t       *transport
	remote  netip.AddrPort
	inbound bool
}

// adopt takes a new connection into the books. It returns nil, and has closed
// the connection, after Shutdown and when there are too many inbound ones.
func (t *transport) adopt(conn net.Conn, inbound bool) *stream {
	s := &stream{Conn: conn, t: t, remote: addrPort(conn.RemoteAddr()), inbound: inbound}
	t.streams.mu.Lock()
	defer t.streams.mu.Unlock()
	full := inbound && t.streams.inbound >= maxInbound
	if full {
		t.metrics.drop(dropStreamsFull)
	}
	if full || t.streams.closed {
		_ = conn.Close() // nothing was said on it
		return nil
	}
	if t.streams.open == nil {
		t.streams.open = make(map[*stream]struct{})
	}
	t.streams.open[s] = struct{}{}
	if inbound {
		t.streams.inbound++
	}
	return s
}

// close ends every stream and lets no new one in.
func (ss *streams) close() {
	ss.mu.Lock()
	ss.closed = true
	open := ss.open
	ss.open = nil
	ss.mu.Unlock()
	for s := range open {
		_ = s.Conn.Close() // the engine, which reads it, sees the end
	}
}

// Read implements net.Conn.
func (s *stream) Read(b []byte) (int, error) {
	if !s.t.passes(s.remote) {
		return 0, errShut
	}
	n, err := s.Conn.Read(b)
	s.t.metrics.in[kindStream].bytes.Add(float64(n))
	return n, err
}

// Write implements net.Conn.
func (s *stream) Write(b []byte) (int, error) {
	if !s.t.passes(s.remote) {
		return 0, errShut
	}
	n, err := s.Conn.Write(b)
	s.t.metrics.out[kindStream].bytes.Add(float64(n))
	return n, err
}

// Close implements net.Conn.
func (s *stream) Close() error {
	s.t.streams.mu.Lock()
	if _, ok := s.t.streams.open[s]; ok {
		delete(s.t.streams.open, s)
		if s.inbound {
			s.t.streams.inbound--
		}
	}
	s.t.streams.mu.Unlock()
	return s.Conn.Close()
}

// accept hands an accepted stream to the engine.
func (t *transport) accept(conn net.Conn) {
	if !t.passes(addrPort(conn.RemoteAddr())) {
		_ = conn.Close() // dropped: nobody is to hear about it
		return
	}
	s := t.adopt(conn, true)
	if s == nil {
		return
	}
	t.metrics.received(kindStream, 0)
	select {
	case t.accepted <- s: // the engine takes it at once; meanwhile the kernel queues the next
	case <-t.life.Done():
		_ = s.Close() // as above
	}
}

// StreamCh implements memberlist.Transport.
func (t *transport) StreamCh() <-chan net.Conn { return t.accepted }

// DialTimeout implements memberlist.Transport. The stream comes from the
// address that we are bound to, as our packets do, so that a firewall or a
// gate at the other end sees one address per member.
func (t *transport) DialTimeout(addr string, timeout time.Duration) (net.Conn, error) {
	to, err := netip.ParseAddrPort(addr)
	if err != nil {
		return nil, err
	}
	if !t.passes(unmap(to)) {
		return nil, fmt.Errorf("dial %s: %w", addr, errShut)
	}
	dialer := net.Dialer{Timeout: min(timeout, dialTimeout)}
	if !t.bind.IsUnspecified() {
		dialer.LocalAddr = net.TCPAddrFromAddrPort(netip.AddrPortFrom(t.bind, 0))
	}
	conn, err := dialer.DialContext(t.life, "tcp", addr)
	if err != nil {
		return nil, err
	}
	s := t.adopt(conn, false)
	if s == nil {
		return nil, fmt.Errorf("dial %s: %w", addr, ErrClosed)
	}
	t.metrics.sent(kindStream, 0)
	return s, nil
}

// DialAddressTimeout implements memberlist.NodeAwareTransport.
func (t *transport) DialAddressTimeout(a memberlist.Address, timeout time.Duration) (net.Conn, error) {
	return t.DialTimeout(a.Addr, timeout)
}
