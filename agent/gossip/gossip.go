// Package gossip finds the other members and carries datagrams to them. It
// runs serf over a transport of our own, so that membership and datagrams
// share one port and one key ring.
//
// What it promises: only agents with a key of the ring and the same cluster id
// are heard or let in; no queue grows without bound and no full queue holds up
// another; nothing of ours runs after Close.
//
// What it does not promise. The key proves "a member", not which one, and a
// datagram may be lost, repeated, late, or played back later by someone on the
// path: what must come from one member is signed and numbered by its sender.
// The view is a hint. Its failure detector needs one accuser and a timer, so
// no decision follows from it.
//
// The caller owns the decisions. It reads Packets, Changes and Conflicts, and
// repeats Join until the view covers the roster.
package gossip

import (
	"context"
	"errors"
	"fmt"
	"log"
	"maps"
	"net/netip"
	"sync"
	"time"

	"github.com/hashicorp/memberlist"
	"github.com/hashicorp/serf/serf"
	"go.uber.org/zap"

	"moonwatch/member"
)

// ErrClosed is returned by every call after Close.
var ErrClosed = errors.New("gossip is closed")

// eventQueue outlasts the engine's own forwarding when it is shut down: it
// must not be left waiting for a reader that is gone.
const eventQueue = 64

// Gossip is this agent among the others. Its methods may be called by any
// goroutine.
type Gossip struct {
	name    member.ID
	addr    netip.AddrPort
	keyFile string
	log     *zap.Logger
	metrics *metrics

	engine    *serf.Serf
	transport *transport
	seal      *sealer

	events    chan serf.Event
	changes   chan struct{}
	known     *whereabouts
	claims    *claims
	conflicts chan Conflict

	mu     sync.Mutex // guards closing, so that no call starts behind Close's back
	closed bool
	tags   sync.Mutex     // the engine takes one change of tags at a time
	leave  sync.WaitGroup // the engine panics when it is shut down while it leaves
	calls  sync.WaitGroup
	loops  sync.WaitGroup
	done   chan struct{} // the engine is shut down
	gone   chan struct{} // nothing of ours runs
}

// Open listens and starts the engine. It joins nobody: see Join.
func Open(c Config) (*Gossip, error) {
	g, err := open(c)
	if err != nil {
		return nil, fmt.Errorf("open gossip: %w", err)
	}
	return g, nil
}

func open(c Config) (*Gossip, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	if c.Log == nil {
		c.Log = zap.NewNop()
	}
	ring, err := memberlist.NewKeyring(c.Keys, c.Keys[0])
	if err != nil {
		return nil, err
	}
	seal, err := newSealer(c.ClusterID, ring)
	if err != nil {
		return nil, err
	}
	m, err := newMetrics(c.Registerer)
	if err != nil {
		return nil, err
	}
	engineLog := newEngineLog(c.Log)
	t, err := listen(c, seal, m)
	if err != nil {
		m.unregister()
		return nil, err
	}
	known := &whereabouts{alive: make(map[string]netip.AddrPort)}
	g := &Gossip{
		name: c.Name, keyFile: c.KeyFile, log: c.Log, metrics: m, transport: t, seal: seal,
		addr:      netip.AddrPortFrom(c.advertised(), t.under.port()),
		events:    make(chan serf.Event, eventQueue),
		changes:   make(chan struct{}, 1),
		known:     known,
		conflicts: make(chan Conflict, conflictQueue),
		done:      make(chan struct{}),
		gone:      make(chan struct{}),
	}
	g.claims = &claims{
		self: string(c.Name), at: g.addr, known: known,
		made: make(chan Conflict, conflictQueue), held: make(chan struct{}, 1),
	}
	if g.engine, err = serf.Create(g.engineConfig(c, ring, engineLog)); err != nil {
		m.unregister()
		return nil, errors.Join(err, t.Shutdown())
	}
	g.loops.Go(g.follow)
	g.loops.Go(g.arbitrate)
	if g.keyFile != "" {
		g.loops.Go(g.keepKeys)
	}
	return g, nil
}

