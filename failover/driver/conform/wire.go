package conform

import (
	"context"
	"io"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// Treatment is what a Wire does to one connection.
type Treatment struct{ kind, text string }

// What can happen to a connection. Say answers with a text of the check's own.
var (
	Pass        = Treatment{kind: "pass"}
	Hang        = Treatment{kind: "hanging"}            // heard, never answered
	Flood       = Treatment{kind: "flooding"}           // answered without an end
	LoseRequest = Treatment{kind: "losing the request"} // the target never hears of it
	LoseAnswer  = Treatment{kind: "losing the answer"}  // the target heard and answered
	Say         = func(text string) Treatment { return Treatment{kind: "saying", text: text} }
)

func (t Treatment) String() string { return t.kind }

// Wire is a stream between a driver and its target that can be spoiled. It
// counts connections: a driver that asks several things in one gets them spoiled
// together.
type Wire struct {
	t       *testing.T
	network string
	address string
	target  string

	mu       sync.Mutex
	listener net.Listener
	treat    func(int) Treatment
	count    int
	spoiled  int
	open     map[net.Conn]bool
	done     sync.WaitGroup
}

// NewWire leads to the target's address, "unix" or "tcp". It ends with the test.
func NewWire(t *testing.T, network, target string) *Wire {
	t.Helper()
	w := &Wire{t: t, network: network, target: target, address: "127.0.0.1:0", open: map[net.Conn]bool{}}
	if network == "unix" {
		dir, err := os.MkdirTemp("", "wire") //nolint:usetesting // t.TempDir is too long a path for a socket
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = os.RemoveAll(dir) })
		w.address = filepath.Join(dir, "socket")
	}
	w.Up()
	t.Cleanup(w.end)
	return w
}

// Address is what the driver is to connect to.
func (w *Wire) Address() string { return w.address }

// Treat decides about the connections from now on, counted from 0; nil lets
// them pass.
func (w *Wire) Treat(treat func(n int) Treatment) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.treat, w.count, w.spoiled = treat, 0, 0
}

// Spoiled is how many connections did not pass since Treat.
func (w *Wire) Spoiled() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.spoiled
}

// Down makes the target unreachable.
func (w *Wire) Down() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.listener.Close()
	for conn := range w.open {
		conn.Close()
	}
}

// Up makes it reachable again.
func (w *Wire) Up() {
	w.t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(context.Background(), w.network, w.address)
	if err != nil {
		w.t.Fatal(err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.listener, w.address = listener, listener.Addr().String()
	w.done.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			w.done.Go(func() { w.carry(conn) })
		}
	})
}

func (w *Wire) end() {
	w.Down()
	w.done.Wait()
}

func (w *Wire) next() Treatment {
	w.mu.Lock()
	defer w.mu.Unlock()
	how := Pass
	if w.treat != nil {
		how = w.treat(w.count)
	}
	w.count++
	if how != Pass {
		w.spoiled++
	}
	return how
}

// keep notes a connection, so that the wire can end it.
func (w *Wire) keep(conn net.Conn) (drop func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.open[conn] = true
	return func() {
		conn.Close()
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.open, conn)
	}
}

func (w *Wire) carry(driver net.Conn) {
	defer w.keep(driver)()
	how := w.next()
	switch how.kind {
	case Pass.kind, LoseAnswer.kind:
		w.join(driver, how)
	case Hang.kind:
		_, _ = io.Copy(io.Discard, driver)
	case Flood.kind:
		for {
			if _, err := driver.Write(make([]byte, 64<<10)); err != nil {
				return
			}
		}
	default: // the request is heard here, and goes nowhere
		_, _ = driver.Read(make([]byte, 64<<10))
		_, _ = io.WriteString(driver, how.text)
	}
}

func (w *Wire) join(driver net.Conn, how Treatment) {
	target, err := (&net.Dialer{Timeout: 5 * time.Second}).DialContext(context.Background(), w.network, w.target)
	if err != nil {
		return // as a target that is gone
	}
	defer w.keep(target)()
	var forth sync.WaitGroup
	forth.Go(func() {
		_, _ = io.Copy(target, driver)
		if half, ok := target.(interface{ CloseWrite() error }); ok {
			_ = half.CloseWrite()
		}
	})
	if how.kind == LoseAnswer.kind {
		_, _ = target.Read(make([]byte, 1)) // its first byte tells that the deed is done
	} else {
		_, _ = io.Copy(driver, target)
	}
	driver.Close()
	target.Close()
	forth.Wait()
}
