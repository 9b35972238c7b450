package link

import (
	"context"
	"crypto/tls"
	"errors"
	"log"
	"net"
	"net/http"
	"time"

	"go.uber.org/zap"

	"moonwatch/member"
)

const (
	// maxAccepted bounds the connections open at one time, ours and theirs, far
	// above what a fleet of 1,000 members needs: three per peer that talks.
	maxAccepted = 4096

	// maxCouncillors bounds the members that may hold a raft stream to us: 7
	// councillors, 2 learners, and room for those that are being swapped.
	maxCouncillors = 16

	// maxSubmits bounds the commands in the hands of the handler; a ledger
	// takes 200 facts a second.
	maxSubmits = 256

	// headerTimeout bounds the handshake and the first request.
	headerTimeout = 5 * time.Second
)

// The paths carry the version of what is spoken, so that a later one can stand
// beside it.
const (
	pathRaft   = "/link/1/raft"
	pathBulk   = "/link/1/raft/bulk"
	pathFeed   = "/link/1/feed"
	pathSubmit = "/link/1/submit"
	pathHello  = "/link/1/hello"
	pathHeads  = "/link/1/heads"

	pathSightings = "/link/1/sightings"
)

// listener hands on only connections that are counted, gated and within bounds.
type listener struct {
	net.Listener
	conns   *conns
	metrics *metrics
	log     *zap.Logger
}

func (l *listener) Accept() (net.Conn, error) {
	for {
		raw, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		c, err := l.conns.add(raw, maxAccepted)
		if err == nil {
			return c, nil
		}
		reason := refusedCrowd
		if errors.Is(err, ErrGate) {
			reason = refusedGate
		}
		l.metrics.refused.WithLabelValues(reason).Inc()
		l.log.Debug("link connection refused", zap.Error(err))
	}
}

func (l *Link) newServer() *http.Server {
	mux := http.NewServeMux()
	mux.Handle("POST "+pathRaft, l.handle(l.receiveRaft))
	mux.Handle("POST "+pathBulk, l.handle(l.receiveBulk))
	mux.Handle("GET "+pathFeed, l.handle(l.serveFeed))
	mux.Handle("POST "+pathSubmit, l.handle(l.receiveCommand))
	mux.Handle("GET "+pathHello, l.handle(l.serveHello))
	mux.Handle("GET "+pathHeads, l.handle(l.serveHeads))
	mux.Handle("GET "+pathSightings, l.handle(l.serveSightings))

	var only http.Protocols
	only.SetHTTP2(true)
	return &http.Server{
		Handler:           mux,
		TLSConfig:         l.cfg.Server.Clone(),
		Protocols:         &only,
		ReadHeaderTimeout: headerTimeout,
		IdleTimeout:       2 * time.Minute, // the dialling side gives up first, after Idle
		HTTP2: &http.HTTP2Config{
			// The dialling side asks more often; this is for the follower that
			// stopped while the feed has nothing to say but heartbeats.
			SendPingTimeout:  l.timing.BulkPing,
			PingTimeout:      l.timing.BulkPing,
			WriteByteTimeout: l.timing.Write,
		},
		BaseContext: func(net.Listener) context.Context { return l.life },
		ConnContext: withConn,
		ConnState:   l.connState,
		ErrorLog:    log.New(newServerLog(l.log, l.metrics), "", 0),
	}
}

// connState counts the goroutines that net/http runs for connections, so that
// Close can wait for them.
func (l *Link) connState(_ net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		l.conns.served.Add(1)
	case http.StateClosed:
		l.conns.served.Done()
	default: // what is between begin and end does not count
	}
}

func (l *Link) serve() {
	err := l.server.ServeTLS(l.listener, "", "")
	if !errors.Is(err, http.ErrServerClosed) && l.life.Err() == nil {
		l.log.Error("link stopped listening", zap.Stringer("address", l.Addr()), zap.Error(err))
	}
}

// handle wraps what all requests have in common: we wait for them on Close, and
// they know who asks.
func (l *Link) handle(f func(w http.ResponseWriter, r *http.Request, from member.ID)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !l.begin() {
			http.Error(w, ErrClosed.Error(), http.StatusServiceUnavailable)
			return
		}
		defer l.work.Done()
		if r.TLS == nil || r.ProtoMajor != 2 {
			http.Error(w, "want HTTP/2 over TLS", http.StatusHTTPVersionNotSupported)
			return
		}
		if c, ok := r.Context().Value(connKey{}).(*conn); ok {
			c.peer.Store(r.TLS) // before PeerOf is asked: Recheck finds it, or PeerOf refuses
		}
		from, err := l.cfg.PeerOf(*r.TLS)
		if err != nil {
			http.Error(w, err.Error(), http.StatusForbidden)
			return
		}
		f(w, r, from)
	})
}

// connKey is where a request's context has its connection.
type connKey struct{}

func withConn(ctx context.Context, c net.Conn) context.Context {
	if t, ok := c.(*tls.Conn); ok {
		if below, ok := t.NetConn().(*conn); ok {
			return context.WithValue(ctx, connKey{}, below)
		}
	}
	return ctx
}

// begin books one piece of work that Close waits for. It reports false when
// Close has begun.
func (l *Link) begin() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed.Load() {
		return false
	}
	l.work.Add(1)
	return true
}

// endBody makes a blocked read of a request's body return when ctx ends. The
// handler has to call release before it returns: a response that nobody holds
// any more must not be touched.
func endBody(ctx context.Context, w http.ResponseWriter) (release func()) {
	done := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(done)
		// An error means that the stream has ended already.
		_ = http.NewResponseController(w).SetReadDeadline(time.Unix(1, 0))
	})
	return func() {
		if !stop() {
			<-done
		}
	}
}
