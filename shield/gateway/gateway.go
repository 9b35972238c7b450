// Package gateway is the built-in front door: a reverse proxy that sends each
// request, by its Host, to one of the occupants of a pool's slots.
//
// It obeys the table that it is given (SetTable): drained occupants get nothing
// new. Between two tables it has the local reflex of PROTOCOL 5, which needs no
// vote: a request that never reached an occupant goes to another one, a late
// answer is asked for a second time elsewhere, and an occupant that refuses or
// is late is not chosen for a while, except the last one of its pool. What it
// sees of the occupants on the way it offers as Evidence.
//
// The reflex never sends a request twice that could have an effect twice: a
// request that is not idempotent goes elsewhere only when not one byte of it
// was written.
//
// With a Counter it also counts every request that a pool serves under its
// subdomain, and lets in what the shield's measures say (Enforce). Who decides
// on them reads the Counter and asks for Trouble. No request waits for a decision,
// and what is not renewed ends: if nobody decides any more, everybody is let in.
//
// The caller reads Evidence (or ignores it: it is dropped when nobody reads)
// and calls Close, which waits for everything that the gateway started.
package gateway

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httputil"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"moonwatch/shield/admit"
)

// Gateway is one open front door. All methods may be called at any time from
// any goroutine.
type Gateway struct {
	cfg      Config
	metrics  *metrics
	listener net.Listener
	http     *http.Server
	proxy    *httputil.ReverseProxy
	wires    wires
	evidence chan Evidence

	tabling sync.Mutex // one SetTable at a time
	table   atomic.Pointer[table]

	gate   *admit.Gate
	places *places
	strain strain

	inFlight atomic.Int64
	closing  atomic.Bool
	emptied  chan struct{} // told when the last request leaves a closing gateway

	serving sync.WaitGroup // the accept loop
	seconds sync.WaitGroup // second sendings of late requests
	cut     context.CancelFunc
	closed  sync.Once
	closure error
}

// Open listens and serves. Until the first SetTable every request is told that
// no pool serves its name.
func Open(cfg Config) (*Gateway, error) {
	cfg = cfg.withDefaults()
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("open gateway: %w", err)
	}
	ctx, cut := context.WithCancel(context.Background())
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", cfg.Listen)
	if err != nil {
		cut()
		return nil, fmt.Errorf("open gateway: %w", err)
	}
	g := &Gateway{
		cfg:      cfg,
		listener: listener,
		evidence: make(chan Evidence, evidenceQueue),
		emptied:  make(chan struct{}, 1),
		cut:      cut,

		places: newPlaces(cfg.MaxInFlight),
		gate: admit.New(admit.Config{
			Counter: cfg.Counter, Now: cfg.Now, Key: cfg.ChallengeKey, Challenge: true, Bits: cfg.ChallengeBits,
		}),
	}
	g.metrics = newMetrics(cfg.Registerer, func() float64 { return float64(g.inFlight.Load()) })
	g.wires.open = make(map[*wire]struct{})
	g.table.Store(&table{})
	g.proxy = g.newProxy()
	g.http = &http.Server{
		Handler:           http.HandlerFunc(g.serve),
		ReadHeaderTimeout: cfg.HeadTimeout,
		IdleTimeout:       2 * time.Minute, // longer than browsers keep a connection between two pages
		MaxHeaderBytes:    64 << 10,        // four times what most servers allow, for big cookies
		BaseContext:       func(net.Listener) context.Context { return ctx },
		ErrorLog:          quietLog(cfg.Log),
		ConnState:         newConnections(cfg.MaxConns, cfg.MaxConnsEach, g.gate.ClientAt, g.metrics.cut.Inc).state,
	}
	g.serving.Go(func() {
		if err := g.http.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			cfg.Log.Error("gateway stopped accepting", zap.Error(err))
		}
	})
	return g, nil
}

// Addr is where the gateway listens, with the port that was chosen for port 0.
func (g *Gateway) Addr() net.Addr { return g.listener.Addr() }

// Close stops accepting, lets requests under way finish until ctx ends, cuts
// what is left and waits for it. Upgraded connections are cut as soon as the
// requests are done: they have no end of their own. It returns the error of ctx
// if requests had to be cut. A second Close waits for the first and returns the
// same.
func (g *Gateway) Close(ctx context.Context) error {
	g.closed.Do(func() {
		if err := g.http.Shutdown(ctx); err != nil {
			g.closure = fmt.Errorf("close gateway: %d requests cut: %w", g.inFlight.Load(), err)
			g.http.Close() // its error is that of the listener, which Shutdown closed already
		}
		g.closing.Store(true)
		g.cut()
		for g.inFlight.Load() > 0 {
			<-g.emptied
		}
		g.seconds.Wait()
		g.serving.Wait()
		g.wires.close()
	})
	return g.closure
}

// enter takes a request in, unless the gateway is closing. Every enter, refused or
// not, is followed by leave.
func (g *Gateway) enter() bool {
	g.inFlight.Add(1)
	return !g.closing.Load()
}

func (g *Gateway) leave() {
	if g.inFlight.Add(-1) == 0 && g.closing.Load() {
		select {
		case g.emptied <- struct{}{}:
		default:
		}
	}
}
