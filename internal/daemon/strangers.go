package daemon

import (
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/net/netutil"
)

const (
	// strangersMost is how many connections people outside may hold to a process that
	// votes: their page fits into one packet or two, and stands behind a proxy where many
	// ask.
	strangersMost = 512
	// strangersOfOne is how many of them one address may hold: a browser opens six, an
	// office behind one address is some browsers, and eight of these take all places.
	strangersOfOne = 64
)

// strangers bounds what people outside can take from a server: connections, their life,
// and what they say. Nothing that it serves is a stream.
func strangers(l net.Listener, s *http.Server) net.Listener {
	s.ReadTimeout, s.WriteTimeout, s.IdleTimeout = 10*time.Second, 30*time.Second, 15*time.Second
	s.MaxHeaderBytes = 8 << 10
	return netutil.LimitListener(&fair{Listener: l, most: strangersOfOne, held: map[netip.Prefix]int{}}, strangersMost)
}

// fair hangs up on an address that holds as many connections as one may. A proxy on this
// machine is not bounded: it has its visitors' connections to itself.
type fair struct {
	net.Listener
	most int

	mu   sync.Mutex
	held map[netip.Prefix]int
}

func (f *fair) Accept() (net.Conn, error) {
	for {
		c, err := f.Listener.Accept()
		if err != nil {
			return nil, err
		}
		whose, bounded := household(c.RemoteAddr())
		if !bounded {
			return c, nil
		}
		if f.take(whose) {
			return &fairConn{Conn: c, leave: sync.OnceFunc(func() { f.leave(whose) })}, nil
		}
		_ = c.Close() // whoever holds so many misses nothing by this one
	}
}

// household is whose connections are counted together: an IPv4 address, or the 64 bits of
// IPv6 that one customer has.
func household(a net.Addr) (whose netip.Prefix, bounded bool) {
	tcp, ok := a.(*net.TCPAddr)
	if !ok {
		return netip.Prefix{}, false
	}
	ip := tcp.AddrPort().Addr().Unmap().WithZone("")
	bits := 32
	if ip.Is6() {
		bits = 64
	}
	whose, err := ip.Prefix(bits)
	return whose, err == nil && !ip.IsLoopback()
}

func (f *fair) take(whose netip.Prefix) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.held[whose] >= f.most {
		return false
	}
	f.held[whose]++
	return true
}

func (f *fair) leave(whose netip.Prefix) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.held[whose]--; f.held[whose] == 0 {
		delete(f.held, whose)
	}
}

// fairConn gives its place back when it is closed.
type fairConn struct {
	net.Conn
	leave func()
}

func (c *fairConn) Close() error {
	c.leave()
	return c.Conn.Close()
}
