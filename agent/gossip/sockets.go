package gossip

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"
	"time"
)

const (
	portTries = 10 // a port that is free for tcp may be taken for udp

	// longestPacket is the longest that UDP carries, in bytes.
	longestPacket = 1 << 16

	// socketBuffer is how much the kernel may keep while nobody reads, in bytes. It gives
	// less where its own limit is lower.
	socketBuffer = 2 << 20

	// After an error of a socket, such as no descriptor being free, it is tried again after
	// shortestPause, then twice as long each time, up to longestPause.
	shortestPause = 5 * time.Millisecond
	longestPause  = time.Second
)

// sockets are the one port of an agent, for packets and for streams. The engine has some
// of its own (memberlist.NetTransport): those take a new 64 KiB for each packet, however
// short, which was seven eighths of all that an idle agent allocated.
type sockets struct {
	tcp *net.TCPListener
	udp *net.UDPConn
}

// bind opens both sockets on one port. Port 0 takes one that is free for both.
func bind(at netip.AddrPort) (*sockets, error) {
	tries := 1
	if at.Port() == 0 {
		tries = portTries
	}
	for {
		s, err := bindBoth(at)
		if err == nil {
			return s, nil
		}
		taken := errors.Is(err, syscall.EADDRINUSE)
		if tries--; taken && tries > 0 {
			continue
		}
		if taken {
			return nil, fmt.Errorf("%w (another process listens there, perhaps an agent that still runs)", err)
		}
		return nil, err
	}
}

func bindBoth(at netip.AddrPort) (*sockets, error) {
	tcp, err := net.ListenTCP("tcp", net.TCPAddrFromAddrPort(at))
	if err != nil {
		return nil, err
	}
	s := &sockets{tcp: tcp}
	if s.udp, err = net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(at.Addr(), s.port()))); err != nil {
		return nil, errors.Join(err, tcp.Close())
	}
	if err := s.udp.SetReadBuffer(socketBuffer); err != nil {
		return nil, errors.Join(fmt.Errorf("buffer of %s: %w", s.udp.LocalAddr(), err), s.close())
	}
	return s, nil
}

// port is the one that is really bound.
func (s *sockets) port() uint16 { return addrPort(s.tcp.Addr()).Port() }

func (s *sockets) close() error { return errors.Join(s.tcp.Close(), s.udp.Close()) }

// readAll hands each packet over with the time at which it was read, until the socket is
// closed. The bytes are lent: they are overwritten by the next packet.
func (s *sockets) readAll(life context.Context, hand func(packet []byte, from netip.AddrPort, at time.Time), failed func(error)) {
	buf := make([]byte, longestPacket)
	var errs pause
	for life.Err() == nil {
		n, from, err := s.udp.ReadFromUDPAddrPort(buf)
		at := time.Now()
		switch {
		case errors.Is(err, net.ErrClosed):
			return
		case err != nil:
			failed(err)
			errs.wait(life)
		case n > 0:
			errs = pause{}
			hand(buf[:n], unmap(from), at)
		}
	}
}

// acceptAll hands each stream over, until the socket is closed.
func (s *sockets) acceptAll(life context.Context, hand func(net.Conn), failed func(error)) {
	var errs pause
	for life.Err() == nil {
		conn, err := s.tcp.AcceptTCP()
		switch {
		case errors.Is(err, net.ErrClosed):
			return
		case err != nil:
			failed(err)
			errs.wait(life)
		default:
			errs = pause{}
			hand(conn)
		}
	}
}

// pause is how long to wait after an error that may come again at once.
type pause struct{ last time.Duration }

func (p *pause) wait(life context.Context) {
	p.last = min(max(shortestPause, 2*p.last), longestPause)
	t := time.NewTimer(p.last)
	defer t.Stop()
	select {
	case <-t.C:
	case <-life.Done():
	}
}
