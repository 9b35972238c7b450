package daemon

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/pprof"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.uber.org/zap"

	"moonwatch/status"
)

// doors are where people and their tools come in: page and API, the socket of
// the machine, and the debug port.
type doors struct {
	servers   []*http.Server
	listeners []net.Listener
	http      netip.AddrPort
	debug     netip.AddrPort
	public    netip.AddrPort
	socket    string
}

// listen opens the doors, so that a port in use is an error at the start.
func (d *Daemon) listen(ctx context.Context) (*doors, error) {
	a := d.cfg.Agent
	x := &doors{socket: a.Socket}
	add := func(what, network, addr string, h http.Handler) (net.Addr, error) {
		var lc net.ListenConfig
		l, err := lc.Listen(ctx, network, addr)
		if err != nil {
			return nil, fmt.Errorf("open %s: %w", what, err)
		}
		x.listeners = append(x.listeners, l)
		x.servers = append(x.servers, &http.Server{
			Handler: h, ReadHeaderTimeout: 5 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10,
			ErrorLog: zap.NewStdLog(d.log.Named(what)), ConnContext: withPeer,
		})
		return l.Addr(), nil
	}
	if a.HTTP != "" {
		addr, err := add("http", "tcp", a.HTTP, d.pageHandler())
		if err != nil {
			return x, err
		}
		x.http = addrPort(addr)
		readers(x.servers[len(x.servers)-1])
	}
	if a.Debug != "" {
		addr, err := add("debug", "tcp", a.Debug, d.debugHandler())
		if err != nil {
			return x, err
		}
		x.debug = addrPort(addr)
	}
	if p := a.Public; p.Listen != "" {
		addr, err := add("public", "tcp", p.Listen, d.web.Public(status.PublicPolicy{Title: p.Title, URL: p.URL, Pools: p.Pools, Slots: p.Show == "slots", Key: publicKeyOf(d.cluster, d.root())}))
		if err != nil {
			return x, err
		}
		x.public = addrPort(addr)
		last := len(x.servers) - 1
		x.listeners[last] = strangers(x.listeners[last], x.servers[last])
	}
	if a.Socket != "" {
		if err := freeSocket(ctx, a.Socket); err != nil {
			return x, err
		}
		if _, err := add("socket", "unix", a.Socket, d.socketHandler()); err != nil {
			return x, err
		}
		if err := lend(a.Socket, socketGroup); err != nil {
			d.log.Warn("socket is its own group's alone", zap.Error(err)) // a sandbox without CAP_CHOWN, say
		}
		if err := os.Chmod(a.Socket, 0o660); err != nil {
			return x, fmt.Errorf("open socket: %w", err)
		}
	}
	return x, nil
}

// answerFor is how long somebody may take for an answer, and unreadFor how long the body is
// waited for that came with the question: nobody reads it but the library, which does so to
// its end before it answers.
const (
	answerFor = 30 * time.Second
	unreadFor = time.Second
)

// readers bounds for how long people who only read hold a connection to a process that
// votes. An event stream has no end, and gives each of its writes a time of its own.
func readers(s *http.Server) {
	s.WriteTimeout = answerFor
	next := s.Handler
	s.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ContentLength != 0 {
			_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(unreadFor)) // a real connection has one
		}
		next.ServeHTTP(w, r)
	})
}

// freeSocket removes what a killed agent left, and refuses to take a socket at
// which somebody answers.
func freeSocket(ctx context.Context, path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		return fmt.Errorf("open socket: %w", err)
	}
	dialer := net.Dialer{Timeout: time.Second}
	c, err := dialer.DialContext(ctx, "unix", path)
	if err == nil {
		_ = c.Close()
		return fmt.Errorf("open socket %s: another agent answers there", path)
	}
	info, err := os.Lstat(path)
	if err == nil && info.Mode().Type() != os.ModeSocket { // a path that people mistook: it may be a key
		return fmt.Errorf("open socket %s: it is no socket (mode %v): want a path where nothing is", path, info.Mode())
	}
	if err == nil {
		err = os.Remove(path)
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("open socket: %w", err)
	}
	return nil
}

// serve serves until ctx ends.
func (x *doors) serve(ctx context.Context) error {
	failed := make(chan error, len(x.servers))
	var serving sync.WaitGroup
	for i, s := range x.servers {
		serving.Go(func() { failed <- s.Serve(x.listeners[i]) })
	}
	var err error
	select {
	case <-ctx.Done():
	case err = <-failed:
	}
	x.close(context.WithoutCancel(ctx))
	serving.Wait()
	return err
}

// close ends all requests; event streams have no end of their own.
func (x *doors) close(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	for i, s := range x.servers {
		if s.Shutdown(ctx) != nil {
			_ = s.Close()
		}
		_ = x.listeners[i].Close()
	}
}

