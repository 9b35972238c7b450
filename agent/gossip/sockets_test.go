package gossip

import (
	"bytes"
	"context"
	"net/netip"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/memberlist"
)

// opened are sockets of this machine, read by hand until the test is over.
func opened(t testing.TB, hand func([]byte, netip.AddrPort, time.Time)) *sockets {
	t.Helper()
	s, err := bind(netip.MustParseAddrPort("127.0.0.1:0"))
	if err != nil {
		t.Fatal(err)
	}
	var reader sync.WaitGroup
	reader.Go(func() { s.readAll(context.Background(), hand, func(err error) { t.Error(err) }) })
	t.Cleanup(func() {
		_ = s.close()
		reader.Wait()
	})
	return s
}

// at is where the sockets are reached.
func (s *sockets) at() netip.AddrPort { return addrPort(s.udp.LocalAddr()) }

func TestBothSocketsHaveOnePort(t *testing.T) {
	s := opened(t, func([]byte, netip.AddrPort, time.Time) {})
	if tcp := addrPort(s.tcp.Addr()); tcp != s.at() || s.port() == 0 {
		t.Errorf("streams at %s, packets at %s", tcp, s.at())
	}
}

// The engine's own sockets take 64 KiB for each packet: in an idle fleet of seven that was
// 2 MB/s of garbage in each agent.
func TestAPacketCostsLittleMemory(t *testing.T) {
	const packets, most = 500, 4 << 10
	came := make(chan int, 1)
	s := opened(t, func(p []byte, _ netip.AddrPort, _ time.Time) {
		select {
		case came <- len(p):
		default: // it was sent twice, and came twice
		}
	})
	from := stranger(t)
	again := time.NewTicker(time.Second) // the kernel may drop a packet, also on its way to itself
	defer again.Stop()
	giveUp := time.After(time.Minute)
	ask := func() {
		for {
			if _, err := from.WriteToUDPAddrPort(make([]byte, 100), s.at()); err != nil {
				t.Fatal(err)
			}
			select {
			case n := <-came:
				if n != 100 {
					t.Fatalf("a packet of 100 bytes came with %d", n)
				}
				return
			case <-again.C:
			case <-giveUp:
				t.Fatal("packets do not come")
			}
		}
	}
	ask()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range packets {
		ask()
	}
	runtime.ReadMemStats(&after)
	if each := (after.TotalAlloc - before.TotalAlloc) / packets; each > most {
		t.Errorf("a packet of 100 bytes cost %d bytes of memory, want at most %d", each, most)
	}
}

// A packet's bytes are overwritten by the next one: what the engine and the daemon are
// given must be their own.
func TestNobodyIsGivenTheSocketsBuffer(t *testing.T) {
	m, err := newMetrics(nil)
	if err != nil {
		t.Fatal(err)
	}
	tr := &transport{
		seal: testSealer(t, "test", testKey), metrics: m,
		packets: make(chan Packet, 1), membership: make(chan *memberlist.Packet, 1),
	}
	from := netip.MustParseAddrPort("127.0.0.1:7946")
	lend := func(packet []byte) {
		tr.receive(packet, from, time.Now())
		clear(packet)
	}
	sealed, err := tr.seal.seal([]byte("ours"))
	if err != nil {
		t.Fatal(err)
	}
	lend(sealed)
	if p := <-tr.packets; string(p.Body) != "ours" {
		t.Errorf("the daemon was given %q", p.Body)
	}
	lend([]byte{1, 2, 3})
	if p := <-tr.membership; !bytes.Equal(p.Buf, []byte{1, 2, 3}) || p.From.String() != from.String() {
		t.Errorf("the engine was given %v from %s", p.Buf, p.From)
	}
}

func BenchmarkPacket(b *testing.B) {
	came := make(chan struct{}, 1)
	s := opened(b, func([]byte, netip.AddrPort, time.Time) { came <- struct{}{} })
	to, err := bind(netip.MustParseAddrPort("127.0.0.1:0"))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = to.close() })
	packet := make([]byte, 100)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := to.udp.WriteToUDPAddrPort(packet, s.at()); err != nil {
			b.Fatal(err)
		}
		<-came
	}
}
