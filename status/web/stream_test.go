package web

import (
	"bufio"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"moonwatch/failover"
	"moonwatch/status"
)

// serve puts s behind a real socket.
func serve(t *testing.T, s *Server) (addr string, client *http.Client) {
	t.Helper()
	h := httptest.NewServer(s)
	client = &http.Client{Transport: &http.Transport{DisableCompression: true}}
	t.Cleanup(func() {
		s.Close()
		client.CloseIdleConnections()
		h.Close()
	})
	return h.URL, client
}

type message struct{ event, id, data string }

// listener reads one stream.
type listener struct {
	t      *testing.T
	res    *http.Response
	lines  *bufio.Reader
	hangUp context.CancelFunc
}

func listen(t *testing.T, c *http.Client, url string, headers ...string) *listener {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	res, err := c.Do(r) //nolint:bodyclose // hangUp closes it
	if err != nil {
		t.Fatal(err)
	}
	l := &listener{t: t, res: res, hangUp: func() { cancel(); res.Body.Close() }}
	t.Cleanup(l.hangUp)
	if res.StatusCode != http.StatusOK {
		t.Fatalf("stream: %s", res.Status)
	}
	var body io.Reader = res.Body
	if res.Header.Get("Content-Encoding") == "gzip" {
		if body, err = gzip.NewReader(res.Body); err != nil {
			t.Fatal(err)
		}
	}
	l.lines = bufio.NewReader(body)
	return l
}

func (l *listener) next() message {
	l.t.Helper()
	var m message
	for {
		line, err := l.lines.ReadString('\n')
		if err != nil {
			l.t.Fatalf("stream ended: %v", err)
		}
		key, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
		switch key {
		case "event":
			m.event = value
		case "id":
			m.id = value
		case "data":
			m.data += value + "\n"
		case "":
			return m
		}
	}
}

// nextPage skips beats.
func (l *listener) nextPage() message {
	l.t.Helper()
	for {
		if m := l.next(); m.event == "page" {
			return m
		}
	}
}

func TestAStreamBringsThePageThenEachChange(t *testing.T) {
	for _, encoding := range []string{"identity", "gzip"} {
		s := open(t, fleetPage(7))
		url, client := serve(t, s)
		l := listen(t, client, url+"/events", "Accept-Encoding", encoding)
		first := l.nextPage()
		if !strings.Contains(first.data, "All 6 slots are served.") || first.id == "" {
			t.Fatalf("%s: got %+v", encoding, first)
		}
		if m := l.next(); m.event != "beat" || m.data != fmt.Sprintf("%d\n", noon.Add(24*time.Second).UnixMilli()) {
			t.Errorf("%s: got %+v", encoding, m)
		}
		s.SetPage(lostPage())
		if m := l.nextPage(); !strings.Contains(m.data, "C-412") || m.id == first.id || strings.Contains(m.data, "<html") {
			t.Errorf("%s: got %+v", encoding, m)
		}
		if l.res.Header.Get("X-Accel-Buffering") != "no" || l.res.Header.Get("Content-Type") != "text/event-stream" {
			t.Errorf("headers %v", l.res.Header)
		}
	}
}

func TestAClientThatComesBackGetsOnlyWhatItMissed(t *testing.T) {
	s := open(t, fleetPage(7))
	url, client := serve(t, s)
	l := listen(t, client, url+"/events")
	id := l.nextPage().id
	l.hangUp()

	l = listen(t, client, url+"/events", "Last-Event-ID", id)
	if m := l.next(); m.event != "beat" {
		t.Errorf("nothing was missed, got %+v", m)
	}
	l.hangUp()
	if m := listen(t, client, url+"/events?seen="+id).next(); m.event != "beat" {
		t.Errorf("the page had it, got %+v", m)
	}

	s.SetPage(lostPage())
	if m := listen(t, client, url+"/events?seen=stale", "Last-Event-ID", id).nextPage(); !strings.Contains(m.data, "C-412") {
		t.Errorf("missed a change, got %+v", m)
	}
	// An agent that was restarted has other pages under other ids.
	if m := listen(t, client, url+"/events", "Last-Event-ID", "18f-3").next(); m.event != "page" {
		t.Errorf("after a restart, got %+v", m)
	}
}

func TestAnIdleStreamBeats(t *testing.T) {
	s := New(Config{Beat: 10 * time.Millisecond})
	s.SetPage(fleetPage(7))
	url, client := serve(t, s)
	l := listen(t, client, url+"/events")
	l.nextPage()
	for range 3 {
		if m := l.next(); m.event != "beat" {
			t.Fatalf("got %+v", m)
		}
	}
}

