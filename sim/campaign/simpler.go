package campaign

import (
	"iter"
	"math"
	"slices"
	"time"

	"moonwatch/member"
	"moonwatch/sim/scenario"
)

type proposals = iter.Seq[*scenario.Plan]

// simpler proposes what is simpler than a plan, the boldest first. Every
// proposal has less of something and more of nothing, so there is an end to it.
func simpler(p *scenario.Plan) proposals {
	return func(yield func(*scenario.Plan) bool) {
		for _, pass := range []func(*scenario.Plan) proposals{
			fewerSteps, sooner, smallerFleet, fewerVictims, shorterFaults, calmer, rounder,
		} {
			for c := range pass(p) {
				if !yield(c) {
					return
				}
			}
		}
	}
}

// change changes a copy of a plan whose lists are still those of the plan.
type change func(*scenario.Plan)

// of are the copies of a plan with one change each.
func of(p *scenario.Plan, changes []change) proposals {
	return func(yield func(*scenario.Plan) bool) {
		for _, do := range changes {
			c := *p
			c.Steps = slices.Clone(p.Steps)
			do(&c)
			if !yield(&c) {
				return
			}
		}
	}
}

func fewerSteps(p *scenario.Plan) proposals {
	var all []change
	for _, ch := range chunks(len(p.Steps)) {
		all = append(all, func(c *scenario.Plan) {
			c.Steps = slices.Delete(c.Steps, ch.from, ch.to)
			tidy(c)
		})
	}
	return of(p, all)
}

// tidy takes out what refers to steps that are gone: a step that ends nothing
// any more is gone too.
func tidy(p *scenario.Plan) {
	gone := func(id int) bool {
		return !slices.ContainsFunc(p.Steps, func(s scenario.PlanStep) bool { return s.ID == id })
	}
	var kept []scenario.PlanStep
	for _, s := range p.Steps {
		if s.Mends = slices.DeleteFunc(slices.Clone(s.Mends), gone); s.Do != scenario.Mend || len(s.Mends) > 0 {
			kept = append(kept, s)
		}
	}
	p.Steps = kept
}

// calmer takes away what makes the world itself rough.
func calmer(p *scenario.Plan) proposals {
	var all []change
	when := func(rough bool, do func(*scenario.World)) {
		if rough {
			all = append(all, func(c *scenario.Plan) { do(&c.World) })
		}
	}
	w := p.World
	when(w.Loss > 0, func(w *scenario.World) { w.Loss = 0 })
	when(w.SnapshotEvery > 0, func(w *scenario.World) { w.SnapshotEvery, w.KeepEntries = 0, 0 })
	when(len(w.Load) > 0, func(w *scenario.World) { w.Load = nil })
	when(w.Jitter > 0, func(w *scenario.World) { w.Jitter = 0 })
	when(w.Sync.Max > w.Sync.Min, func(w *scenario.World) { w.Sync.Max = w.Sync.Min })
	when(w.Action.Max > w.Action.Min, func(w *scenario.World) { w.Action.Max = w.Action.Min })
	return of(p, all)
}

// sooner lets the first fault strike as soon as the fleet has come up, and the
// storm end when the last one has ended: what is left out need not be played.
func sooner(p *scenario.Plan) proposals {
	first, end := p.Storm, scenario.Duration(0)
	for _, s := range p.Steps {
		if s.On != nil {
			return of(p, nil) // nobody knows when
		}
		first, end = min(first, s.At), max(end, s.At+s.For)
	}
	var all []change
	if by := down(first-warm, oneSecond); by >= oneSecond {
		all = append(all, func(c *scenario.Plan) {
			for i := range c.Steps {
				c.Steps[i].At -= by
			}
			c.Storm -= by
		})
	}
	if end = (end/tenSeconds + 1) * tenSeconds; end < p.Storm {
		all = append(all, func(c *scenario.Plan) { c.Storm = end })
	}
	return of(p, all)
}

// warm is when a fleet has come up.
const warm = scenario.Duration(30 * time.Second)

const (
	tenSeconds = scenario.Duration(10 * time.Second)
	oneSecond  = scenario.Duration(time.Second)
	tenth      = scenario.Duration(100 * time.Millisecond)
)

