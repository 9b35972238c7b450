package gateway

import (
	"hash/maphash"
	"net/http"
	"net/netip"
	"time"

	"moonwatch/shield"
	"moonwatch/shield/count"
)

// enforced is what the shield has this door do at present. It is never changed,
// only replaced.
type enforced struct {
	measures *shield.Measures
	caps     map[shield.Key]*count.Bucket // of the measures that have a cap
}

// clients is the hash by which clients are told apart. It differs from life to
// life, so that nobody can choose an address that is always let in.
var clients = maphash.MakeSeed()

// Enforce replaces what is done about subdomains; nil and the empty set let
// everybody in. What a cap has admitted is remembered from one set to the next.
func (g *Gateway) Enforce(m *shield.Measures) {
	g.enforcing.Lock()
	defer g.enforcing.Unlock()
	old := g.enforced.Load()
	next := &enforced{measures: m, caps: make(map[shield.Key]*count.Bucket)}
	for _, x := range m.List() {
		if x.Cap <= 0 {
			continue
		}
		if b := old.caps[x.Key]; b != nil {
			next.caps[x.Key] = b
		} else {
			next.caps[x.Key] = new(count.Bucket)
		}
	}
	g.enforced.Store(next)
}

// Measures are those in force.
func (g *Gateway) Measures() *shield.Measures { return g.enforced.Load().measures }

// Counter is where the gateway counts, nil if it does not.
func (g *Gateway) Counter() *count.Counter { return g.cfg.Counter }

// Rotate closes a tick and says what was counted in it: the totals, the heaviest
// subdomains, and those that are wanted. In the next tick at most learn hosts
// become known. It has one caller, and wants a Counter.
func (g *Gateway) Rotate(learn int, wanted []shield.Key) (count.Total, []shield.Count) {
	total, counts := g.cfg.Counter.Rotate(learn)
	for _, k := range wanted {
		counts = append(counts, g.cfg.Counter.Read(k))
	}
	return total, counts
}

// Known is how many hosts and buckets are counted alone.
func (g *Gateway) Known() int { return g.cfg.Counter.Known() }

// Full reports that a host could not become known for want of room.
func (g *Gateway) Full() bool { return g.cfg.Counter.Full() }

// Counts reports whether a request was ever counted under a key.
func (g *Gateway) Counts(k shield.Key) bool { return g.cfg.Counter.Read(k).Total > 0 }

// shedding says why a request is not let in.
type shedding string

const (
	shedNot      shedding = ""
	shedFraction shedding = "fraction" // the client is not in the admitted fraction
	shedCap      shedding = "cap"      // it is, and the door has let in its share already
	shedStopped  shedding = "stopped"  // nobody is
	shedPuzzle   shedding = "puzzle"   // a browser that has not solved its challenge yet
	shedWould    shedding = "would"    // it would not be let in, were the shield not in shadow
)

// count counts a request for a host. A Host that is no name is counted, too,
// under the one key of all these.
func (g *Gateway) count(host string) count.Ref {
	if g.cfg.Counter == nil {
		return count.Ref{}
	}
	var room [shield.HostRoom]byte
	name, ok := shield.Normalise(room[:0], host)
	if !ok {
		name = nil
	}
	return g.cfg.Counter.Add(name)
}

// judge says whether a counted request is let in, and what holds it if not.
//
// It fails open: without measures, with one that was not renewed (whoever should
// have done so), and with one that it does not know how to carry out, the request
// is let in.
func (g *Gateway) judge(ref count.Ref, r *http.Request) (shedding, *shield.Measure) {
	if g.cfg.Counter == nil {
		return shedNot, nil // nobody is told apart
	}
	e := g.enforced.Load()
	m := e.measures.Find(ref.Key())
	if m == nil {
		return shedNot, nil
	}
	now := g.cfg.Now()
	if now.After(m.Until) {
		return shedNot, nil
	}
	why := e.weigh(now, m, r, g.challenge)
	if why != shedNot && m.Shadow {
		return shedWould, m
	}
	return why, m
}

func (e *enforced) weigh(now time.Time, m *shield.Measure, r *http.Request, c *challenge) shedding {
	client := clientOf(r.RemoteAddr)
	solved := m.Rung == shield.Challenge && c != nil && c.passes(now, r.Host, client, r)
	switch {
	case m.Rung == shield.Observe:
		return shedNot
	case m.Rung >= shield.Stop: // a drop in the handshake is not for a door without TLS: it stops
		return shedStopped
	case m.Rung == shield.Challenge && c != nil && !solved && navigates(r):
		return shedPuzzle
	case !solved && !m.Admits(now, client): // who cannot be challenged is shaped
		return shedFraction
	}
	if b := e.caps[m.Key]; b != nil && !b.Take(now, m.Cap, m.Burst) {
		return shedCap
	}
	return shedNot
}

// clientOf names a client by its address, an IPv6 one by its /64: whoever has one
// address there has all of them. What the request says of itself is not asked: it
// is whatever the client wants.
func clientOf(remote string) uint64 {
	at, err := netip.ParseAddrPort(remote)
	if err != nil {
		return maphash.String(clients, remote)
	}
	ip := at.Addr().Unmap().WithZone("")
	if ip.Is6() {
		if p, err := ip.Prefix(64); err == nil {
			ip = p.Addr()
		}
	}
	return maphash.Comparable(clients, ip)
}

// learn books what an answer cost, and gets to know the host of a good one.
func (x *exchange) learn(host string) {
	c := x.g.cfg.Counter
	if c == nil || x.status == 0 {
		return
	}
	if x.status >= http.StatusOK && x.status < http.StatusInternalServerError {
		x.ref.Serve()
	}
	var room [shield.HostRoom]byte
	name, ok := shield.Normalise(room[:0], host)
	if !ok {
		return
	}
	x.ref.Cost(costOf(x.took), name)
	if !x.ref.Known() && x.status >= http.StatusOK && x.status < http.StatusBadRequest {
		if c.Learn(name) {
			select {
			case x.g.learned <- string(name):
			default: // there are more than anybody lists
			}
		}
	}
}

// learnedRoom is how many hosts may wait to be taken notice of.
const learnedRoom = 256

// Learned is the stream of hosts that became known. It is never closed; what nobody
// takes is dropped.
func (g *Gateway) Learned() <-chan string { return g.learned }

// costOf is an occupant's time in tenths of milliseconds, at least one.
func costOf(took time.Duration) uint32 {
	return uint32(min(max(took/(100*time.Microsecond), 1), 1<<24)) // half an hour
}
