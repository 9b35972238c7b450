package probe

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
)

func TestAnHTTPAnswerIsWeighedByItsStatus(t *testing.T) {
	tests := []struct {
		status int
		want   Outcome
		says   string
	}{
		{200, Answers, "200 OK"},
		{204, Answers, "204 No Content"},
		{302, Answers, "302 Found"},
		{399, Answers, "399"},
		{400, Refuses, "400 Bad Request"},
		{404, Refuses, "404 Not Found"},
		{500, Refuses, "500 Internal Server Error"},
		{503, Refuses, "503 Service Unavailable"},
	}
	for _, tt := range tests {
		var asked atomic.Int32
		port := serve(t, func(w http.ResponseWriter, r *http.Request) {
			asked.Add(1)
			w.Header().Set("Location", "/elsewhere")
			w.WriteHeader(tt.status)
		})
		result := New(Config{}).Run(t.Context(), loopback, get(port, "/healthz"), ample)
		if want := fmt.Sprintf("GET :%d/healthz: %s", port, tt.says); result.Outcome != tt.want || !strings.HasPrefix(result.Detail, want) {
			t.Errorf("%d: got %v (%s), want %v (%s)", tt.status, result.Outcome, result.Detail, tt.want, want)
		}
		if asked.Load() != 1 {
			t.Errorf("%d: asked %d times, want once and no redirect followed", tt.status, asked.Load())
		}
	}
}

func TestAnHTTPCheckSaysWhoAsksAndForWhichOccupant(t *testing.T) {
	seen := make(chan *http.Request, 1)
	port := serve(t, func(_ http.ResponseWriter, r *http.Request) { seen <- r })
	occupant := loopback
	occupant.Slot, occupant.SlotEpoch = "web-0", 42
	for _, target := range []Target{loopback, occupant} {
		New(Config{}).Run(t.Context(), target, get(port, "/healthz?deep=1"), ample)
		r := <-seen
		epoch := ""
		if target.Slot != "" {
			epoch = "42"
		}
		if got := r.Header; got.Get("User-Agent") != userAgent || got.Get("X-Moonwatch-Slot") != string(target.Slot) || got.Get("X-Moonwatch-Slot-Epoch") != epoch {
			t.Errorf("headers %v", got)
		}
		if r.Method != http.MethodGet || r.RequestURI != "/healthz?deep=1" || r.Host != fmt.Sprintf("127.0.0.1:%d", port) || !r.Close {
			t.Errorf("asked %s %s of %s, close %v", r.Method, r.RequestURI, r.Host, r.Close)
		}
	}
}

func TestAProxyOfTheEnvironmentIsNotAsked(t *testing.T) {
	t.Setenv("HTTP_PROXY", "http://127.0.0.1:1")
	port := serve(t, func(http.ResponseWriter, *http.Request) {})
	if result := New(Config{}).Run(t.Context(), loopback, get(port, "/"), ample); result.Outcome != Answers {
		t.Errorf("got %v (%s)", result.Outcome, result.Detail)
	}
}

func TestAServiceThatTalksBadlyRefuses(t *testing.T) {
	tests := map[string]string{
		"nothing at all":           "",
		"no HTTP":                  "SSH-2.0-OpenSSH_9.2\r\n",
		"half a status":            "HTTP/1.1 20",
		"a body cut off":           "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nfive.",
		"endless headers":          "HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", 1<<20),
		"words to trick a console": "HTTP/1.1 500 \x1b[2J" + strings.Repeat("ü", 500) + "\r\n\r\n",
	}
	for claim, words := range tests {
		port := speak(t, func(conn net.Conn) {
			_, _ = bufio.NewReader(conn).ReadString('\n')
			_, _ = io.WriteString(conn, words)
		})
		result := New(Config{}).Run(t.Context(), loopback, get(port, "/"), ample)
		if result.Outcome != Refuses || len(result.Detail) > detailLimit+4 || strings.ContainsAny(result.Detail, "\x1b\n\r") {
			t.Errorf("%s: got %v (%q)", claim, result.Outcome, result.Detail)
		}
	}
}
