package link_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"moonwatch/consensus/link"
	"moonwatch/internal/pki"
	"moonwatch/member"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long a test waits for what has to happen. Nothing is
// measured by it.
const patience = 20 * time.Second

// cluster is a set of links on loopback that find each other.
type cluster struct {
	t  *testing.T
	ca *pki.CA

	mu    sync.Mutex
	addrs map[member.ID]string
}

func newCluster(t *testing.T) *cluster {
	t.Helper()
	return &cluster{t: t, ca: newCA(t, "moon", time.Now()), addrs: map[member.ID]string{}}
}

func newCA(t *testing.T, id string, now time.Time) *pki.CA {
	t.Helper()
	ca, err := pki.NewCA(id, now)
	if err != nil {
		t.Fatal(err)
	}
	return ca
}

// identity makes a member's files and opens them.
func identity(t *testing.T, ca *pki.CA, name member.ID) *pki.Source {
	t.Helper()
	dir := t.TempDir()
	files := pki.Files{Cert: filepath.Join(dir, "cert.pem"), Key: filepath.Join(dir, "key.pem"), CA: filepath.Join(dir, "ca.pem")}
	issued, err := ca.Issue(name, []string{"127.0.0.1"}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(issued.Save(files.Cert, files.Key), ca.Save(files.CA, filepath.Join(dir, "ca.key"))); err != nil {
		t.Fatal(err)
	}
	source, err := pki.OpenSource(files, nil)
	if err != nil {
		t.Fatal(err)
	}
	return source
}

func (c *cluster) resolve(id member.ID) (string, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	addr, ok := c.addrs[id]
	return addr, ok
}

// route makes the others look for a member at an address.
func (c *cluster) route(id member.ID, addr string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.addrs[id] = addr
}

// agent is a link with a handler that remembers.
type agent struct {
	*link.Link
	*handler
	source *pki.Source
	logs   *observer.ObservedLogs
}

// Submit is the link's: the handler has one too.
func (a *agent) Submit(ctx context.Context, to member.ID, command []byte) error {
	return a.Link.Submit(ctx, to, command)
}

// start opens a member's link; change, if not nil, may alter its config.
func (c *cluster) start(name member.ID, change func(*link.Config)) *agent {
	c.t.Helper()
	source := identity(c.t, c.ca, name)
	core, logs := observer.New(zapcore.DebugLevel)
	h := newHandler()
	cfg := link.Config{
		Self: name, ClusterID: "moon", Listen: "127.0.0.1:0",
		Server: source.Server(), Client: source.Client(), PeerOf: pki.PeerName,
		Resolve: c.resolve, Handler: h, Log: zap.New(core),
	}
	if change != nil {
		change(&cfg)
	}
	l, err := link.Open(cfg)
	if err != nil {
		c.t.Fatal(err)
	}
	a := &agent{Link: l, handler: h, source: source, logs: logs}
	c.route(name, l.Addr().String())
	c.t.Cleanup(func() {
		if c.t.Failed() {
			for _, e := range logs.All() {
				c.t.Log(name, e.Level, e.Message, e.ContextMap())
			}
		}
		a.stop(c.t)
	})
	return a
}

func (a *agent) stop(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := a.Close(ctx); err != nil {
		t.Errorf("close: %v", err)
	}
}

// awaitLog waits for a line that holds all the words, in its message or fields.
func (a *agent) awaitLog(t *testing.T, words ...string) {
	t.Helper()
	eventually(t, fmt.Sprintf("a line with %q in the log", words), func() bool {
		return slices.ContainsFunc(a.logs.All(), func(e observer.LoggedEntry) bool {
			line := fmt.Sprint(e.Message, e.ContextMap())
			return !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(line, w) })
		})
	})
}

func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !is(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited %v in vain for %s", patience, what)
		}
	}
}

func wantError(t *testing.T, err, kind error, words ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want %v %q", kind, words)
	}
	if kind != nil && !errors.Is(err, kind) {
		t.Errorf("error %q, want a %q", err, kind)
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("error %q does not say %q", err, w)
		}
	}
}

// received is one frame and who sent it.
type received struct {
	from  member.ID
	frame []byte
}

// handler is an agent that keeps what it is given.
type handler struct {
	frames chan received
	submit func(ctx context.Context, from member.ID, command []byte) error
	hello  link.Hello
	feed   *ledger
}

func newHandler() *handler {
	return &handler{
		frames: make(chan received, 10_000),
		submit: func(context.Context, member.ID, []byte) error { return nil },
		hello:  link.Hello{HasLedger: true, Head: 7, Version: "test", Incarnation: 3, Address: "10.0.0.1:7947"},
		feed:   newLedger(),
	}
}

