package gateway

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"moonwatch/member"
)

func TestMain(m *testing.M) {
	if os.Getenv(serviceEnv) != "" {
		serveUntilInputEnds()
		return
	}
	goleak.VerifyTestMain(m)
}

// serviceEnv makes the test binary a small web service, for the tests that kill
// real processes.
const serviceEnv = "MOONWATCH_TEST_SERVICE"

func serveUntilInputEnds() {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	fmt.Println(l.Addr())
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		fmt.Fprint(w, "ok")
	})
	go func() { panic(http.Serve(l, handler)) }()
	_, _ = io.Copy(io.Discard, os.Stdin)
}

// service is an occupant's service on a real socket.
type service struct {
	t         *testing.T
	addr      string
	handler   atomic.Pointer[http.HandlerFunc]
	asked     atomic.Int64
	askedLate atomic.Int64 // by visitors who came after a drain: lateVisitor

	mu       sync.Mutex
	listener net.Listener
	conns    map[net.Conn]bool
	silent   chan struct{} // closed when it may answer again; nil: it answers
	served   sync.WaitGroup
}

func newService(t *testing.T, handler http.HandlerFunc) *service {
	t.Helper()
	s := &service{t: t, conns: make(map[net.Conn]bool)}
	if handler == nil {
		handler = func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			fmt.Fprintf(w, "%s %s", r.Method, body)
		}
	}
	s.handler.Store(&handler)
	s.start("127.0.0.1:0")
	t.Cleanup(func() {
		s.speak()
		s.kill()
		s.served.Wait()
	})
	return s
}

func (s *service) start(addr string) {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		s.t.Error(err)
		return
	}
	s.mu.Lock()
	s.addr, s.listener = l.Addr().String(), l
	s.mu.Unlock()
	server := &http.Server{Handler: s, ErrorLog: quietLog(Config{}.withDefaults().Log), ConnState: s.state}
	s.served.Go(func() { _ = server.Serve(l) })
}

func (s *service) state(c net.Conn, state http.ConnState) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if state == http.StateClosed {
		delete(s.conns, c)
	} else {
		s.conns[c] = true
	}
}

func (s *service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.served.Add(1)
	defer s.served.Done()
	s.asked.Add(1)
	if r.Host == lateVisitor {
		s.askedLate.Add(1)
	}
	s.mu.Lock()
	silent := s.silent
	s.mu.Unlock()
	if silent != nil {
		<-silent
	}
	(*s.handler.Load())(w, r)
}

func (s *service) become(h http.HandlerFunc) { s.handler.Store(&h) }

// kill resets all connections and refuses new ones.
func (s *service) kill() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.listener.Close()
	for c := range s.conns {
		if c, ok := c.(*net.TCPConn); ok {
			_ = c.SetLinger(0)
		}
		c.Close()
	}
}

func (s *service) revive() { s.start(s.addr) }

// hush takes requests and never answers, until speak.
func (s *service) hush() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.silent = make(chan struct{})
}

func (s *service) speak() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.silent != nil {
		close(s.silent)
		s.silent = nil
	}
}

func services(t *testing.T, n int) []*service {
	t.Helper()
	list := make([]*service, n)
	for i := range list {
		list[i] = newService(t, nil)
	}
	return list
}

// tableOf puts services into the slots web-0, web-1, ... of the catch-all pool.
func tableOf(list []*service, change ...func(*Occupant)) Table {
	p := Pool{Name: "web"}
	for i, s := range list {
		o := Occupant{
			Slot: member.SlotID(fmt.Sprintf("web-%d", i)), Member: member.ID(fmt.Sprintf("m%d", i)),
			Addr: s.addr, SlotEpoch: member.SlotEpoch(10 + i),
		}
		for _, c := range change {
			c(&o)
		}
		p.Occupants = append(p.Occupants, o)
	}
	return Table{Pools: []Pool{p}}
}

// drain marks the occupants of slots as drained.
func drain(slots ...member.SlotID) func(*Occupant) {
	return func(o *Occupant) {
		for _, s := range slots {
			o.Drained = o.Drained || o.Slot == s
		}
	}
}

func open(t *testing.T, cfg Config, table Table) *Gateway {
	t.Helper()
	if cfg.Listen == "" {
		cfg.Listen = "127.0.0.1:0"
	}
	g, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	g.SetTable(table)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := g.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	return g
}

// client is a visitor with connections of its own.
func client(t *testing.T) *http.Client {
	t.Helper()
	transport := &http.Transport{MaxIdleConnsPerHost: 256}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: 10 * time.Second}
}

// ask sends one request and returns status, body and headers, status 0 for an
// error.
func ask(t *testing.T, c *http.Client, g *Gateway, method, host, body string) (int, string, http.Header) {
	t.Helper()
	var content io.Reader
	if body != "" {
		content = strings.NewReader(body)
	}
	req, err := http.NewRequest(method, "http://"+g.Addr().String()+"/", content)
	if err != nil {
		t.Fatal(err)
	}
	req.Host = host
	res, err := c.Do(req)
	if err != nil {
		return 0, err.Error(), nil
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return 0, err.Error(), nil
	}
	return res.StatusCode, string(text), res.Header
}

// load is a steady stream of requests, begun every interval whether or not the
// earlier ones have ended.
type load struct {
	requests, failed, failedAfter atomic.Int64 // failedAfter: begun after drained was set
	drained                       atomic.Bool
	slowest                       atomic.Int64
	stop                          chan struct{}
	done                          sync.WaitGroup
}

// steady asks 200 times a second.
func steady(t *testing.T, g *Gateway) *load {
	t.Helper()
	l := &load{stop: make(chan struct{})}
	c := client(t)
	l.done.Go(func() {
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-l.stop:
				return
			case <-tick.C:
				l.done.Go(func() { l.one(t, c, g) })
			}
		}
	})
	return l
}

// lateVisitor is the name under which visitors ask who came after the drain. When a
// request reaches its occupant says nothing about when it was sent there: on a busy
// machine it may have lain in a socket for long.
const lateVisitor = "after-the-drain.example.com"

func (l *load) one(t *testing.T, c *http.Client, g *Gateway) {
	host := "www.example.com"
	late, begun := l.drained.Load(), time.Now()
	if late {
		host = lateVisitor
	}
	status, text, _ := ask(t, c, g, http.MethodGet, host, "")
	l.requests.Add(1)
	took := int64(time.Since(begun))
	for old := l.slowest.Load(); took > old; old = l.slowest.Load() {
		if l.slowest.CompareAndSwap(old, took) {
			break
		}
	}
	if status == http.StatusOK {
		return
	}
	t.Logf("failed after %v: %d %s", time.Duration(took), status, text)
	l.failed.Add(1)
	if late {
		l.failedAfter.Add(1)
	}
}

func (l *load) end() {
	close(l.stop)
	l.done.Wait()
}

// wait polls for what another goroutine brings about.
func wait(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for begun := time.Now(); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Since(begun) > 10*time.Second {
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

func (g *Gateway) slot(i int) OccupantStats { return g.Stats().Pools[0].Occupants[i] }

// quick is a reflex for tests that do not check the numbers of the protocol.
func quick() Reflex {
	r := DefaultReflex()
	r.LateMin, r.ProbeInterval = 100*time.Millisecond, 100*time.Millisecond
	return r
}
