package scenario

import (
	"slices"
	"time"

	"moonwatch/member"
	"moonwatch/sim"
)

// warm is how long a fleet takes to come up: a swarm leaves it alone until
// then.
const warm = 30 * time.Second

// swarm draws faults behind the steps that a scenario names. Each has dice of
// its own.
func (c *compiler) swarm(s Swarm, first int) {
	g := c.eye.g
	d := roll(c.plan.Seed, first, forSwarm)
	n := s.Faults.Least + d.below(min(s.Faults.Most, mostFaults)-s.Faults.Least+1)
	var drawn []PlanStep
	for i := range n {
		drawn = append(drawn, s.fault(roll(c.plan.Seed, first+1+i, forSwarm), g, c.plan.World.Load))
	}
	slices.SortStableFunc(drawn, func(a, b PlanStep) int { return int(a.At - b.At) })
	for i, x := range drawn {
		x.ID = first + i
		c.plan.Steps = append(c.plan.Steps, x)
	}
}

// fault draws one fault: its kind, its victims, its time.
func (s Swarm) fault(d *dice, g *ground, loads []Load) PlanStep {
	rule := s.kind(d)
	quiet := s.QuietAfter
	at := warm + time.Duration(d.unit()*float64(quiet-warm-time.Second))
	x := PlanStep{At: Duration(at), Do: rule.Kind}
	if slices.Contains(rule.Needs, sim.FieldWhom) {
		most := []int{1, 1, 1, 3, 3, max(1, len(g.fleet.Members)/3), max(1, len(g.fleet.Members)/3), len(g.fleet.Members)}[d.below(8)]
		x.Members = sorted(some(d, g.ids(), 1+d.below(most)))
	}
	if slices.Contains(rule.Needs, sim.FieldOther) {
		x.Others = sorted(some(d, g.ids(), 1+d.below(3)))
	}
	if slices.Contains(rule.Needs, sim.FieldShare) {
		r := rule.Share
		x.Share = r.Min + (min(r.Max, 20)-r.Min)*d.unit()
	}
	if slices.Contains(rule.Needs, sim.FieldDelay) {
		x.Delay = Duration(time.Millisecond + time.Duration(d.unit()*float64(2*time.Second)))
	}
	if rule.Has(sim.FieldServe) {
		x.Serve = d.below(2) == 0
	}
	if rule.Has(sim.FieldHost) {
		x.Host = loads[d.below(len(loads))].Host
	}
	if rule.Ends {
		least := 200 * time.Millisecond
		x.For = Duration(least + time.Duration(d.unit()*float64(max(0, quiet-at-least))))
	}
	return x
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

func sorted(ids []member.ID) []member.ID {
	slices.Sort(ids)
	return ids
}
