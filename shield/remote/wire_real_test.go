//go:build real

package remote

import (
	"io"
	"net"
	"sync"
	"testing"
)

// wire stands between an agent and its door, so that a test can cut it as the crash of an
// agent would.
type wire struct {
	addr   string
	listen net.Listener

	mu      sync.Mutex
	open    []net.Conn
	serving sync.WaitGroup
}

func newWire(t *testing.T, to string) *wire {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	w := &wire{addr: l.Addr().String(), listen: l}
	w.serving.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			w.serving.Go(func() { w.carry(c, to) })
		}
	})
	t.Cleanup(w.cut)
	return w
}

func (w *wire) carry(c net.Conn, to string) {
	defer c.Close()
	d, err := net.Dial("tcp", to)
	if err != nil {
		return
	}
	defer d.Close()
	w.mu.Lock()
	w.open = append(w.open, c, d)
	w.mu.Unlock()
	w.serving.Go(func() { _, _ = io.Copy(d, c); d.Close() })
	_, _ = io.Copy(c, d)
}

func (w *wire) cut() {
	w.listen.Close()
	w.mu.Lock()
	for _, c := range w.open {
		c.Close()
	}
	w.mu.Unlock()
	w.serving.Wait()
}