// fewerVictims takes members out of the steps that strike several.
func fewerVictims(p *scenario.Plan) proposals {
	var all []change
	for i, s := range p.Steps {
		for _, ch := range chunks(len(s.Members)) {
			if ch.to-ch.from < len(s.Members) {
				all = append(all, func(c *scenario.Plan) { c.Steps[i].Members = less(s.Members, ch) })
			}
		}
		for _, ch := range chunks(len(s.Others)) {
			if ch.to-ch.from < len(s.Others) { // without any, it would be everybody else
				all = append(all, func(c *scenario.Plan) { c.Steps[i].Others = less(s.Others, ch) })
			}
		}
	}
	return of(p, all)
}

func less[T any](list []T, ch chunk) []T { return slices.Delete(slices.Clone(list), ch.from, ch.to) }

// smallerFleet takes members out that no step names, occupants with their slots
// and spares alike, and councillors two by two.
func smallerFleet(p *scenario.Plan) proposals {
	named := map[member.ID]bool{}
	for _, s := range p.Steps {
		for _, id := range slices.Concat(s.Members, s.Others) {
			named[id] = true
		}
	}
	var idle []member.ID
	for _, m := range p.World.Fleet.Members {
		if !named[m.ID] && !m.Council {
			idle = append(idle, m.ID)
		}
	}
	var all []change
	for _, ch := range chunks(len(idle)) {
		out := idle[ch.from:ch.to]
		all = append(all,
			func(c *scenario.Plan) { retire(&c.World, out, true) },
			func(c *scenario.Plan) { retire(&c.World, out, false) })
	}
	if n := len(p.World.Council); n > 3 {
		all = append(all, func(c *scenario.Plan) { dismiss(&c.World, c.World.Council[n-2:]) })
	}
	return of(p, all)
}

// retire takes members out of a fleet. A slot of their pool goes with each of
// them, or its spares become fewer.
func retire(w *scenario.World, out []member.ID, slots bool) {
	f := &w.Fleet
	lost := map[string]int{}
	f.Members = slices.DeleteFunc(slices.Clone(f.Members), func(m member.Member) bool {
		if slices.Contains(out, m.ID) {
			lost[m.Pool]++
			return true
		}
		return false
	})
	if !slots {
		return
	}
	f.Pools = slices.Clone(f.Pools)
	for i := range f.Pools {
		p := &f.Pools[i]
		p.Slots = p.Slots[:max(1, len(p.Slots)-lost[p.Name])]
	}
}

// dismiss takes the council's seats from members; they stay in the fleet.
func dismiss(w *scenario.World, out []member.ID) {
	w.Council = w.Council[:len(w.Council)-len(out)]
	w.Fleet.Members = slices.Clone(w.Fleet.Members)
	for i := range w.Fleet.Members {
		if m := &w.Fleet.Members[i]; slices.Contains(out, m.ID) {
			m.Council = false
		}
	}
}

// shorterFaults lets faults end sooner: an eighth of their time, or half.
func shorterFaults(p *scenario.Plan) proposals {
	var all []change
	for _, part := range []scenario.Duration{8, 2} {
		for i, s := range p.Steps {
			if d := down(s.For/part, tenth); d > 0 && d < s.For {
				all = append(all, func(c *scenario.Plan) { c.Steps[i].For = d })
			}
		}
	}
	return of(p, all)
}

// rounder makes numbers easier to read: of all steps at once, then of each.
func rounder(p *scenario.Plan) proposals {
	var all []change
	for _, unit := range []scenario.Duration{tenSeconds, oneSecond, tenth} {
		round := func(s *scenario.PlanStep) {
			s.At, s.For, s.After = down(s.At, unit), down(s.For, unit), down(s.After, unit)
			s.Share = math.Floor(s.Share*10) / 10
		}
		all = append(all, func(c *scenario.Plan) {
			for i := range c.Steps {
				round(&c.Steps[i])
			}
		})
		for i := range p.Steps {
			all = append(all, func(c *scenario.Plan) { round(&c.Steps[i]) })
		}
	}
	return of(p, all)
}

// down rounds down, but never to nothing: a fault without an end would be
// another one.
func down(d, unit scenario.Duration) scenario.Duration {
	if d < unit {
		return d
	}
	return d / unit * unit
}
