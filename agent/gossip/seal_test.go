package gossip

import (
	"bytes"
	"testing"

	"github.com/hashicorp/memberlist"
)

func testSealer(t testing.TB, clusterID string, keys ...[]byte) *sealer {
	t.Helper()
	ring, err := memberlist.NewKeyring(keys, keys[0])
	if err != nil {
		t.Fatal(err)
	}
	s, err := newSealer(clusterID, ring)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestWhatIsSealedOpensOnlyUnchangedAndAtHome(t *testing.T) {
	s := testSealer(t, "home", testKey)
	for _, size := range []int{0, 1, MaxBody} {
		body := bytes.Repeat([]byte{7}, size)
		packet, err := s.seal(body)
		if err != nil {
			t.Fatal(err)
		}
		if len(packet) != size+sealSize || len(packet) > MaxDatagram || packet[0] != datagramMark {
			t.Errorf("packet of %d bytes begins with %#x", len(packet), packet[0])
		}
		if got, ok := s.open(packet); !ok || !bytes.Equal(got, body) {
			t.Errorf("%d bytes do not come back", size)
		}
		for i := range packet {
			packet[i] ^= 1
			if _, ok := s.open(packet); ok {
				t.Fatalf("opens with byte %d changed", i)
			}
			packet[i] ^= 1
		}
		if _, ok := s.open(packet[:len(packet)-1]); ok {
			t.Error("opens truncated")
		}
		if _, ok := testSealer(t, "abroad", testKey).open(packet); ok {
			t.Error("opens in another cluster")
		}
		if _, ok := testSealer(t, "home", otherKey).open(packet); ok {
			t.Error("opens under another key")
		}
	}
}

func TestSealedTwiceIsNeverTheSame(t *testing.T) {
	s := testSealer(t, "home", testKey)
	a, _ := s.seal([]byte("x"))
	b, _ := s.seal([]byte("x"))
	if bytes.Equal(a, b) {
		t.Error("the nonce was used twice")
	}
}

func TestEveryKeyOfTheRingOpensAndTheFirstSeals(t *testing.T) {
	old, both, fresh := testSealer(t, "home", testKey), testSealer(t, "home", otherKey, testKey), testSealer(t, "home", otherKey)
	packet, _ := old.seal([]byte("old"))
	if _, ok := both.open(packet); !ok {
		t.Error("the second key does not open")
	}
	packet, _ = both.seal([]byte("new"))
	if _, ok := fresh.open(packet); !ok {
		t.Error("the first key did not seal")
	}
	if _, ok := old.open(packet); ok {
		t.Error("opens without its key")
	}
}

func TestTheRingIsFollowedWithoutARestart(t *testing.T) {
	s := testSealer(t, "home", testKey)
	for _, change := range []func() error{
		func() error { return s.keys.AddKey(otherKey) },
		func() error { return s.keys.UseKey(otherKey) },
		func() error { return s.keys.RemoveKey(testKey) },
	} {
		if err := change(); err != nil {
			t.Fatal(err)
		}
		s.current()
		select {
		case <-s.rotated:
		default:
			t.Error("the rotation was not told")
		}
	}
	old, _ := testSealer(t, "home", testKey).seal([]byte("x"))
	if _, ok := s.open(old); ok {
		t.Error("a removed key opens")
	}
	fresh, _ := testSealer(t, "home", otherKey).seal([]byte("x"))
	if _, ok := s.open(fresh); !ok {
		t.Error("an added key does not open")
	}
}

// FuzzOpen: whatever arrives, it opens as nothing that was not sealed.
func FuzzOpen(f *testing.F) {
	s := testSealer(f, "home", testKey, otherKey)
	sealed, err := s.seal([]byte("a vote"))
	if err != nil {
		f.Fatal(err)
	}
	abroad, _ := testSealer(f, "abroad", testKey).seal([]byte("a vote"))
	long, _ := s.seal(make([]byte, MaxBody))
	for _, seed := range [][]byte{nil, {datagramMark}, sealed, sealed[:sealSize], sealed[:len(sealed)-1], abroad, long, append(long, 0)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, packet []byte) {
		// The seeds may have been sealed by another process: known by the body.
		body, ok := s.open(packet)
		if ok && string(body) != "a vote" && !bytes.Equal(body, make([]byte, MaxBody)) {
			t.Fatalf("forged: %x opens as %q", packet, body)
		}
	})
}

func BenchmarkSeal(b *testing.B) {
	s, body := testSealer(b, "home", testKey), make([]byte, MaxBody)
	b.ReportAllocs()
	b.SetBytes(MaxBody)
	for b.Loop() {
		if _, err := s.seal(body); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkOpen(b *testing.B) {
	s := testSealer(b, "home", testKey)
	packet, _ := s.seal(make([]byte, MaxBody))
	b.ReportAllocs()
	b.SetBytes(MaxBody)
	for b.Loop() {
		if _, ok := s.open(packet); !ok {
			b.Fatal("does not open")
		}
	}
}

func BenchmarkOpenForeign(b *testing.B) { // the price of a flood, per packet
	s := testSealer(b, "home", testKey, otherKey)
	packet, _ := testSealer(b, "abroad", testKey).seal(make([]byte, MaxBody))
	b.ReportAllocs()
	b.SetBytes(MaxBody)
	for b.Loop() {
		if _, ok := s.open(packet); ok {
			b.Fatal("opens")
		}
	}
}
