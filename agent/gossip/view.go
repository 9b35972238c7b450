package gossip

import (
	"cmp"
	"maps"
	"net"
	"net/netip"
	"slices"

	"github.com/hashicorp/serf/serf"

	"moonwatch/member"
)

// Peer is one member as this agent's engine sees it.
type Peer struct {
	Name  member.ID
	Addr  netip.AddrPort    // of its gossip; datagrams go there
	Tags  map[string]string // as it said last; the caller's own
	Alive bool              // a hint: one member's failure detector, or a member that left
}

// View is this agent's own, uncommitted opinion of who is there, itself
// included, sorted by name. A member that is gone stays in it, not alive, for
// a day.
func (g *Gossip) View() []Peer {
	members := g.engine.Members()
	view := make([]Peer, 0, len(members))
	for _, m := range members {
		view = append(view, Peer{
			Name: member.ID(m.Name), Addr: peerAddr(m.Addr, m.Port),
			Tags: maps.Clone(m.Tags), Alive: m.Status == serf.StatusAlive,
		})
	}
	slices.SortFunc(view, func(a, b Peer) int { return cmp.Compare(a.Name, b.Name) })
	return view
}

// Changes has one value when the view changed since the last receive, however
// often. It is never closed.
func (g *Gossip) Changes() <-chan struct{} { return g.changes }

// aliveAt returns the addresses of the other members that are alive.
func (g *Gossip) aliveAt() []netip.AddrPort {
	var addrs []netip.AddrPort
	for _, p := range g.View() {
		if p.Alive && p.Name != g.name {
			addrs = append(addrs, p.Addr)
		}
	}
	return addrs
}

// follow takes the engine's events. The engine holds its locks while it waits
// for us, so nothing here may call it.
func (g *Gossip) follow() {
	for {
		select {
		case <-g.done:
			return
		case ev := <-g.events:
			change, ok := ev.(serf.MemberEvent)
			if !ok {
				continue // user events and queries are not for us
			}
			g.metrics.alive.Set(float64(g.known.note(change)))
			notify(g.changes)
		}
	}
}

func peerAddr(ip net.IP, port uint16) netip.AddrPort {
	addr, _ := netip.AddrFromSlice(ip) // the engine lets only 4 and 16 bytes in
	return netip.AddrPortFrom(addr.Unmap(), port)
}

// notify sets a signal that coalesces.
func notify(signal chan<- struct{}) {
	select {
	case signal <- struct{}{}:
	default:
	}
}
