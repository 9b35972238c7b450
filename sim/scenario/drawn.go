package scenario

import (
	"cmp"
	"slices"
	"strconv"
	"time"

	"moonwatch/sim"
)

// warm is how long a fleet takes to come up: a swarm leaves it alone until
// then.
const warm = 30 * time.Second

// swarm draws faults behind the steps that a scenario names. Each has dice of
// its own.
func (c *compiler) swarm(s Swarm, first int) {
	d := roll(c.plan.Seed, first, forSwarm)
	n := s.Faults.Least + d.below(min(s.Faults.Most, mostFaults)-s.Faults.Least+1)
	story := sim.NewDraw(sim.Config{Fleet: c.plan.World.Fleet, Council: c.plan.World.Council}, s.QuietAfter)
	var drawn []sim.Fault
	for i := range n {
		if f, ok := s.fault(roll(c.plan.Seed, first+1+i, forSwarm), story, c.plan.World.Load); ok {
			drawn = append(drawn, f)
		}
	}
	slices.SortStableFunc(drawn, func(a, b sim.Fault) int { return cmp.Compare(a.At, b.At) })
	for i, f := range drawn {
		c.plan.Steps = append(c.plan.Steps, stepOf(first+i, f))
	}
}

// calm is how long before its end a swarm begins nothing new, so that a fault can last.
const calm = 10 * time.Second

// fault draws one fault: its kind by the scenario's weights, and all else as the built-in
// swarm does, within what the protocol assumes.
func (s Swarm) fault(d *dice, story *sim.Draw, loads []Load) (sim.Fault, bool) {
	rule := s.kind(d)
	span := s.QuietAfter - warm
	at := warm + time.Duration(d.unit()*float64(max(span-calm, span/2)))
	f, ok := story.Fault(d.next, rule.Kind, at)
	f.Share = rounded(f.Share)
	if rule.Has(sim.FieldHost) {
		f.Host = loads[d.below(len(loads))].Host
	}
	return f, ok
}

// rounded is a share as people write one, to three digits.
func rounded(x float64) float64 {
	y, _ := strconv.ParseFloat(strconv.FormatFloat(x, 'g', 3, 64), 64) // it is a number
	return y
}

// kind draws a kind by its weight.
func (s Swarm) kind(d *dice) sim.KindRule {
	sum := 0
	for _, k := range s.Kinds {
		sum += k.Weight
	}
	at := d.below(sum)
	for _, k := range s.Kinds {
		if at -= k.Weight; at < 0 {
			rule, _ := sim.RuleOf(k.Kind)
			return rule
		}
	}
	return sim.KindRule{}
}