// pageHandler serves the page. The console of a demo, whose fleet is on this
// machine and nobody else's, hands out its ledger as well.
func (d *Daemon) pageHandler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/", d.web)
	mux.HandleFunc("GET /api/v1/shield", d.serveShield)
	if d.cfg.Console {
		mux.HandleFunc("GET /api/v1/ledger", d.serveLedger)
	}
	return mux
}

// socketHandler adds to the page's API what only the machine's own people may
// do: hand in commands that an operator signed, and hold.
func (d *Daemon) socketHandler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/", d.web)
	mux.HandleFunc("POST /api/v1/commands", d.serveSubmit)
	mux.HandleFunc("GET /api/v1/commands/{id...}", d.serveCommand)
	mux.HandleFunc("POST /api/v1/holds", d.serveHold)
	mux.HandleFunc("POST /api/v1/rehearse/{what}", d.serveRehearsal)
	mux.HandleFunc("GET /api/v1/fleet", d.serveFleet)
	mux.HandleFunc("GET /api/v1/shield", d.serveShield)
	mux.HandleFunc("GET /api/v1/ledger", d.serveLedger)
	mux.HandleFunc("GET /api/v1/council", d.serveCouncil)
	mux.HandleFunc("GET /api/v1/measured", d.serveMeasured)
	mux.HandleFunc("POST /api/v1/gossip/key/rotate", d.serveRotation)
	mux.HandleFunc("GET /api/v1/notify", d.serveNotify)
	mux.HandleFunc("POST /api/v1/notify/test", d.serveNotifyTest)
	mux.HandleFunc("GET /api/v1/audit/heads", d.serveHeads)
	mux.HandleFunc("GET /api/v1/audit/facts", d.serveAuditFacts)
	return mux
}

// debugHandler is for people with a shell on the machine.
func (d *Daemon) debugHandler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/metrics", promhttp.HandlerFor(d.reg, promhttp.HandlerOpts{}))
	mux.HandleFunc("/debug/state", d.serveState)
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	mux.Handle("/-/healthy", d.web)
	mux.Handle("/-/ready", d.web)
	return mux
}

// serveState prints what the agent knows and waits for.
func (d *Daemon) serveState(w http.ResponseWriter, _ *http.Request) {
	founding := ""
	if s := d.founding.Load(); s != nil {
		founding = *s
	}
	reply(w, http.StatusOK, map[string]any{
		"self": d.self, "cluster": d.cluster, "incarnation": d.life, "version": Version, "started": d.started,
		"founding": founding, "head": d.feed.head(), "feed": d.feed.Status(), "view": d.peers.seen(),
		"queue": len(d.events), "writes": len(d.writes), "deeds": len(d.slots), "addresses": d.Addresses(),
		"own_report": d.ownReport.Load(), "page": d.Page(),
	})
}

// healthy says why the agent is not well.
func (d *Daemon) healthy() error {
	select {
	case <-d.ready:
	default:
		return nil // founding or following: alive, and not ready
	}
	if !d.alive(time.Now()) {
		return errors.New("the agent's loop makes no progress")
	}
	return nil
}

func (d *Daemon) isReady() error {
	if err := d.joining.Load(); err != nil && *err != nil && len(d.peers.list()) <= 1 {
		return fmt.Errorf("nobody joined: %w", *err)
	}
	select {
	case <-d.ready:
		return nil
	default:
	}
	if s := d.founding.Load(); s != nil {
		return errors.New(*s)
	}
	return errors.New("starting")
}

// Addresses are where the agent listens.
func (d *Daemon) Addresses() Addresses {
	a := Addresses{Gossip: d.gossip.Addr(), Link: addrPort(d.link.Addr()), HTTP: d.doors.http, Debug: d.doors.debug, Public: d.doors.public, Socket: d.doors.socket}
	if d.gateway != nil {
		a.Gateway = addrPort(d.gateway.Addr())
	}
	return a
}

func addrPort(a net.Addr) netip.AddrPort {
	t, ok := a.(*net.TCPAddr)
	if !ok {
		return netip.AddrPort{}
	}
	p := t.AddrPort()
	return netip.AddrPortFrom(p.Addr().Unmap(), p.Port())
}

// dial opens the connections of checks and gateway, through the gate.
func (d *Daemon) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	if d.cfg.Gate != nil {
		if p, err := netip.ParseAddrPort(addr); err == nil && !d.cfg.Gate.Open(p.Addr()) {
			<-ctx.Done() // a severed link is silent
			return nil, fmt.Errorf("dial %s: %w", addr, ctx.Err())
		}
	}
	var x net.Dialer
	return x.DialContext(ctx, network, addr)
}

func (d *Daemon) gateOf() func(netip.Addr) bool {
	if d.cfg.Gate == nil {
		return nil
	}
	return d.cfg.Gate.Open
}