func (h *handler) Raft(from member.ID, frame []byte) {
	select {
	case h.frames <- received{from, frame}:
	default:
	}
}

func (h *handler) Submit(ctx context.Context, from member.ID, command []byte) error {
	return h.submit(ctx, from, command)
}
func (h *handler) Hello() link.Hello     { return h.hello }
func (h *handler) Feed() link.FeedSource { return h.feed }

func (h *handler) next(t *testing.T) received {
	t.Helper()
	select {
	case r := <-h.frames:
		return r
	case <-time.After(patience):
		t.Fatal("no frame arrived")
		return received{}
	}
}

// ledger is a FeedSource in memory. Its facts begin with index 1; kept is the
// first that is not forgotten.
type ledger struct {
	mu       sync.Mutex
	facts    [][]byte
	kept     uint64
	snapshot []byte
	changed  chan struct{}
}

func newLedger() *ledger { return &ledger{kept: 1, changed: make(chan struct{})} }

func (l *ledger) write(facts ...string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, f := range facts {
		l.facts = append(l.facts, []byte(f))
	}
	close(l.changed)
	l.changed = make(chan struct{})
}

func (l *ledger) forgetBefore(index uint64, snapshot []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.kept, l.snapshot = index, snapshot
}

func (l *ledger) Facts(from uint64, maxBytes int) ([][]byte, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if from < l.kept {
		return nil, false
	}
	var out [][]byte
	size := 0
	for i := from - 1; i < uint64(len(l.facts)) && (size == 0 || size+len(l.facts[i]) <= maxBytes); i++ {
		out = append(out, l.facts[i])
		size += len(l.facts[i])
	}
	return out, true
}

func (l *ledger) Snapshot() ([]byte, uint64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.snapshot == nil {
		return nil, 0, errors.New("none was made")
	}
	return l.snapshot, l.kept - 1, nil
}

func (l *ledger) Status() link.Status {
	l.mu.Lock()
	defer l.mu.Unlock()
	return link.Status{Head: uint64(len(l.facts)), Hash: []byte("hash"), Leader: "web-1", Term: 4, Quorum: true, Age: time.Second}
}

func (l *ledger) Changed() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.changed
}

// relay is a network between two members that can freeze: connections stand
// and nothing moves, as with a stopped process or a machine that is gone.
type relay struct {
	listener net.Listener
	frozen   chan struct{}
	once     sync.Once
	wg       sync.WaitGroup
	mu       sync.Mutex
	conns    []net.Conn
}

func newRelay(t *testing.T, target string) *relay {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &relay{listener: l, frozen: make(chan struct{})}
	r.wg.Go(func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("tcp", target)
			if err != nil {
				in.Close()
				continue
			}
			r.mu.Lock()
			r.conns = append(r.conns, in, out)
			r.mu.Unlock()
			r.wg.Go(func() { r.copy(in, out) })
			r.wg.Go(func() { r.copy(out, in) })
		}
	})
	t.Cleanup(func() {
		r.freeze()
		l.Close()
		r.mu.Lock()
		for _, c := range r.conns {
			c.Close()
		}
		r.mu.Unlock()
		r.wg.Wait()
	})
	return r
}

func (r *relay) freeze() { r.once.Do(func() { close(r.frozen) }) }

func (r *relay) copy(to, from net.Conn) {
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		select {
		case <-r.frozen:
			return // the connections stay as they are
		default:
		}
		if err != nil {
			to.Close()
			return
		}
		if _, err := to.Write(buf[:n]); err != nil {
			from.Close()
			return
		}
	}
}

// follow runs Follow in the background and hands out what arrives.
func follow(t *testing.T, a *agent, peer member.ID, from uint64) (batches chan link.Batch, ended chan error) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	batches, ended = make(chan link.Batch, 1000), make(chan error, 1)
	var wg sync.WaitGroup
	wg.Go(func() {
		ended <- a.Follow(ctx, peer, from, func(b link.Batch) error { batches <- b; return nil })
	})
	t.Cleanup(func() { cancel(); wg.Wait() })
	return batches, ended
}

func nextOf[T any](t *testing.T, what string, from <-chan T) T {
	t.Helper()
	select {
	case v := <-from:
		return v
	case <-time.After(patience):
		t.Fatalf("waited in vain for %s", what)
		panic("unreachable")
	}
}

// collect reads a feed until want facts have come, and returns them.
func collect(t *testing.T, batches chan link.Batch, next uint64, want int) []string {
	t.Helper()
	var got []string
	for len(got) < want {
		b := nextOf(t, "facts", batches)
		if b.From != next {
			t.Fatalf("batch begins with %d, want %d", b.From, next)
		}
		for _, f := range b.Facts {
			got = append(got, string(f))
		}
		next += uint64(len(b.Facts))
	}
	return got
}
