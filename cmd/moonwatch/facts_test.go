package main

import (
	"bytes"
	"context"
	"encoding/json"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"moonwatch/status"
)

// ledgerOf is an agent whose ledger ends with fact head, of which it shows the latest.
type ledgerOf struct {
	mu   sync.Mutex
	head uint64
}

func (l *ledgerOf) reach(head uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.head = head
}

func (l *ledgerOf) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	l.mu.Lock()
	defer l.mu.Unlock()
	doc := map[string]any{"schema": 1, "now": time.Now().UTC(), "knowledge": status.Knowledge{Head: l.head, Current: true}}
	facts := []status.FactLine{}
	for i := l.head; i > 0 && len(facts) < 5; i-- {
		facts = append(facts, status.FactLine{Index: i, At: time.Unix(int64(i), 0).UTC(), Accepted: i%2 == 0, Line: "fact\x1b[2J of " + string(rune('a'+i%26))})
	}
	doc["facts"] = facts
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(doc)
}

// heard is what a command has printed so far.
type heard struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (h *heard) Write(b []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.b.Write(b)
}

func (h *heard) until(t *testing.T, what string) {
	t.Helper()
	for end := time.Now().Add(60 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		h.mu.Lock()
		has := strings.Contains(h.b.String(), what)
		h.mu.Unlock()
		if has {
			return
		}
	}
	t.Fatalf("nothing of %q in\n%s", what, h.b.String())
}

func TestFactsAreListedOldestFirst(t *testing.T) {
	l := &ledgerOf{head: 7}
	agent := served(t, l)
	r := call(t, "facts", "--last", "3", "--agent", agent)
	r.wants(t, exitOK, "       5  1970-01-01 00:00:05.000  fact")
	if lines := strings.Split(strings.TrimSpace(r.out), "\n"); len(lines) != 3 || !strings.HasPrefix(strings.TrimSpace(lines[2]), "7 ") || strings.Contains(r.out, "\x1b") {
		t.Errorf("it lists\n%q", r.out)
	}
	call(t, "facts", "--last", "2", "-o", "json", "--agent", agent).wants(t, exitOK, `"index": 6`)
	call(t, "facts", "--last", "-1", "--agent", agent).wants(t, exitUsage, "want 0 or more")
	call(t, "facts", "--follow", "-o", "yaml", "--agent", agent).wants(t, exitUsage, "table, wide or json")
	l.reach(0)
	call(t, "facts", "--agent", agent).wants(t, exitOK, "no facts")
}

// served listens on loopback until the test ends.
func served(t *testing.T, h http.Handler) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{Handler: h}
	go s.Serve(l) //nolint:errcheck // ends with Close
	t.Cleanup(func() { s.Close() })
	return l.Addr().String()
}

// TestFactsAreFollowed through an agent that is gone for a while, each once, and what was
// missed is said.
func TestFactsAreFollowed(t *testing.T) {
	l := &ledgerOf{head: 2}
	first, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	at := first.Addr().String()
	s := &http.Server{Handler: l}
	go s.Serve(first) //nolint:errcheck // ends with Close
	a := newApp(t)
	var out, errw heard
	a.out, a.errw = &out, &errw
	ctx, cancel := context.WithCancel(t.Context())
	code := make(chan int, 1)
	go func() {
		code <- a.run(ctx, []string{"facts", "--follow", "--last", "1", "-o", "json", "--agent", at})
	}()
	out.until(t, `"index":2`)
	l.reach(4)
	out.until(t, `"index":4`)
	s.Close()
	errw.until(t, "asking on")
	l.reach(12)
	second, err := net.Listen("tcp", at)
	if err != nil {
		t.Skip("another process has taken the port: ", err)
	}
	again := &http.Server{Handler: l}
	go again.Serve(second) //nolint:errcheck // ends with Close
	t.Cleanup(func() { again.Close() })
	out.until(t, `"index":12`)
	errw.until(t, "3 facts before 8 came too fast")
	cancel()
	if got := <-code; got != exitOK {
		t.Errorf("exit %d after Ctrl-C", got)
	}
	var indices []uint64
	for line := range strings.Lines(out.b.String()) {
		var x status.FactLine
		if err := json.Unmarshal([]byte(line), &x); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		indices = append(indices, x.Index)
	}
	want := []uint64{2, 3, 4, 8, 9, 10, 11, 12}
	if len(indices) != len(want) {
		t.Fatalf("followed %v, want %v", indices, want)
	}
	for i := range want {
		if indices[i] != want[i] {
			t.Errorf("followed %v, want %v", indices, want)
			break
		}
	}
}
