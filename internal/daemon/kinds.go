package daemon

import (
	"context"
	"maps"
	"slices"

	"moonwatch/consensus"
	"moonwatch/consensus/link"
	"moonwatch/mind"
)

// laterKinds are what this agent's hello says of its build.
var laterKinds = func() (names []string) {
	for _, k := range mind.LaterKinds() {
		names = append(names, string(k))
	}
	return names
}()

// tellKinds hands on what a peer's build knows. Before the mind is there, the hello is
// kept, and told with all others.
func (d *Daemon) tellKinds(ctx context.Context, h link.Hello) {
	select {
	case <-d.ready:
	default:
		return
	}
	var kinds []consensus.FactKind
	for _, k := range h.Kinds {
		kinds = append(kinds, consensus.FactKind(k))
	}
	d.tell(ctx, mind.KindsTold{Member: h.Name, Kinds: kinds})
}

// tellAllKinds hands on what was heard before the mind was there.
func (d *Daemon) tellAllKinds(ctx context.Context) {
	select {
	case <-ctx.Done():
		return
	case <-d.ready:
	}
	d.peers.mu.RLock()
	met := slices.Collect(maps.Values(d.peers.hello))
	d.peers.mu.RUnlock()
	for _, h := range met {
		d.tellKinds(ctx, h)
	}
}
