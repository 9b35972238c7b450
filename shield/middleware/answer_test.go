package middleware

import (
	"bufio"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"moonwatch/shield/orders"
)

func contains(text, part string) bool { return strings.Contains(text, part) }

func quiet() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

// What a handler can do with the server's own writer it can do behind a guard.
func TestHandlersHaveWhatTheServerGivesThem(t *testing.T) {
	g, err := New(Config{Capacity: 1000, Log: quiet()})
	must(t, err)
	defer g.Close()
	mux := http.NewServeMux()
	mux.HandleFunc("/stream", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintln(w, "first")
		w.(http.Flusher).Flush()
		must(t, http.NewResponseController(w).SetWriteDeadline(time.Now().Add(time.Minute)))
		fmt.Fprintln(w, "second")
	})
	mux.HandleFunc("/upgrade", func(w http.ResponseWriter, _ *http.Request) {
		c, rw, err := w.(http.Hijacker).Hijack()
		must(t, err)
		defer c.Close()
		_, _ = rw.WriteString("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\nhello\n")
		_ = rw.Flush()
	})
	mux.HandleFunc("/file", func(w http.ResponseWriter, _ *http.Request) {
		if _, ok := w.(io.ReaderFrom); !ok {
			t.Error("no io.ReaderFrom")
		}
		_, _ = io.Copy(w, strings.NewReader("content"))
	})
	mux.HandleFunc("/early", func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusEarlyHints)
		w.WriteHeader(http.StatusTeapot)
	})
	mux.HandleFunc("/nothing", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("/panic", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	s := httptest.NewServer(g.Wrap(mux))
	defer s.Close()
	defer http.DefaultClient.CloseIdleConnections()
	for path, want := range map[string]string{"/stream": "200 first\nsecond\n", "/file": "200 content", "/early": "418 ", "/nothing": "200 "} {
		res, err := http.Get(s.URL + path)
		must(t, err)
		body, _ := io.ReadAll(res.Body)
		res.Body.Close()
		if got := fmt.Sprintf("%d %s", res.StatusCode, body); got != want {
			t.Errorf("%s: got %q, want %q", path, got, want)
		}
	}
	if res, err := http.Get(s.URL + "/panic"); err == nil {
		res.Body.Close()
		t.Errorf("a panic became %s", res.Status)
	}
	c, err := net.Dial("tcp", s.Listener.Addr().String())
	must(t, err)
	defer c.Close()
	fmt.Fprint(c, "GET /upgrade HTTP/1.1\r\nHost: x.example\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
	r := bufio.NewReader(c)
	res, err := http.ReadResponse(r, nil)
	must(t, err)
	defer res.Body.Close()
	if line, _ := r.ReadString('\n'); res.StatusCode != http.StatusSwitchingProtocols || line != "hello\n" {
		t.Errorf("got %s %q", res.Status, line)
	}
	// Well served are those of 2xx to 4xx.
	until(t, "all are counted", func() bool { x := g.counter.Total(); return x.Asked >= 6 && x.Served == 5 })
}

func TestASocketThatACrashLeftIsTakenOver(t *testing.T) {
	path := socketPath(t)
	l, err := net.Listen("unix", path)
	must(t, err)
	l.(*net.UnixListener).SetUnlinkOnClose(false)
	l.Close()
	g, err := New(Config{Socket: path, Log: quiet()})
	must(t, err)
	if other, err := New(Config{Socket: path, Log: quiet()}); err == nil || !contains(err.Error(), "another process") {
		t.Errorf("two at one socket: %v, %v", other, err)
	}
	info, err := os.Stat(path)
	must(t, err)
	if mode := info.Mode().Perm(); mode&0o007 != 0 {
		t.Errorf("everybody may tell it what to do: %v", mode)
	}
	must(t, g.Close())
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		t.Errorf("the socket is left behind: %v", err)
	}
	if err := os.WriteFile(path, []byte("somebody's file"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := New(Config{Socket: path, Log: quiet()}); err == nil {
		t.Error("a file was taken for a socket")
	}
	if text, _ := os.ReadFile(path); string(text) != "somebody's file" {
		t.Error("somebody's file is gone")
	}
}

// What is no order changes nothing, and is answered with what was wanted.
func TestNoWordsButOrdersAreObeyed(t *testing.T) {
	g, err := New(Config{Socket: socketPath(t), Log: quiet()})
	must(t, err)
	defer g.Close()
	say := func(method, text string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		g.obey(w, httptest.NewRequest(method, "/", strings.NewReader(text)))
		return w
	}
	stop := orders.Order{Lease: time.Minute, Set: "a-1", Hold: []orders.Hold{{Name: "a.example.com", Rung: "stop"}, {Name: "*.example.com", Rung: "shape", Admit: 5}, {Name: "-", Rung: "stop"}, {Name: "no name", Rung: "stop"}}}
	if w := say(http.MethodPost, string(stop.Encode())); w.Code != http.StatusBadRequest {
		t.Errorf("a name with a space was answered %d", w.Code)
	}
	stop.Hold = stop.Hold[:3]
	if w := say(http.MethodPost, string(stop.Encode())); w.Code != http.StatusOK || !contains(w.Body.String(), "has a-1\n") || len(g.Held()) != 3 {
		t.Fatalf("got %d %s, held %v", w.Code, w.Body, g.Held())
	}
	for what, w := range map[string]*httptest.ResponseRecorder{
		"a GET": say(http.MethodGet, ""), "nothing": say(http.MethodPost, ""), "half": say(http.MethodPost, string(stop.Encode()[:60])),
	} {
		if w.Code != http.StatusBadRequest && w.Code != http.StatusMethodNotAllowed || len(g.Held()) != 3 {
			t.Errorf("%s: %d %s", what, w.Code, w.Body)
		}
	}
}

func until(t *testing.T, what string, done func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !done(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within 30 s: %s", what)
		}
	}
}

// What the guard adds to a request that is let in.
func BenchmarkWrap(b *testing.B) {
	g, err := New(Config{Capacity: 1e9, Log: quiet()})
	must(b, err)
	defer g.Close()
	h := g.Wrap(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Host = "www.example.com:8080"
	w := httptest.NewRecorder()
	b.ReportAllocs()
	for b.Loop() {
		h.ServeHTTP(w, r)
	}
}
