package nowait

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"syscall"
	"testing"
	"time"
)

func udp(t *testing.T, at string) *UDP {
	t.Helper()
	c, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.MustParseAddrPort(at)))
	if err != nil {
		t.Skip("this machine has no such address:", err)
	}
	u, err := NewUDP(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = u.Close() })
	return u
}

func portOf(u *UDP) uint16 { return u.LocalAddr().(*net.UDPAddr).AddrPort().Port() }

func TestPacketsArriveWithWhoSentThem(t *testing.T) {
	for name, c := range map[string]struct{ from, at, to string }{
		"IPv4":                          {"127.0.0.1:0", "127.0.0.1:0", "127.0.0.1"},
		"IPv6":                          {"[::1]:0", "[::1]:0", "::1"},
		"to all addresses":              {"127.0.0.1:0", "0.0.0.0:0", "127.0.0.1"},
		"from all addresses":            {"0.0.0.0:0", "127.0.0.1:0", "127.0.0.1"},
		"from all addresses, as IPv6":   {"0.0.0.0:0", "127.0.0.1:0", "::ffff:127.0.0.1"},
		"of IPv4, to all addresses":     {"127.0.0.1:0", "[::]:0", "127.0.0.1"},
		"IPv4 that is written as IPv6":  {"127.0.0.1:0", "127.0.0.1:0", "::ffff:127.0.0.1"},
		"between sockets for all of it": {"[::]:0", "[::]:0", "::1"},
	} {
		t.Run(name, func(t *testing.T) {
			from, at := udp(t, c.from), udp(t, c.at)
			to := netip.AddrPortFrom(netip.MustParseAddr(c.to), portOf(at))
			for _, body := range [][]byte{[]byte("hello"), {}, bytes.Repeat([]byte("x"), 9000)} {
				if n, err := from.WriteToUDPAddrPort(body, to); n != len(body) || err != nil {
					t.Fatalf("wrote %d of %d bytes: %v", n, len(body), err)
				}
				buf := make([]byte, 1<<16)
				if err := at.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
					t.Fatal(err)
				}
				n, who, err := at.ReadFromUDPAddrPort(buf)
				if err != nil || !bytes.Equal(buf[:n], body) {
					t.Fatalf("read %d bytes of %d: %v", n, len(body), err)
				}
				want := to.Addr().Unmap() // both ends are one machine
				if who.Addr().Unmap() != want || who.Port() != portOf(from) {
					t.Errorf("a packet came from %v, want %v, port %d", who, want, portOf(from))
				}
			}
		})
	}
}

func TestASocketOfIPv4SendsNothingToIPv6(t *testing.T) {
	if _, err := udp(t, "127.0.0.1:0").WriteToUDPAddrPort([]byte("x"), netip.MustParseAddrPort("[::1]:9")); err == nil {
		t.Error("sent, want an error")
	}
}

func TestAPacketThatIsTooLongIsAnError(t *testing.T) {
	u := udp(t, "127.0.0.1:0")
	_, err := u.WriteToUDPAddrPort(make([]byte, 1<<16), netip.MustParseAddrPort("127.0.0.1:9"))
	if !errors.Is(err, syscall.EMSGSIZE) {
		t.Errorf("%v, want %v", err, syscall.EMSGSIZE)
	}
	var op *net.OpError
	if !errors.As(err, &op) {
		t.Errorf("%T, want what package net says", err)
	}
}

// A reader that waits is woken by Close and by a deadline, with the errors of package net.
func TestAReaderThatWaitsIsWoken(t *testing.T) {
	read := map[string]func(t *testing.T) (io.Closer, func(time.Time) error, func() error){
		"packets": func(t *testing.T) (io.Closer, func(time.Time) error, func() error) {
			u := udp(t, "127.0.0.1:0")
			return u, u.SetReadDeadline, func() error { _, _, err := u.ReadFromUDPAddrPort(make([]byte, 9)); return err }
		},
		"stream": func(t *testing.T) (io.Closer, func(time.Time) error, func() error) {
			c, _ := pair(t)
			return c, c.SetReadDeadline, func() error { _, err := c.Read(make([]byte, 9)); return err }
		},
	}
	for name, open := range read {
		t.Run(name, func(t *testing.T) {
			c, deadline, read := open(t)
			if err := deadline(time.Now().Add(10 * time.Millisecond)); err != nil {
				t.Fatal(err)
			}
			if err := read(); !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("after its deadline: %v, want %v", err, os.ErrDeadlineExceeded)
			}
			if err := deadline(time.Time{}); err != nil {
				t.Fatal(err)
			}
			ended := make(chan error, 1)
			go func() { ended <- read() }()
			_ = c.Close()
			if err := <-ended; !errors.Is(err, net.ErrClosed) {
				t.Errorf("after Close: %v, want %v", err, net.ErrClosed)
			}
		})
	}
}

// pair are both ends of a stream.
func pair(t *testing.T) (a, b *TCP) {
	t.Helper()
	l, err := net.ListenTCP("tcp", net.TCPAddrFromAddrPort(netip.MustParseAddrPort("127.0.0.1:0")))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	one, err := net.DialTCP("tcp", nil, l.Addr().(*net.TCPAddr))
	if err != nil {
		t.Fatal(err)
	}
	other, err := l.AcceptTCP()
	if err != nil {
		t.Fatal(err)
	}
	if a, err = NewTCP(one); err != nil {
		t.Fatal(err)
	}
	if b, err = NewTCP(other); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = a.Close(), b.Close() })
	return a, b
}

// More than the kernel keeps arrives whole: the writer waits for its reader.
func TestAStreamArrivesWhole(t *testing.T) {
	a, b := pair(t)
	sent := make([]byte, 16<<20)
	for i := range sent {
		sent[i] = byte(i % 251)
	}
	wrote := make(chan error, 1)
	go func() {
		n, err := a.Write(sent)
		if err == nil && n != len(sent) {
			err = io.ErrShortWrite
		}
		wrote <- errors.Join(err, a.Close())
	}()
	got, err := io.ReadAll(b)
	if err != nil || !bytes.Equal(got, sent) {
		t.Errorf("%d bytes arrived of %d: %v", len(got), len(sent), err)
	}
	if err := <-wrote; err != nil {
		t.Error("write:", err)
	}
	if n, err := b.Read(nil); n != 0 || err != nil {
		t.Errorf("reading nothing: %d, %v", n, err)
	}
}

// A stream that the other end breaks off ends with an error that names it, on both ways.
func TestABrokenStreamSaysSo(t *testing.T) {
	a, b := pair(t)
	if err := b.SetLinger(0); err != nil {
		t.Fatal(err)
	}
	if err := b.Close(); err != nil { // with a reset
		t.Fatal(err)
	}
	if _, err := a.Read(make([]byte, 9)); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("read: %v, want %v", err, syscall.ECONNRESET)
	}
	_, err := a.Write([]byte("x"))
	if !errors.Is(err, syscall.EPIPE) && !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("write: %v, want %v", err, syscall.EPIPE)
	}
	var op *net.OpError
	if !errors.As(err, &op) || op.Op != "write" {
		t.Errorf("write: %v, want what package net says", err)
	}
}
