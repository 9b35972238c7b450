package gossip

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log"
	"net"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/memberlist"
)

const (
	packetQueue     = 512 // datagrams that wait for the daemon: 0.7 MB at most
	membershipQueue = 256 // packets that wait for the engine
	portTries       = 10  // a port that is free for tcp may be taken for udp
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
	under   *memberlist.NetTransport
	bind    netip.Addr
	seal    *sealer
	gate    func(netip.AddrPort) bool
	metrics *metrics

	packets    chan Packet             // ours, to the daemon
	membership chan *memberlist.Packet // the engine's
	accepted   chan net.Conn           // the engine's
	streams    streams

	life    context.Context // ends with Shutdown, and with it every dial
	end     context.CancelFunc
	stopped chan struct{} // closed when no socket is left
	pumps   sync.WaitGroup
	once    sync.Once
}

var _ memberlist.NodeAwareTransport = (*transport)(nil)

// listen opens both sockets on one port.
func listen(c Config, seal *sealer, m *metrics, logger *log.Logger) (*transport, error) {
	under, err := bind(c.Bind, logger)
	if err != nil {
		return nil, err
	}
	t := &transport{
		under: under, bind: c.Bind.Addr().Unmap(), seal: seal, gate: c.Gate, metrics: m,
		packets:    make(chan Packet, packetQueue),
		membership: make(chan *memberlist.Packet, membershipQueue),
		accepted:   make(chan net.Conn),
		stopped:    make(chan struct{}),
	}
	t.life, t.end = context.WithCancel(context.Background())
	t.pumps.Go(t.pumpPackets)
	t.pumps.Go(t.pumpStreams)
	return t, nil
}

func bind(at netip.AddrPort, logger *log.Logger) (*memberlist.NetTransport, error) {
	tries := 1
	if at.Port() == 0 {
		tries = portTries
	}
	for {
		under, err := memberlist.NewNetTransport(&memberlist.NetTransportConfig{
			BindAddrs: []string{at.Addr().String()}, BindPort: int(at.Port()), Logger: logger,
		})
		if err == nil {
			return under, nil
		}
		taken := strings.Contains(err.Error(), "address already in use")
		if tries--; taken && tries > 0 {
			continue
		}
		if taken {
			return nil, fmt.Errorf("%w (another process listens there, perhaps an agent that still runs)", err)
		}
		return nil, err
	}
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
	if _, err := t.under.WriteTo(packet, to.String()); err != nil {
		return fmt.Errorf("send to %s: %w", to, err)
	}
	t.metrics.sent(kindDatagram, len(packet))
	return nil
}

// pumpPackets empties the socket. It never waits for a reader, for a full
// queue must cost its own packets only: neither may the daemon hold up the
// engine, nor the engine the daemon.
func (t *transport) pumpPackets() {
	for {
		select {
		case p := <-t.under.PacketCh():
			t.receive(p)
		case <-t.stopped:
			return
		}
	}
}

func (t *transport) receive(p *memberlist.Packet) {
	from := addrPort(p.From)
	if !t.passes(from) {
		return
	}
	if p.Buf[0] != datagramMark {
		t.metrics.received(kindMembership, len(p.Buf))
		t.seal.current() // so that an agent without datagrams notices a rotation too
		// The socket's buffer has 64 KiB for each packet, however short.
		select {
		case t.membership <- &memberlist.Packet{Buf: bytes.Clone(p.Buf), From: p.From, Timestamp: p.Timestamp}:
		default:
			t.metrics.drop(dropMembershipFull)
		}
		return
	}
	t.metrics.received(kindDatagram, len(p.Buf))
	body, ok := t.seal.open(p.Buf)
	if !ok {
		t.metrics.drop(dropForeign)
		return
	}
	select {
	case t.packets <- Packet{From: from, At: p.Timestamp, Body: body}:
	default:
		t.metrics.drop(dropQueueFull)
	}
}

// FinalAdvertiseAddr implements memberlist.Transport.
func (t *transport) FinalAdvertiseAddr(ip string, port int) (net.IP, int, error) {
	return t.under.FinalAdvertiseAddr(ip, port)
}

// WriteTo implements memberlist.Transport.
func (t *transport) WriteTo(packet []byte, addr string) (time.Time, error) {
	to, err := netip.ParseAddrPort(addr)
	if err != nil {
		return time.Time{}, err
	}
	if !t.passes(unmap(to)) {
		return time.Now(), nil
	}
	at, err := t.under.WriteTo(packet, addr)
	if err == nil {
		t.metrics.sent(kindMembership, len(packet))
	}
	return at, err
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
		// The pumps go on: a listener that just handed something over would
		// otherwise wait for them for ever, and this for it.
		err = t.under.Shutdown()
		close(t.stopped)
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
