package daemon

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"

	"moonwatch/internal/config"
	"moonwatch/status"
	"moonwatch/status/web"
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

// called hands out connections of the addresses named, and then no more.
type called struct {
	net.Listener
	from []string
}

type calledConn struct {
	net.Conn
	from   net.Addr
	closed *int
}

func (c calledConn) RemoteAddr() net.Addr { return c.from }
func (c calledConn) Close() error         { *c.closed++; return nil }

func (l *called) Accept() (net.Conn, error) {
	if len(l.from) == 0 {
		return nil, net.ErrClosed
	}
	a := net.TCPAddrFromAddrPort(netip.MustParseAddrPort(l.from[0]))
	l.from = l.from[1:]
	return calledConn{from: a, closed: new(int)}, nil
}

// One address cannot keep the page from all others; what it gives back it may take again.
func TestOneAddressTakesNoMoreThanItsPart(t *testing.T) {
	l := &called{}
	f := &fair{Listener: l, most: 3, held: map[netip.Prefix]int{}}
	accepted := func(from ...string) (out []net.Conn) {
		t.Helper()
		l.from = from
		for {
			c, err := f.Accept()
			if err != nil {
				return out
			}
			out = append(out, c)
		}
	}
	var many []string
	for i := range 10 {
		many = append(many, fmt.Sprintf("192.0.2.1:%d", 1000+i))
	}
	first := accepted(many...)
	if len(first) != 3 {
		t.Fatalf("one address has %d connections, want 3", len(first))
	}
	if n := len(accepted("192.0.2.2:1", "[::ffff:192.0.2.1]:2", "[2001:db8::1]:1", "[2001:db8::2]:1", "[2001:db8::3]:1", "[2001:db8::4]:1")); n != 4 {
		t.Errorf("others have %d connections, want 1 of another address and 3 of one IPv6 network", n)
	}
	_, _ = first[0].Close(), first[0].Close()
	if n := len(accepted(many...)); n != 1 {
		t.Errorf("a place that was given back twice was taken %d times", n)
	}
	if n := len(accepted("127.0.0.1:1", "127.0.0.1:2", "127.0.0.1:3", "127.0.0.1:4", "[::1]:5")); n != 5 {
		t.Errorf("a proxy of this machine has %d connections, want all 5", n)
	}
	for _, c := range first {
		_ = c.Close()
	}
	if n := f.held[netip.MustParsePrefix("192.0.2.1/32")]; n != 1 {
		t.Errorf("%d are counted, one is held", n)
	}
}

// pageDoor is the door of an agent's page, of which nothing else runs: where it is, with a
// time for answers that a test can wait for.
func pageDoor(t *testing.T, beat, answer time.Duration) string {
	t.Helper()
	d := &Daemon{cfg: Config{Agent: &config.Agent{HTTP: "127.0.0.1:0"}}, log: zap.NewNop(), web: web.New(web.Config{Beat: beat})}
	d.web.SetPage(status.Page{Schema: status.Schema, Cluster: cluster, Now: time.Now()})
	x, err := d.listen(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if x.servers[0].WriteTimeout <= 0 {
		t.Error("who does not take an answer holds its connection for ever")
	}
	x.servers[0].WriteTimeout = answer
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	served := make(chan error, 1)
	go func() { served <- x.serve(ctx) }()
	t.Cleanup(func() {
		d.web.Close()
		cancel()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return x.http.String()
}

// Who asks for the page and announces more is not waited for: the agent's connections are
// what it votes over, too.
func TestAQuestionWithABodyThatDoesNotComeIsAnswered(t *testing.T) {
	c, err := net.Dial("tcp", pageDoor(t, time.Hour, answerFor))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(30 * time.Second))
	if _, err := io.WriteString(c, "GET /-/healthy HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	if answer, err := io.ReadAll(c); err != nil || !strings.HasPrefix(string(answer), "HTTP/1.1 200") {
		t.Errorf("answered %q, %v: want 200, and the end of the connection", answer, err)
	}
}

// An answer has an end, and a live page none.
func TestALivePageGoesOnForLongerThanAnAnswerMayTake(t *testing.T) {
	c, err := net.Dial("tcp", pageDoor(t, 100*time.Millisecond, 200*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(30 * time.Second))
	if _, err := io.WriteString(c, "GET /events HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(c)
	lines.Buffer(nil, 1<<20)
	beats := 0
	for beats < 8 && lines.Scan() {
		if lines.Text() == "event: beat" {
			beats++
		}
	}
	if beats < 8 {
		t.Errorf("it ended after %d beats: %v", beats, lines.Err())
	}
}
