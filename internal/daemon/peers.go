package daemon

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"

	"moonwatch/agent/gossip"
	"moonwatch/consensus/link"
	"moonwatch/member"
	"moonwatch/status"
)

// Tags that an agent carries in gossip. They say where to reach it, nothing
// that a decision rests on.
const (
	tagLink    = "link"    // port of its link
	tagStarted = "started" // unix milliseconds
	tagConsole = "console" // set on an agent that is in no roster by intent
	tagMute    = "mute"    // set on an agent that has nothing to tell people: its ledger is blocked
	tagEnds    = "ends"    // of its certificate, unix seconds: another end is another certificate
)

// peers is what this agent knows about reaching others: addresses from gossip,
// keys from their certificates. Roster and verdicts are not its business.
type peers struct {
	mu     sync.RWMutex
	view   map[member.ID]gossip.Peer
	keys   map[member.ID]ed25519.PublicKey
	hello  map[member.ID]link.Hello
	met    map[member.ID]string // the life of a peer that was met last
	lately map[member.ID]bool   // heard since the last presence
}

func (p *peers) adopt(view []gossip.Peer) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.view = make(map[member.ID]gossip.Peer, len(view))
	for _, x := range view {
		p.view[x.Name] = x
	}
}

// address is where a member's datagrams go. A member that gossip believes
// dead keeps its last address: gossip's belief stops no probe.
func (p *peers) address(id member.ID) (netip.AddrPort, bool) {
	p.mu.RLock()
	defer p.mu.RUnlock()
	x, ok := p.view[id]
	return x.Addr, ok
}

// linkAddress is where a member's link listens.
func (p *peers) linkAddress(id member.ID) (string, bool) {
	p.mu.RLock()
	defer p.mu.RUnlock()
	x, ok := p.view[id]
	if !ok {
		return "", false
	}
	return linkOf(x)
}

func linkOf(x gossip.Peer) (string, bool) {
	port, err := strconv.ParseUint(x.Tags[tagLink], 10, 16)
	if err != nil {
		return "", false
	}
	return netip.AddrPortFrom(x.Addr.Addr(), uint16(port)).String(), true
}

func (p *peers) key(id member.ID) (ed25519.PublicKey, bool) {
	p.mu.RLock()
	defer p.mu.RUnlock()
	k, ok := p.keys[id]
	return k, ok
}

func (p *peers) heard(id member.ID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.lately == nil {
		p.lately = map[member.ID]bool{}
	}
	p.lately[id] = true
}

func (p *peers) takeHeard() []member.ID {
	p.mu.Lock()
	defer p.mu.Unlock()
	ids := slices.Sorted(maps.Keys(p.lately))
	p.lately = nil
	return ids
}

// seen is the view for the page.
func (p *peers) seen() []status.Seen {
	p.mu.RLock()
	defer p.mu.RUnlock()
	var out []status.Seen
	for _, id := range slices.Sorted(maps.Keys(p.view)) {
		if x := p.view[id]; x.Tags[tagConsole] == "" {
			out = append(out, status.Seen{
				Name: id, Addr: x.Addr.String(), Alive: x.Alive, Mute: x.Tags[tagMute] != "",
				Key: p.keys[id], Ends: p.hello[id].Ends, Says: p.says(x),
			})
		}
	}
	return out
}

// maxEnds is the last second of the year 9999: later times have no text in JSON.
const maxEnds = 253402300799

// endsOf is when a peer says that its certificate ends; zero: it does not say, or nothing
// that could be a time.
func endsOf(x gossip.Peer) time.Time {
	s, err := strconv.ParseInt(x.Tags[tagEnds], 10, 64)
	if err != nil || s <= 0 || s > maxEnds {
		return time.Time{}
	}
	return time.Unix(s, 0)
}

// says is when a peer's certificate ends. Once it was met since it said so, the certificate
// has the word. Called with mu held.
func (p *peers) says(x gossip.Peer) time.Time {
	ends := endsOf(x)
	if met := p.hello[x.Name].Ends; !ends.IsZero() && !met.IsZero() && p.met[x.Name] == lifeOf(x) {
		return met
	}
	return ends
}

// lifeOf changes when a peer has to be met anew: it was started again, has moved, or has
// another certificate.
func lifeOf(x gossip.Peer) string {
	return strings.Join([]string{x.Tags[tagStarted], x.Addr.String(), x.Tags[tagEnds]}, " ")
}

// list is the view, sorted.
func (p *peers) list() []gossip.Peer {
	p.mu.RLock()
	defer p.mu.RUnlock()
	out := make([]gossip.Peer, 0, len(p.view))
	for _, id := range slices.Sorted(maps.Keys(p.view)) {
		out = append(out, p.view[id])
	}
	return out
}

// joined is how a round of joining ended.
type joined struct {
	addrs   []string
	reached int
	err     error
}