// engineConfig is the engine's profile for a LAN, made quiet.
func (g *Gossip) engineConfig(c Config, ring *memberlist.Keyring, engineLog *log.Logger) *serf.Config {
	conf := serf.DefaultConfig()
	conf.NodeName = string(c.Name)
	conf.Tags = maps.Clone(c.Tags)
	conf.EventCh = g.events
	conf.Merge = g.claims
	conf.Logger = engineLog
	conf.EnableNameConflictResolution = false // it would shut the engine down and let the agent live on
	conf.DisableCoordinates = true            // round trips are measured by our own probes
	conf.ReconnectInterval = 5 * time.Second  // after a partition: one dial per 5 s
	conf.BroadcastTimeout = 3 * time.Second   // of a change of tags and of Leave
	conf.LeavePropagateDelay = 500 * time.Millisecond

	ml := conf.MemberlistConfig
	ml.Label = c.ClusterID
	ml.Transport = g.transport
	ml.Keyring = ring
	ml.Logger = engineLog
	ml.BindAddr, ml.BindPort = c.Bind.Addr().String(), int(g.addr.Port())
	ml.AdvertiseAddr, ml.AdvertisePort = g.addr.Addr().String(), int(g.addr.Port())
	ml.TCPTimeout = 5 * time.Second
	// News are told to few, at random. With the engine's 4, in 7 of 300 starts
	// of seven agents somebody missed somebody until the next exchange of state
	// (30 s); with 6 in none, for some 100 bytes more per change.
	ml.RetransmitMult = 6
	// A restart at another address takes its name over as soon as the former
	// address is known to be gone. Zero would mean never.
	ml.DeadNodeReclaimTime = time.Millisecond
	if c.tune != nil {
		c.tune(conf)
	}
	return conf
}

// Addr is the address that others are told, with the port that is really
// bound.
func (g *Gossip) Addr() netip.AddrPort { return g.addr }

// Send sends body, sealed, to the gossip address of a member. An error means
// that it was not sent; nil does not mean that it arrived. It fails with
// ErrTooLong for more than MaxBody bytes.
func (g *Gossip) Send(to netip.AddrPort, body []byte) error { return g.transport.send(to, body) }

// Packets are the datagrams that arrived and opened. The queue is bounded;
// what does not fit is dropped and counted. It is never closed.
func (g *Gossip) Packets() <-chan Packet { return g.transport.packets }

// SetTags replaces the tags of this member. It returns when they were sent
// out, or with an error; also then they spread with the next exchange of state.
func (g *Gossip) SetTags(ctx context.Context, tags map[string]string) error {
	tags = maps.Clone(tags)
	err := g.call(ctx, func() error {
		g.tags.Lock()
		defer g.tags.Unlock()
		return g.engine.SetTags(tags)
	})
	if err != nil {
		return fmt.Errorf("set tags: %w", err)
	}
	return nil
}

// Leave tells the others that this member goes on purpose. It takes about a
// second and is no part of Close: an agent that dies is missed just as well,
// a few seconds later, and a service does not care about either.
func (g *Gossip) Leave(ctx context.Context) error {
	g.mu.Lock()
	if g.closed {
		g.mu.Unlock()
		return fmt.Errorf("leave: %w", ErrClosed)
	}
	left := make(chan error, 1)
	g.leave.Go(func() { left <- g.engine.Leave() })
	g.mu.Unlock()
	select {
	case err := <-left:
		if err != nil {
			return fmt.Errorf("leave: %w", err)
		}
		return nil
	case <-ctx.Done():
		return fmt.Errorf("leave: %w", context.Cause(ctx))
	}
}

// Close frees the sockets and waits for what this package started: at most
// for ctx, after which it goes on in the background. The engine's own helpers,
// which nobody can wait for, end with it.
func (g *Gossip) Close(ctx context.Context) error {
	g.mu.Lock()
	if !g.closed {
		g.closed = true
		go g.shutDown() // awaited through g.gone
	}
	g.mu.Unlock()
	select {
	case <-g.gone:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("close gossip: %w", context.Cause(ctx))
	}
}

func (g *Gossip) shutDown() {
	g.leave.Wait()
	if err := g.engine.Shutdown(); err != nil {
		g.log.Warn("membership engine not shut down", zap.Error(err))
	}
	close(g.done)
	g.calls.Wait()
	g.loops.Wait()
	g.metrics.unregister()
	close(g.gone)
}

// call runs f, which cannot be told to stop, and waits for it no longer than
// ctx. Close waits for it to the end.
func (g *Gossip) call(ctx context.Context, f func() error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	ended := make(chan error, 1)
	if !g.inBackground(func() { ended <- f() }) {
		return ErrClosed
	}
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-g.done:
		return ErrClosed
	}
}

// inBackground starts f unless Close was called.
func (g *Gossip) inBackground(f func()) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return false
	}
	g.calls.Go(f)
	return true
}
