package gossip

import (
	"maps"
	"math/rand/v2"
	"net/netip"
	"sync"
	"time"

	"github.com/hashicorp/serf/serf"
	"go.uber.org/zap"

	"moonwatch/member"
)

const (
	conflictQueue = 16 // unread conflicts; the engine repeats what is dropped

	// A conflict lasts as long as its cause, and shows itself at every
	// exchange of state. It is told once in this time.
	conflictEvery = 10 * time.Second

	// While others hold our name at an earlier address, nobody gossips to the
	// present one, so that we must go and ask: once a second until three
	// members in a row know us here, and no longer than it takes the engine to
	// give up the earlier address without a second witness (24 s). Later the
	// routine exchange of state does it.
	reclaimEvery  = time.Second
	reclaimTries  = 30
	reclaimEnough = 3
)

// Conflict says that one name is claimed by two addresses: two agents were
// given the same name, or one restarted at another address and its former one
// is not yet known to be gone. The engine keeps the first and tells nobody;
// which of the two cases it is, the agents themselves must be asked.
type Conflict struct {
	Name    member.ID
	Known   netip.AddrPort    // the address that the view shows; our own if Name is ours
	Claimed netip.AddrPort    // the address of the other
	Tags    map[string]string // the other's, as it told them
}

// Conflicts tells what the engine would hide: names with two addresses. An
// agent that starts with a name that is alive hears of it as soon as it joins.
// It is bounded, and never closed.
func (g *Gossip) Conflicts() <-chan Conflict { return g.conflicts }

// whereabouts holds where each living name was seen, as far as events told.
type whereabouts struct {
	mu    sync.Mutex
	alive map[string]netip.AddrPort
}

// note takes a change of the view and returns how many members are alive.
func (w *whereabouts) note(change serf.MemberEvent) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, m := range change.Members {
		switch change.Type {
		case serf.EventMemberJoin, serf.EventMemberUpdate:
			w.alive[m.Name] = peerAddr(m.Addr, m.Port)
		default: // leave, failed, reap
			delete(w.alive, m.Name)
		}
	}
	return len(w.alive)
}

func (w *whereabouts) elsewhere(name string, than netip.AddrPort) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	at, ok := w.alive[name]
	return ok && at != than
}

// claims is the engine's merge delegate: it lets everybody in, and passes on
// who says to be alive where the view shows another address.
type claims struct {
	self      string // our name
	at        netip.AddrPort
	known     *whereabouts
	made      chan Conflict
	confirmed chan struct{} // somebody knows us by our name, here
}

// NotifyMerge implements serf.MergeDelegate. The engine calls it with its
// locks held, for each word that a member is alive; and with longer lists,
// which hold the dead too, before it merges a state.
func (c *claims) NotifyMerge(members []*serf.Member) error {
	if len(members) != 1 {
		return nil
	}
	m := members[0]
	at := peerAddr(m.Addr, m.Port)
	if m.Name == c.self && at == c.at {
		notify(c.confirmed)
		return nil
	}
	if !c.known.elsewhere(m.Name, at) {
		return nil
	}
	select {
	case c.made <- Conflict{Name: member.ID(m.Name), Claimed: at, Tags: maps.Clone(m.Tags)}:
	default: // it will be said again
	}
	return nil
}

// arbitrate tells real conflicts from addresses that just changed, and claims
// our own name back.
func (g *Gossip) arbitrate() {
	type claim struct {
		name member.ID
		at   netip.AddrPort
	}
	told := make(map[claim]time.Time)
	own := reclaim{timer: time.NewTimer(0)}
	<-own.timer.C
	defer own.timer.Stop()
	for {
		select {
		case <-g.done:
			return
		case <-g.claims.confirmed:
			own.confirmed++
		case <-own.timer.C:
			g.rejoinSomebody()
			own.again()
		case c := <-g.claims.made:
			var alive bool
			if c.Known, alive = g.knownAt(c.Name); !alive || c.Known == c.Claimed {
				continue
			}
			if c.Name == g.name {
				own.start()
			}
			now := time.Now()
			maps.DeleteFunc(told, func(_ claim, at time.Time) bool { return now.Sub(at) >= conflictEvery })
			if _, ok := told[claim{c.Name, c.Claimed}]; ok {
				continue
			}
			told[claim{c.Name, c.Claimed}] = now
			g.tell(c)
		}
	}
}

// reclaim is the effort to be known by our name at our address. One life has
// one: after reclaimTries there is another agent with our name, and asking
// more often does not change that.
type reclaim struct {
	timer     *time.Timer
	running   bool
	tries     int
	confirmed int // in a row
}

func (r *reclaim) start() {
	r.confirmed = 0
	if !r.running && r.tries < reclaimTries {
		r.running = true
		r.timer.Reset(reclaimEvery)
	}
}

func (r *reclaim) again() {
	r.tries++
	// Silence is no success: while the former address is suspected, nobody
	// claims it, but nobody knows the present one either.
	if r.running = r.confirmed < reclaimEnough && r.tries < reclaimTries; r.running {
		r.timer.Reset(reclaimEvery)
	}
}

func (g *Gossip) tell(c Conflict) {
	g.metrics.conflicts.Inc()
	g.log.Warn("name claimed by two addresses", zap.String("member", string(c.Name)),
		zap.Stringer("known", c.Known), zap.Stringer("claimed", c.Claimed))
	select {
	case g.conflicts <- c:
	default: // told again in conflictEvery
	}
}

// knownAt is the address of a living member after the engine has dealt with
// everything it was doing: the claim that we judge was reported from the
// middle of it, and the engine may have accepted it since.
func (g *Gossip) knownAt(name member.ID) (netip.AddrPort, bool) {
	g.engine.Memberlist().NumMembers() // waits for the engine's lock
	for _, m := range g.engine.Members() {
		if m.Name == string(name) {
			return peerAddr(m.Addr, m.Port), m.Status == serf.StatusAlive
		}
	}
	return netip.AddrPort{}, false
}

// rejoinSomebody exchanges state with one living member. If that one still
// holds our name elsewhere, it says so, and arbitrate tries again.
func (g *Gossip) rejoinSomebody() {
	others := g.aliveAt()
	if len(others) == 0 {
		return
	}
	to := others[rand.IntN(len(others))].String()
	g.inBackground(func() {
		if _, err := g.engine.Join([]string{to}, true); err != nil {
			g.log.Debug("name not claimed back yet", zap.String("asked", to), zap.Error(err))
		}
	})
}
