package scenario

import (
	"cmp"
	"maps"
	"slices"
	"time"

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
	v, ok := top.get("swarm", "faults, kinds and quiet_after")
	if !ok {
		return
	}
	o := r.object("swarm", v, "faults", "kinds", "quiet_after")
	s := Swarm{Faults: Range{1, 12}, QuietAfter: o.duration("quiet_after", r.s.Duration, time.Second, longest)}
	if f := o.wanted("faults"); f != nil {
		s.Faults = *f
	}
	if s.Faults.Most > mostFaults {
		r.wrong(o.where("faults"), "swarm.faults is %s, want at most %d", s.Faults, mostFaults)
	}
	switch {
	case s.QuietAfter > r.s.Duration:
		r.wrong(o.where("quiet_after"), "swarm.quiet_after is %s, after the end: duration is %s", short(s.QuietAfter), short(r.s.Duration))
	case s.QuietAfter < warm+time.Second:
		r.wrong(o.where("quiet_after"), "swarm.quiet_after is %s, want more than %s: the fleet comes up until then", short(s.QuietAfter), short(warm))
	}
	if k, ok := o.get("kinds", "faults, each with a weight"); ok {
		kinds := kindNames()
		w := r.object("swarm.kinds", k, kinds[:len(kinds)-1]...)
		if k.shape == mapping {
			for _, p := range k.pairs {
				if w.has(p.key) {
					s.Kinds = append(s.Kinds, Weight{sim.FaultKind(p.key), w.integer(p.key, 1, 1, 1000)})
				}
				if p.key == string(sim.Flood) && len(r.s.Load) == 0 {
					r.wrong(p.at, "swarm.kinds.flood: no load comes for any host")
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
