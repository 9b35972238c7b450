package gossip

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/hashicorp/memberlist"
	"go.uber.org/zap"
)

const (
	packetQueue     = 512 // datagrams that wait for the daemon: 0.7 MB at most
	membershipQueue = 256 // packets that wait for the engine
)

// Packet is one datagram of ours that arrived and opened.
type Packet struct {
	From netip.AddrPort
	At   time.Time // when it was read from the socket, with a monotonic reading
	Body []byte    // the receiver's own
}

// transport lies between the engine and its sockets. It takes our datagrams
// out of the stream of packets, asks the gate, and counts.
type transport struct {
	under   *sockets
	bind    netip.Addr
	seal    *sealer
	gate    func(netip.AddrPort) bool
	metrics *metrics
	log     *zap.Logger

	packets    chan Packet             // ours, to the daemon
	membership chan *memberlist.Packet // the engine's
	accepted   chan net.Conn           // the engine's
	streams    streams

	life  context.Context // ends with Shutdown, and with it every dial
	end   context.CancelFunc
	pumps sync.WaitGroup
	once  sync.Once
}

var _ memberlist.NodeAwareTransport = (*transport)(nil)

// listen opens both sockets on one port.
func listen(c Config, seal *sealer, m *metrics) (*transport, error) {
	under, err := bind(c.Bind)
	if err != nil {
		return nil, err
	}
	t := &transport{
		under: under, bind: c.Bind.Addr().Unmap(), seal: seal, gate: c.Gate, metrics: m, log: c.Log,
		packets:    make(chan Packet, packetQueue),
		membership: make(chan *memberlist.Packet, membershipQueue),
		accepted:   make(chan net.Conn),
	}
	t.life, t.end = context.WithCancel(context.Background())
	t.pumps.Go(func() { under.readAll(t.life, t.receive, t.failed("read a packet")) })
	t.pumps.Go(func() { under.acceptAll(t.life, t.accept, t.failed("accept a stream")) })
	return t, nil
}

// failed logs what a socket could not do; it tries again.
func (t *transport) failed(what string) func(error) {
	return func(err error) { t.log.Warn("gossip socket failed", zap.String("what", what), zap.Error(err)) }
}

// passes reports whether the gate lets traffic with this address pass.
func (t *transport) passes(with netip.AddrPort) bool {
	if t.gate == nil || t.gate(with) {
		return true
	}
	t.metrics.drop(dropGate)
	return false
}

// send seals body and sends it. A shut gate is no error: the sender of a
// datagram never learns what became of it.
func (t *transport) send(to netip.AddrPort, body []byte) error {
	to = unmap(to)
	packet, err := t.seal.seal(body)
	if err != nil {
		return fmt.Errorf("send to %s: %w", to, err)
	}
	if t.life.Err() != nil {
		return fmt.Errorf("send to %s: %w", to, ErrClosed)
	}
	if !t.passes(to) {
		return nil
	}
	if _, err := t.under.udp.WriteToUDPAddrPort(packet, to); err != nil {
		return fmt.Errorf("send to %s: %w", to, err)
	}
	t.metrics.sent(kindDatagram, len(packet))
	return nil
}

// receive takes a packet from the socket. It never waits for a reader, for a full
// queue must cost its own packets only: neither may the daemon hold up the
// engine, nor the engine the daemon. The packet is the socket's: what is kept is copied.
func (t *transport) receive(packet []byte, from netip.AddrPort, at time.Time) {
	if !t.passes(from) {
		return
	}
	if packet[0] != datagramMark {
		t.metrics.received(kindMembership, len(packet))
		t.seal.current() // so that an agent without datagrams notices a rotation too
		select {
		case t.membership <- &memberlist.Packet{Buf: bytes.Clone(packet), From: net.UDPAddrFromAddrPort(from), Timestamp: at}:
		default:
			t.metrics.drop(dropMembershipFull)
		}
		return
	}
	t.metrics.received(kindDatagram, len(packet))
	body, ok := t.seal.open(packet)
	if !ok {
		t.metrics.drop(dropForeign)
		return
	}
	select {
	case t.packets <- Packet{From: from, At: at, Body: body}:
	default:
		t.metrics.drop(dropQueueFull)
	}
}

// FinalAdvertiseAddr implements memberlist.Transport. The engine is always told one.
func (t *transport) FinalAdvertiseAddr(ip string, port int) (net.IP, int, error) {
	at, err := netip.ParseAddr(ip)
	if err != nil {
		return nil, 0, fmt.Errorf("advertise %q: %w", ip, err)
	}
	return at.Unmap().AsSlice(), port, nil
}

// WriteTo implements memberlist.Transport.
func (t *transport) WriteTo(packet []byte, addr string) (time.Time, error) {
	to, err := netip.ParseAddrPort(addr)
	if err != nil {
		return time.Time{}, err
	}
	to = unmap(to)
	if !t.passes(to) {
		return time.Now(), nil
	}
	_, err = t.under.udp.WriteToUDPAddrPort(packet, to)
	if err == nil {
		t.metrics.sent(kindMembership, len(packet))
	}
	return time.Now(), err
}

// WriteToAddress implements memberlist.NodeAwareTransport.
func (t *transport) WriteToAddress(packet []byte, a memberlist.Address) (time.Time, error) {
	return t.WriteTo(packet, a.Addr)
}

// PacketCh implements memberlist.Transport: every packet but ours.
func (t *transport) PacketCh() <-chan *memberlist.Packet { return t.membership }

// Shutdown implements memberlist.Transport: it closes the sockets and every
// stream, and returns when nothing reads any more.
func (t *transport) Shutdown() error {
	var err error
	t.once.Do(func() {
		t.end()
		t.streams.close()
		err = t.under.close()
		t.pumps.Wait()
	})
	return err
}

// addrPort is the address of a UDP or TCP end. IPv4 is never in its IPv6 form.
func addrPort(a net.Addr) netip.AddrPort {
	switch a := a.(type) {
	case *net.UDPAddr:
		return unmap(a.AddrPort())
	case *net.TCPAddr:
		return unmap(a.AddrPort())
	default:
		return netip.AddrPort{}
	}
}

func unmap(a netip.AddrPort) netip.AddrPort { return netip.AddrPortFrom(a.Addr().Unmap(), a.Port()) }

// errShut is what a stream ends with when the gate shuts.
var errShut = errors.New("the gate is shut")