// join keeps the view covering whom we know: it joins the configured
// addresses until somebody answers, and goes on while members are missing. A round goes
// beside: one machine that is off costs it seconds, and a dark rack minutes, in which the
// others are known as soon as gossip tells of them.
func (d *Daemon) join(ctx context.Context) error {
	d.peers.adopt(d.gossip.View())
	const eager, calm = 500 * time.Millisecond, 15 * time.Second
	wait := time.NewTimer(0)
	defer wait.Stop()
	began := time.Now()
	warned := false
	known := loadAddresses(d.cfg.Agent.DataDir)
	ended := make(chan joined, 1)
	var round sync.WaitGroup // one at a time
	defer round.Wait()
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-d.gossip.Changes():
			d.peers.adopt(d.gossip.View())
			if err := d.keepAddresses(); err != nil {
				d.log.Warn("addresses of the others not kept", zap.Error(err))
			}
		case c := <-d.gossip.Conflicts():
			if err := d.conflict(ctx, c); err != nil {
				return err
			}
		case <-wait.C:
			addrs := slices.Clone(d.cfg.Agent.Join)
			for _, a := range known {
				if !slices.Contains(addrs, a) {
					addrs = append(addrs, a)
				}
			}
			round.Go(func() {
				n, err := d.gossip.Join(ctx, addrs)
				ended <- joined{addrs, n, err}
			})
		case x := <-ended:
			d.joining.Store(&x.err)
			d.peers.adopt(d.gossip.View())
			switch {
			case x.err == nil || len(d.peers.list()) > 1:
				wait.Reset(calm)
			default:
				wait.Reset(eager)
				if !warned && time.Since(began) > 5*time.Second {
					warned = true
					d.log.Warn("nobody joined yet", zap.Strings("join", x.addrs), zap.Int("reached", x.reached), zap.Error(x.err))
				}
			}
		}
	}
}

// errSameName refuses to be the second agent of one name.
var errSameName = errors.New("another agent of this name is alive")

// conflict looks at somebody who claims our name. An agent that was moved to
// another address has died at the old one; two that live are a mistake, and the
// later one leaves.
func (d *Daemon) conflict(ctx context.Context, c gossip.Conflict) error {
	if c.Name != d.self {
		d.log.Warn("two agents of one name", zap.String("member", string(c.Name)),
			zap.Stringer("known", c.Known), zap.Stringer("claimed", c.Claimed))
		return nil
	}
	other := c.Claimed
	addr, ok := linkOf(gossip.Peer{Addr: other, Tags: c.Tags})
	if !ok {
		return nil
	}
	hello, _, err := d.link.Ask(ctx, addr)
	if err != nil {
		d.log.Info("the other agent of this name is gone", zap.Stringer("address", other), zap.Error(err))
	}
	if err != nil || hello.Name != d.self || hello.StartedAt.After(d.started) {
		return nil //nolint:nilerr // gone, somebody else, or later than we: it has to leave
	}
	return fmt.Errorf("%w: %s at %s, started %s", errSameName, d.self, other, hello.StartedAt.Format(time.RFC3339))
}

// meet learns the keys of the others from their certificates, once per life and
// certificate.
func (d *Daemon) meet(ctx context.Context) error {
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	tried := map[member.ID]time.Time{}
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		d.peers.mu.RLock()
		var todo []gossip.Peer
		for id, x := range d.peers.view {
			if id != d.self && x.Alive && d.peers.met[id] != lifeOf(x) && time.Since(tried[id]) > time.Second {
				todo = append(todo, x)
			}
		}
		d.peers.mu.RUnlock()
		slices.SortFunc(todo, func(a, b gossip.Peer) int {
			if a.Name < b.Name {
				return -1
			}
			return 1
		})
		var wg sync.WaitGroup
		for _, x := range todo[:min(len(todo), 16)] {
			tried[x.Name] = time.Now()
			wg.Go(func() { d.ask(ctx, x) })
		}
		wg.Wait()
	}
}

// ask meets one peer.
func (d *Daemon) ask(ctx context.Context, x gossip.Peer) {
	addr, ok := linkOf(x)
	if !ok {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	hello, key, err := d.link.Ask(ctx, addr)
	if err != nil || hello.Name != x.Name {
		d.log.Debug("peer not met", zap.String("member", string(x.Name)), zap.Error(err))
		return
	}
	if !d.hearRefounding(ctx, hello) {
		return
	}
	d.peers.meet(x, hello, key)
	d.tellKinds(ctx, hello)
}

// meet notes who a peer is, in this life of it.
func (p *peers) meet(x gossip.Peer, hello link.Hello, key ed25519.PublicKey) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.keys == nil {
		p.keys, p.hello, p.met = map[member.ID]ed25519.PublicKey{}, map[member.ID]link.Hello{}, map[member.ID]string{}
	}
	p.keys[x.Name], p.hello[x.Name] = key, hello
	p.met[x.Name] = lifeOf(x)
}
