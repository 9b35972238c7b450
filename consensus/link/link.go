// Package link carries what agents say to each other over streams: raft frames
// between councillors, the feed of facts to everybody who follows, commands on
// their way to a councillor, and the hello by which two agents meet.
//
// One TCP port, mutual TLS, HTTP/2. Who the other side is stands in its
// certificate, never in what it says. Members are dialled by name; whoever
// answers with another member's certificate is not talked to.
//
// What it promises: [Link.SendRaft] never blocks, and no peer that is slow,
// stopped or gone holds up another; a connection that has gone silent is given
// up after about a second ([Timing]); every queue, message and wait is bounded;
// after [Link.Close] nothing of it runs any more.
//
// What it does not promise: that a frame arrives, or arrives once. raft repeats
// what was lost. Frames up to 256 KiB of one stream keep their order; larger
// ones travel beside them, so that a snapshot does not hold up heartbeats.
package link

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"moonwatch/member"
)

// Sizes in bytes that both sides agree on.
const (
	MaxFrame   = 64 << 20 // one raft frame or one snapshot
	MaxCommand = 64 << 10 // one submitted command, as large as one fact may be
)

// MaxFollowers is how many members one server feeds. Those who come later ask
// the next peer, so that the feed becomes a tree and not a burden on one.
const MaxFollowers = 16

// Config says who we are and how to reach the others.
type Config struct {
	Self      member.ID
	ClusterID string
	Listen    string // "address:port"; port 0 lets the system choose, see Addr

	// Server and Client verify the other side's certificate within the
	// handshake; PeerOf then reads the name in it. It is asked for every request, and
	// its error refuses the other side: see [Link.Recheck].
	Server, Client *tls.Config
	PeerOf         func(tls.ConnectionState) (member.ID, error)

	// Resolve tells where a member's link listens now. It is asked anew for
	// each connection, from many goroutines.
	Resolve func(member.ID) (addr string, ok bool)

	Handler Handler

	// Gate reports whether we may talk with an address; nil: with all. A gate
	// that closes cuts the connections that stand.
	Gate func(netip.Addr) bool

	Timing     Timing // the zero value is DefaultTiming
	Log        *zap.Logger
	Registerer prometheus.Registerer
}

// Validate lists everything that is missing or wrong.
func (c Config) Validate() error {
	var mistakes []error
	wrong := func(is bool, text string, args ...any) {
		if is {
			mistakes = append(mistakes, fmt.Errorf(text, args...))
		}
	}
	_, _, err := net.SplitHostPort(c.Listen)
	wrong(err != nil, "listen is %q, want address:port", c.Listen)
	wrong(c.Self == "", "self is empty, want this member's name")
	wrong(c.ClusterID == "", "cluster id is empty")
	wrong(c.Server == nil || c.Client == nil, "tls is missing, want a server and a client side")
	wrong(c.PeerOf == nil, "peer of is missing")
	wrong(c.Resolve == nil, "resolve is missing")
	wrong(c.Handler == nil, "handler is missing")
	return errors.Join(append(mistakes, c.Timing.Validate())...)
}

// Link is this member's end of all streams. It is safe for concurrent use.
type Link struct {
	cfg     Config
	timing  Timing
	log     *zap.Logger
	metrics *metrics

	life  context.Context // ends with Close
	end   context.CancelFunc
	work  sync.WaitGroup // goroutines and requests of ours
	conns *conns         // every open connection, dialled or accepted

	listener  net.Listener
	server    *http.Server
	quick     *http.Transport // raft streams, commands
	bulk      *http.Transport // snapshots and feeds, on connections of their own
	raftSeats *seats
	feedSeats *seats
	bulkSeats *seats
	submits   chan struct{} // one token per command in work

	mu     sync.Mutex
	peers  map[member.ID]*raftPeer
	closed atomic.Bool
}

// Open listens and begins to serve. The caller has to Close what it got.
func Open(cfg Config) (*Link, error) {
	if cfg.Timing == (Timing{}) {
		cfg.Timing = DefaultTiming()
	}
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("open link: %w", err)
	}
	if cfg.Log == nil {
		cfg.Log = zap.NewNop()
	}
	tcp, err := new(net.ListenConfig).Listen(context.Background(), "tcp", cfg.Listen)
	if err != nil {
		return nil, fmt.Errorf("open link: %w", err)
	}
	l := &Link{
		cfg:       cfg,
		timing:    cfg.Timing,
		log:       cfg.Log,
		metrics:   newMetrics(cfg.Registerer),
		raftSeats: newSeats(maxCouncillors),
		bulkSeats: newSeats(maxCouncillors),
		feedSeats: newSeats(MaxFollowers),
		submits:   make(chan struct{}, maxSubmits),
		peers:     map[member.ID]*raftPeer{},
	}
	l.life, l.end = context.WithCancel(context.Background())
	l.conns = newConns(cfg.Gate, l.metrics)
	l.listener = &listener{Listener: tcp, conns: l.conns, metrics: l.metrics, log: l.log}
	l.quick = l.transport(l.timing.Ping, l.timing.PingTimeout)
	l.bulk = l.transport(l.timing.BulkPing, l.timing.BulkPing)
	l.server = l.newServer()
	l.work.Go(l.serve)
	if cfg.Gate != nil {
		l.work.Go(l.watchGate)
	}
	return l, nil
}

// Recheck cuts the connections whose other side PeerOf refuses by now, and says how many
// they were.
func (l *Link) Recheck() int {
	return l.conns.closeAll(func(c *conn) bool {
		s := c.peer.Load()
		if s == nil {
			return false
		}
		_, err := l.cfg.PeerOf(*s)
		return err != nil
	})
}

// Addr is where the link listens, with the port that was chosen.
func (l *Link) Addr() net.Addr { return l.listener.Addr() }

// Close ends all streams and waits for everything that runs, at most until ctx
// ends; then it cuts what is left and says so. Closing twice is harmless.
func (l *Link) Close(ctx context.Context) error {
	l.mu.Lock()
	l.closed.Store(true) // under the lock: no peer begins after this
	l.mu.Unlock()
	l.end()
	l.quick.CloseIdleConnections()
	l.bulk.CloseIdleConnections()
	l.conns.close() // before the server, whose own good-byes could wait for a peer that takes none
	err := l.server.Close()

	done := make(chan struct{})
	go func() {
		l.work.Wait()
		l.conns.wait()
		close(done)
	}()
	select {
	case <-done:
	case <-ctx.Done():
		return errors.Join(err, fmt.Errorf("close link: a handler still runs: %w", context.Cause(ctx)))
	}
	if err != nil && !errors.Is(err, net.ErrClosed) {
		return fmt.Errorf("close link: %w", err)
	}
	return nil
}

// watchGate cuts the connections on which nothing moves: those on which
// something does are cut by their next byte.
func (l *Link) watchGate() {
	every(l.life, gateInterval, l.conns.cutBlocked)
}
