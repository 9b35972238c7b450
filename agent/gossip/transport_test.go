package gossip

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync/atomic"
	"testing"
)

// stranger is a socket that is no agent.
func stranger(t *testing.T) *net.UDPConn {
	t.Helper()
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

func TestForeignDatagramsAreCountedAndNeverDelivered(t *testing.T) {
	g := start(t, config("a"))
	sealed, err := g.seal.seal([]byte("ours"))
	if err != nil {
		t.Fatal(err)
	}
	abroad, _ := testSealer(t, "another", testKey).seal([]byte("of a cluster with our key"))
	forged, _ := testSealer(t, "test", otherKey).seal([]byte("of our cluster with a foreign key"))
	garbled := slices.Clone(sealed)
	garbled[len(garbled)/2] ^= 0x10
	foreign := [][]byte{abroad, forged, garbled, sealed[:len(sealed)-1], {datagramMark}, make([]byte, 2000)}
	foreign[5][0] = datagramMark

	from := stranger(t)
	for _, packet := range append(foreign, []byte{0xff, 1, 2, 3}, sealed) {
		if _, err := from.WriteToUDPAddrPort(packet, g.Addr()); err != nil {
			t.Fatal(err)
		}
	}
	if p := receive(t, g); string(p.Body) != "ours" || p.At.IsZero() {
		t.Errorf("got %q at %v", p.Body, p.At)
	}
	if n := dropped(g, dropForeign); n != float64(len(foreign)) {
		t.Errorf("%v foreign datagrams counted, want %d", n, len(foreign))
	}
	if len(g.Packets()) > 0 {
		t.Errorf("delivered: %q", (<-g.Packets()).Body)
	}
}

func TestAFullQueueIsCountedAndHoldsUpNobody(t *testing.T) {
	a, b := start(t, config("a")), start(t, config("b"))
	const over = 50
	for i := range packetQueue + over {
		if err := a.Send(b.Addr(), fmt.Append(nil, i)); err != nil {
			t.Fatal(err)
		}
		if i%100 == 99 { // or the kernel's queue overflows first
			until(t, b, "it has read them", func() bool {
				return len(b.Packets())+int(dropped(b, dropQueueFull)) == i+1
			})
		}
	}
	until(t, b, "the rest is counted", func() bool { return dropped(b, dropQueueFull) == over })
	join(t, a, b) // membership goes on
	until(t, b, "a is there", func() bool { return peer(b, "a").Alive })
	for i := range packetQueue { // the oldest are kept, in order
		if got := string((<-b.Packets()).Body); got != fmt.Sprint(i) {
			t.Fatalf("datagram %d is %s", i, got)
		}
	}
}

func TestAShutGateDropsBothWaysAndHeals(t *testing.T) {
	var shut atomic.Bool
	c := config("a")
	c.Gate = func(netip.AddrPort) bool { return !shut.Load() }
	a, b, d := start(t, c), start(t, config("b")), start(t, config("d"))
	join(t, a, b)
	join(t, d, b)
	until(t, a, "it sees all", func() bool { return alive(a) == 3 })

	shut.Store(true)
	before := dropped(a, dropGate)
	if err := a.Send(b.Addr(), []byte("out")); err != nil {
		t.Errorf("the sender was told: %v", err)
	}
	if err := b.Send(a.Addr(), []byte("in")); err != nil {
		t.Error(err)
	}
	until(t, b, "a is lost", func() bool { return !peer(b, "a").Alive && peer(b, "d").Alive })
	until(t, a, "all others are lost", func() bool { return alive(a) == 1 })
	if len(a.Packets())+len(b.Packets()) > 0 || dropped(a, dropGate) < before+2 {
		t.Errorf("passed the gate: %d and %d, dropped %v", len(a.Packets()), len(b.Packets()), dropped(a, dropGate)-before)
	}
	if n, err := b.Join(t.Context(), []string{a.Addr().String()}); n != 0 || err == nil {
		t.Errorf("joined %d through the gate, error %v", n, err)
	}

	shut.Store(false)
	for _, g := range []*Gossip{a, b, d} {
		until(t, g, "all are back", func() bool { return alive(g) == 3 })
	}
	if err := a.Send(b.Addr(), []byte("again")); err != nil {
		t.Fatal(err)
	}
	if p := receive(t, b); string(p.Body) != "again" {
		t.Errorf("got %q", p.Body)
	}
}

func TestInboundStreamsAreBounded(t *testing.T) {
	g := start(t, config("a"))
	for range maxInbound + 10 {
		conn, err := net.Dial("tcp", g.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
	}
	until(t, g, "the rest is refused", func() bool { return dropped(g, dropStreamsFull) == 10 })
}