func TestAThousandStreamsAreBounded(t *testing.T) {
	const most = 100
	s := New(Config{MaxStreams: most})
	s.SetPage(fleetPage(7))
	url, client := serve(t, s)
	before := runtime.NumGoroutine()

	var wg sync.WaitGroup
	var mu sync.Mutex
	var taken []io.Closer
	refused := 0
	for range 1000 {
		wg.Go(func() {
			ctx, cancel := context.WithCancel(context.Background())
			t.Cleanup(cancel)
			r, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/events", nil)
			if err != nil {
				t.Error(err)
				return
			}
			res, err := client.Do(r)
			if err != nil {
				t.Error(err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			if res.StatusCode == http.StatusOK {
				taken = append(taken, res.Body)
				return
			}
			refused++
			if res.StatusCode != http.StatusServiceUnavailable || res.Header.Get("Retry-After") == "" {
				t.Errorf("got %s", res.Status)
			}
			res.Body.Close()
		})
	}
	wg.Wait()
	client.CloseIdleConnections()
	if len(taken) != most || refused != 1000-most || testutil.ToFloat64(s.metrics.refused) != 1000-most {
		t.Errorf("%d taken, %d refused", len(taken), refused)
	}
	if n := testutil.ToFloat64(s.metrics.streams); n != most {
		t.Errorf("%v streams are counted", n)
	}
	// The page is answered all the same.
	if w := get(s, "/"); w.Code != http.StatusOK {
		t.Errorf("page: %d", w.Code)
	}
	t.Logf("%d goroutines before, %d with %d streams (client included)", before, runtime.NumGoroutine(), most)

	// A place that is given back is taken again.
	for _, body := range taken[:most/2] {
		body.Close()
	}
	eventually(t, func() bool { return testutil.ToFloat64(s.metrics.streams) <= most/2 })
	listen(t, client, url+"/events").nextPage()
	for _, body := range taken {
		body.Close()
	}
}

// TestOneThatHoldsAllStreamsLeavesRoomForOthers: a browser keeps a thousand live pages open
// and comes back whenever it loses one; somebody at another address has one all the same,
// and keeps it.
func TestOneThatHoldsAllStreamsLeavesRoomForOthers(t *testing.T) {
	const most = 20
	s := New(Config{MaxStreams: most, Beat: 10 * time.Millisecond})
	s.SetPage(fleetPage(7))
	url, _ := serve(t, s)
	from := func(address string) *http.Client {
		d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(address)}}
		tr := &http.Transport{DisableCompression: true, DialContext: d.DialContext}
		t.Cleanup(tr.CloseIdleConnections)
		return &http.Client{Transport: tr}
	}
	greedy := from("127.0.0.1")
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	for range 100 {
		wg.Go(func() {
			for ctx.Err() == nil {
				r, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/events", nil)
				if err != nil {
					t.Error(err)
					return
				}
				if res, err := greedy.Do(r); err == nil {
					_, _ = io.Copy(io.Discard, res.Body) // until it loses its place
					res.Body.Close()
				}
				select {
				case <-ctx.Done():
				case <-time.After(10 * time.Millisecond):
				}
			}
		})
	}
	eventually(t, func() bool { return testutil.ToFloat64(s.metrics.refused) > 100 })
	for _, address := range []string{"127.0.0.2", "127.0.0.3"} {
		l := listen(t, from(address), url+"/events")
		l.nextPage()
		for range 10 {
			if m := l.next(); m.event != "beat" {
				t.Errorf("%s got %+v", address, m)
			}
		}
	}
	s.mu.Lock()
	open := s.streams
	s.mu.Unlock()
	if open > most {
		t.Errorf("%d streams, want at most %d", open, most)
	}
}

// eventually waits for what another goroutine brings about.
func eventually(t *testing.T, done func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !done(); runtime.Gosched() {
		if time.Now().After(end) {
			t.Fatal("it did not come about in 10 s")
		}
	}
}

func TestASlowClientIsDroppedAndNobodyWaitsForIt(t *testing.T) {
	// The quick client has as much patience, also on a machine that is busy.
	s := New(Config{Patience: 2 * time.Second, Beat: time.Millisecond})
	p := fleetPage(7)
	s.SetPage(p)
	url, client := serve(t, s)
	// It asks and never reads.
	conn, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.(*net.TCPConn).SetReadBuffer(4096); err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(conn, "GET /events HTTP/1.1\r\nHost: x\r\n\r\n")
	quick := listen(t, client, url+"/events")
	quick.nextPage()
	for i := 0; testutil.ToFloat64(s.metrics.dropped) == 0; i++ {
		if i > 200 {
			t.Fatal("it was never dropped")
		}
		p.Headline = fmt.Sprintf("change %d %s", i, strings.Repeat("x", 2<<20))
		s.SetPage(p)
		// The quick one gets each change in the meantime.
		for !strings.Contains(quick.nextPage().data, fmt.Sprintf("change %d ", i)) {
			continue
		}
	}
	eventually(t, func() bool { return testutil.ToFloat64(s.metrics.streams) == 1 })
}

func TestCloseEndsStreamsAndRefusesNewOnes(t *testing.T) {
	s := open(t, fleetPage(7))
	url, client := serve(t, s)
	l := listen(t, client, url+"/events")
	l.nextPage()
	s.Close()
	if _, err := io.Copy(io.Discard, l.lines); err != nil {
		t.Errorf("the stream did not end in good order: %v", err)
	}
	if w := get(s, "/events"); w.Code != http.StatusServiceUnavailable {
		t.Errorf("a new stream: %d", w.Code)
	}
	if w := get(s, "/api/v1/page"); w.Code != http.StatusOK {
		t.Errorf("the last page: %d", w.Code)
	}
	s.SetPage(lostPage()) // late, and harmless
}

func TestManyReadersAndPagesAtOnce(t *testing.T) {
	s := open(t, fleetPage(7))
	url, client := serve(t, s)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for j := range 20 {
				p := lostPage()
				p.Knowledge.Head = uint64(1000*i + j)
				p.Mode.Name = failover.Guarded
				s.SetPage(p)
				get(s, "/")
				get(s, "/api/v1/members")
			}
		})
		wg.Go(func() { listen(t, client, url+"/events").nextPage() })
	}
	wg.Wait()
	last := status.Page{Cluster: "last", Mode: status.Mode{Name: failover.Normal}}
	s.SetPage(last)
	eventually(t, func() bool { return strings.Contains(get(s, "/").Body.String(), "last") })
}
