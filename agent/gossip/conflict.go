package gossip

import (
	"maps"
	"math/rand/v2"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
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
	// members, or all if there are fewer, know us here, and no longer than it
	// takes the engine to give up the earlier address without a second witness
	// (24 s). Later the routine exchange of state does it.
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
	held      chan struct{} // somebody holds our name at another address, living or not
	confirmed atomic.Uint64 // how often somebody was heard to know us by our name, here
}

// NotifyMerge implements serf.MergeDelegate. The engine calls it with its
// locks held, for each word that a member is alive; and with longer lists,
// which hold the dead too, before it merges a state.
func (c *claims) NotifyMerge(members []*serf.Member) error {
	if len(members) != 1 {
		// Who suspects our former address, or has buried it, claims nothing, so this
		// list is all that tells of it.
		for _, m := range members {
			if m.Name == c.self && peerAddr(m.Addr, m.Port) != c.at {
				notify(c.held)
			}
		}
		return nil
	}
	m := members[0]
	at := peerAddr(m.Addr, m.Port)
	if m.Name == c.self && at == c.at {
		c.confirmed.Add(1)
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
	own := reclaim{timer: time.NewTimer(0), knowUs: make(map[netip.AddrPort]bool)}
	answers := make(chan answer)
	<-own.timer.C
	defer own.timer.Stop()
	for {
		select {
		case <-g.done:
			return
		case <-g.claims.held:
			own.start()
		case a := <-answers:
			own.heard(a)
		case <-own.timer.C:
			if to, ok := own.next(g.aliveAt()); ok {
				g.rejoin(to, answers)
			}
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
	timer   *time.Timer
	running bool
	tries   int
	knowUs  map[netip.AddrPort]bool // asked since the last contradiction: they know us here
}

// answer is what a member that was asked turned out to know.
type answer struct {
	by    netip.AddrPort
	knows bool // our name at our address
}

func (r *reclaim) start() {
	clear(r.knowUs)
	if !r.running && r.tries < reclaimTries {
		r.running = true
		r.timer.Reset(reclaimEvery)
	}
}

// heard counts members and not words: one that knows us repeats it many times,
// while the next one still suspects the former address. Silence is no success:
// whoever suspects that address claims nothing, but does not know the present one
// either.
func (r *reclaim) heard(a answer) {
	if a.knows {
		r.knowUs[a.by] = true
	}
}

// next is whom to ask now: one of the others that is not known to know us here.
// It ends the effort when enough are.
func (r *reclaim) next(others []netip.AddrPort) (to netip.AddrPort, ok bool) {
	r.tries++
	left := slices.DeleteFunc(others, func(o netip.AddrPort) bool { return r.knowUs[o] })
	enough := len(r.knowUs) >= reclaimEnough || len(r.knowUs) > 0 && len(left) == 0
	if r.running = !enough && r.tries < reclaimTries; r.running {
		r.timer.Reset(reclaimEvery)
	}
	if enough || len(left) == 0 {
		return netip.AddrPort{}, false
	}
	return left[rand.IntN(len(left))], true
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

// rejoin exchanges state with one living member. If that one still holds our name
// elsewhere, it says so, and arbitrate tries again.
func (g *Gossip) rejoin(to netip.AddrPort, answers chan<- answer) {
	g.inBackground(func() {
		before := g.claims.confirmed.Load()
		_, err := g.engine.Join([]string{to.String()}, true) // it returns when their state is merged
		if err != nil {
			g.log.Debug("name not claimed back yet", zap.Stringer("asked", to), zap.Error(err))
		}
		select {
		case answers <- answer{by: to, knows: err == nil && g.claims.confirmed.Load() > before}:
		case <-g.done:
		}
	})
}
