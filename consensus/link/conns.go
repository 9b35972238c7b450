package link

import (
	"crypto/tls"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"syscall"
)

// conns knows every open connection: to count its bytes, to cut it when the
// gate closes, and to leave none behind.
type conns struct {
	gate    func(netip.Addr) bool
	metrics *metrics

	mu     sync.Mutex
	open   map[*conn]struct{}
	closed bool
	served sync.WaitGroup // accepted connections whose server goroutine runs
}

func newConns(gate func(netip.Addr) bool, m *metrics) *conns {
	return &conns{gate: gate, metrics: m, open: map[*conn]struct{}{}}
}

// blocked reports whether the gate forbids an address. One that is no IP
// address has no gate to pass.
func (cs *conns) blocked(addr net.Addr) bool {
	if cs.gate == nil {
		return false
	}
	tcp, ok := addr.(*net.TCPAddr)
	return ok && !cs.gate(tcp.AddrPort().Addr().WithZone("").Unmap())
}

// beforeDial asks the gate before the first packet goes out, when a host name
// has become an address (net.Dialer.Control).
func (cs *conns) beforeDial(_, address string, _ syscall.RawConn) error {
	to, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("address %q: %w", address, err)
	}
	if cs.gate != nil && !cs.gate(to.Addr().WithZone("").Unmap()) {
		return ErrGate
	}
	return nil
}

// add takes a connection under care. It is closed at once when the gate is
// closed, when we are, or when there are as many as limit (0: no limit).
func (cs *conns) add(raw net.Conn, limit int) (*conn, error) {
	c := &conn{Conn: raw, conns: cs}
	if cs.blocked(raw.RemoteAddr()) {
		raw.Close()
		return nil, fmt.Errorf("%s: %w", raw.RemoteAddr(), ErrGate)
	}
	cs.mu.Lock()
	defer cs.mu.Unlock()
	switch {
	case cs.closed:
		raw.Close()
		return nil, ErrClosed
	case limit > 0 && len(cs.open) >= limit:
		raw.Close()
		return nil, fmt.Errorf("%s: %d connections are open, want fewer", raw.RemoteAddr(), len(cs.open))
	}
	cs.open[c] = struct{}{}
	return c, nil
}

func (cs *conns) remove(c *conn) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	delete(cs.open, c)
}

// cutBlocked closes the connections that the gate no longer allows.
func (cs *conns) cutBlocked() {
	cs.closeAll(func(c *conn) bool { return cs.blocked(c.RemoteAddr()) })
}

// close closes all connections, and those that come later.
func (cs *conns) close() {
	cs.mu.Lock()
	cs.closed = true
	cs.mu.Unlock()
	cs.closeAll(func(*conn) bool { return true })
}

// wait waits for the server's goroutines, after close.
func (cs *conns) wait() { cs.served.Wait() }

// closeAll closes those connections, and says how many there were.
func (cs *conns) closeAll(want func(*conn) bool) int {
	cs.mu.Lock()
	var doomed []*conn
	for c := range cs.open {
		if want(c) {
			doomed = append(doomed, c)
		}
	}
	cs.mu.Unlock()
	for _, c := range doomed {
		c.cut()
	}
	return len(doomed)
}

// conn is a TCP connection below TLS.
type conn struct {
	net.Conn
	conns *conns
	peer  atomic.Pointer[tls.ConnectionState] // who is at the other end, once that is known
	ahead []byte                              // read by settle, not yet handed on; touched by the reading side only
	gone  atomic.Bool
}

// settle waits until the other side has sent something after the handshake,
// and reports whether that was a TLS alert. In TLS 1.3 the dialling side is
// through before its own certificate has been looked at. A server that accepts
// it speaks first in HTTP/2, one that refuses it sends an alert and closes; had
// we written meanwhile, the reset could swallow the alert and the reason with
// it.
func (c *conn) settle() (alert bool, err error) {
	buf := make([]byte, 4096)
	n, err := io.ReadAtLeast(c, buf, recordHeader)
	if err != nil {
		return false, err
	}
	c.ahead = buf[:n]
	return binary.BigEndian.Uint16(buf[3:recordHeader]) == alertSize, nil
}

const (
	recordHeader = 5 // of a TLS record: type, version, and the length of the rest in two bytes

	// alertSize is the length of an encrypted alert in TLS 1.3: level and
	// description, the hidden type, and the tag. HTTP/2's first frame is longer.
	alertSize = 2 + 1 + 16
)

func (c *conn) Read(p []byte) (int, error) {
	if len(c.ahead) > 0 {
		n := copy(p, c.ahead)
		c.ahead = c.ahead[n:]
		return n, nil
	}
	n, err := c.Conn.Read(p)
	if n > 0 && c.conns.blocked(c.RemoteAddr()) {
		c.cut()
		return 0, ErrGate
	}
	c.conns.metrics.received.Add(float64(n))
	return n, err
}

func (c *conn) Write(p []byte) (int, error) {
	if c.conns.blocked(c.RemoteAddr()) {
		c.cut()
		return 0, ErrGate
	}
	n, err := c.Conn.Write(p)
	c.conns.metrics.sent.Add(float64(n))
	return n, err
}

// cut closes a connection that nobody will use any more: what a close could
// complain of is of no interest then.
func (c *conn) cut() { _ = c.Close() }

// Close takes the connection out of our care. Closing twice is harmless.
func (c *conn) Close() error {
	if c.gone.Swap(true) {
		return nil
	}
	c.conns.remove(c)
	return c.Conn.Close()
}
