package haproxy

import (
	"io"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
)

// wire stands between a door and an admin socket, so that a test can cut it, let it
// hang, or have it answer something else.
type wire struct {
	t      *testing.T
	path   string
	to     string
	listen net.Listener

	mu      sync.Mutex
	mode    string // "", cut, hang, or what is answered
	hanging chan struct{}
	serving sync.WaitGroup
}

const (
	cut  = "cut"
	hang = "hang"
)

// newWire leads to a socket; without one it has to answer itself.
func newWire(t *testing.T, to string) *wire {
	t.Helper()
	dir, err := os.MkdirTemp("", "mww") //nolint:usetesting // t.TempDir is too long a path for a socket
	if err != nil {
		t.Fatal(err)
	}
	w := &wire{t: t, path: filepath.Join(dir, "s"), to: to, hanging: make(chan struct{})}
	if w.listen, err = net.Listen("unix", w.path); err != nil {
		t.Fatal(err)
	}
	w.serving.Go(func() {
		for {
			c, err := w.listen.Accept()
			if err != nil {
				return
			}
			w.serving.Go(func() { w.carry(c) })
		}
	})
	t.Cleanup(func() {
		w.listen.Close()
		close(w.hanging)
		w.serving.Wait()
		_ = os.RemoveAll(dir)
	})
	return w
}

func (w *wire) become(mode string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.mode = mode
}

func (w *wire) cut() { w.become(cut) }

func (w *wire) carry(c net.Conn) {
	defer c.Close()
	w.mu.Lock()
	mode := w.mode
	w.mu.Unlock()
	switch mode {
	case cut:
		return
	case hang:
		<-w.hanging
		return
	case "":
	default:
		var line [lineMost]byte
		_, _ = c.Read(line[:])
		_, _ = io.WriteString(c, mode)
		return
	}
	to, err := net.Dial("unix", w.to)
	if err != nil {
		return
	}
	defer to.Close()
	// The door says one line and then hears; HAProxy closes after its answer.
	go func() { _, _ = io.Copy(to, c) }()
	_, _ = io.Copy(c, to)
}
