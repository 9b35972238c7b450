package scenario

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"moonwatch/internal/strict"
	"moonwatch/sim"
)

// tame are the kinds that a swarm draws if it names none: what the promises are
// kept under.
var tame = []sim.FaultKind{
	sim.Crash, sim.KillAgent, sim.KillService, sim.Sicken, sim.Pause, sim.Freeze, sim.StallDisk, sim.Lossy, sim.Weather, sim.Isolate, sim.Deafen,
}

// mostFaults bounds what a swarm draws.
const mostFaults = 1000

// swarm reads how faults are drawn.
func (r *reader) swarm(top object) {
	v, ok := top.Get("swarm", "faults, kinds and quiet_after")
	if !ok {
		return
	}
	o := r.object("swarm", v, "faults", "kinds", "quiet_after")
	s := Swarm{Faults: Range{1, 12}, QuietAfter: o.duration("quiet_after", r.s.Duration, time.Second, longest)}
	if f := o.wanted("faults"); f != nil {
		s.Faults = *f
	}
	if s.Faults.Most > mostFaults {
		r.Wrong(o.Where("faults"), "swarm.faults is %s, want at most %d", s.Faults, mostFaults)
	}
	switch {
	case s.QuietAfter > r.s.Duration:
		r.Wrong(o.Where("quiet_after"), "swarm.quiet_after is %s, after the end: duration is %s", strict.Short(s.QuietAfter), strict.Short(r.s.Duration))
	case s.QuietAfter < warm+time.Second:
		r.Wrong(o.Where("quiet_after"), "swarm.quiet_after is %s, want more than %s: the fleet comes up until then", strict.Short(s.QuietAfter), strict.Short(warm))
	}
	if k, ok := o.Get("kinds", "faults, each with a weight"); ok {
		kinds := kindNames()
		w := r.object("swarm.kinds", k, kinds[:len(kinds)-1]...)
		if k.Shape == strict.Mapping {
			for _, p := range k.Pairs {
				if w.Has(p.Key) {
					s.Kinds = append(s.Kinds, Weight{sim.FaultKind(p.Key), w.Integer(p.Key, 1, 1, 1000)})
				}
				r.fenced(p.At, "swarm.kinds", sim.FaultKind(p.Key))
				if p.Key == string(sim.OrderApply) {
					r.Wrong(p.At, "swarm.kinds.%s: what changes is not drawn, want it among the steps", p.Key)
				}
				if p.Key == string(sim.Flood) && len(r.s.Load) == 0 {
					r.Wrong(p.At, "swarm.kinds.flood: no load comes for any host")
				}
			}
		}
	}
	if len(s.Kinds) == 0 {
		for _, k := range tame {
			s.Kinds = append(s.Kinds, Weight{k, 1})
		}
	}
	r.s.Swarm = &s
}

func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }
