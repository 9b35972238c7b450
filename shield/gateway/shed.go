package gateway

import (
	"moonwatch/shield"
	"moonwatch/shield/count"
)

// Enforce replaces what is done about subdomains; nil and the empty set let
// everybody in. What a cap has admitted is remembered from one set to the next.
func (g *Gateway) Enforce(m *shield.Measures) { g.gate.Enforce(m) }

// Measures are those in force.
func (g *Gateway) Measures() *shield.Measures { return g.gate.Measures() }

// Learned is the stream of hosts that became known. It is never closed; what nobody
// takes is dropped.
func (g *Gateway) Learned() <-chan string { return g.gate.Learned() }

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
