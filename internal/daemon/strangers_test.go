package daemon

import (
	"io"
	"net"
	"net/http"
	"testing"
	"time"
)

// People outside hold no more connections than they may, and none for ever: a body that
// never ends is not waited for.
func TestStrangersTakeSoMuchAndNoMore(t *testing.T) {
	inner, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{ReadHeaderTimeout: time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.WriteHeader(http.StatusNoContent)
	})}
	l := strangers(inner, s)
	if s.ReadTimeout <= 0 || s.WriteTimeout <= 0 || s.MaxHeaderBytes > 8<<10 {
		t.Errorf("times %v and %v, head of %d bytes: want an end of each", s.ReadTimeout, s.WriteTimeout, s.MaxHeaderBytes)
	}
	s.ReadTimeout = 500 * time.Millisecond // no test waits for ten seconds
	go func() { _ = s.Serve(l) }()
	defer func() { _ = s.Close() }()

	dial := func() net.Conn {
		t.Helper()
		c, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", inner.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		return c
	}
	for range strangersMost {
		if _, err := io.WriteString(dial(), "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\nhalf"); err != nil {
			t.Fatal(err)
		}
	}
	// All places are taken by bodies that never end: the next one is served when theirs
	// is cut off.
	last := dial()
	_ = last.SetDeadline(time.Now().Add(30 * time.Second))
	if _, err := io.WriteString(last, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	if answer, err := io.ReadAll(last); err != nil || len(answer) < 12 || string(answer[9:12]) != "204" {
		t.Errorf("answered %q, %v: want 204", answer, err)
	}
}
