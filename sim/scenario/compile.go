package scenario

import (
	"fmt"
	"slices"
	"time"

	"moonwatch/internal/strict"
	"moonwatch/member"
	"moonwatch/mind"
	"moonwatch/sim"
)

// Options change what a scenario says about itself, for campaigns. The zero
// value changes nothing.
type Options struct {
	Members int     // how many the fleet has
	Minutes float64 // virtual, of the storm
}

// SwarmName is the name of the scenario that is built in: everything about it
// is drawn from the seed.
const SwarmName = "swarm"

// The size of a swarm that nobody changes.
const (
	swarmMembers = 30
	swarmStorm   = 5 * time.Minute
)

// BuiltinSwarm is the scenario of campaigns: the fleet's weather, which faults may
// happen, how often and to whom are drawn from the seed.
func BuiltinSwarm() *Scenario {
	f := sim.Fleet(swarmMembers)
	return &Scenario{
		Name: SwarmName, Seed: 1, Duration: swarmStorm, Settle: defaultSettle, wild: true,
		About:  "Weather, faults and their victims are drawn from the seed. Whatever happens, no promise is broken, and when it is over all is well again.",
		ground: newGround(f.Fleet, f.Council),
	}
}

// Compile draws the scenario's chance from a seed. The same seed and options
// give the same plan.
func (s *Scenario) Compile(seed uint64, opt Options) (*Plan, error) {
	storm := s.Duration
	if opt.Minutes > 0 {
		storm = time.Duration(opt.Minutes * float64(time.Minute))
	}
	if opt.Members != 0 && (opt.Members < 2 || opt.Members > mostMembers) {
		return nil, fmt.Errorf("compile %s: %d members, want 2 to %d", s.Name, opt.Members, mostMembers)
	}
	p := &Plan{
		Version: PlanVersion, Scenario: s.Name, About: s.About, Seed: seed, Storm: Duration(storm), Settle: Duration(s.Settle),
		Expect: s.Expect, Sometimes: s.Sometimes, Steps: []PlanStep{},
	}
	if s.wild {
		return p.wild(opt.Members)
	}
	g, err := s.groundFor(opt.Members)
	if err != nil {
		return nil, fmt.Errorf("compile %s: %w", s.Name, err)
	}
	c := s.config(g, seed)
	p.World = worldOf(c)
	p.World.Load, p.World.Shield = s.Load, s.Shield
	p.World.SnapshotEvery, p.World.KeepEntries = s.SnapshotEvery, s.KeepEntries
	c2 := compiler{plan: p, eye: eye{g: g, struck: map[string][]member.ID{}}, named: map[string]int{}}
	for i, x := range s.Steps {
		if x.On == nil && x.At+x.For > storm {
			return nil, fmt.Errorf("compile %s: steps[%d] ends at %s, after the end at %s", s.Name, i, strict.Short(x.At+x.For), strict.Short(storm))
		}
		if err := c2.step(i, x); err != nil {
			return nil, fmt.Errorf("compile %s: steps[%d]: %w", s.Name, i, err)
		}
	}
	if s.Swarm != nil {
		w := *s.Swarm
		w.QuietAfter = min(w.QuietAfter, storm)
		c2.swarm(w, len(s.Steps))
	}
	return p, nil
}

// wild draws everything, as sim.Swarm does.
func (p *Plan) wild(members int) (*Plan, error) {
	if members == 0 {
		members = swarmMembers
	}
	storm := time.Duration(p.Storm)
	if members < 5 || storm <= warm+10*time.Second {
		return nil, fmt.Errorf("compile %s: %d members for %s, want at least 5 for more than %s", p.Scenario, members, strict.Short(storm), strict.Short(warm+10*time.Second))
	}
	c, faults := sim.Swarm(p.Seed, members, storm)
	p.World = worldOf(c)
	for i, f := range faults {
		p.Steps = append(p.Steps, stepOf(i, f))
	}
	return p, nil
}

// stepOf is a fault as a step.
func stepOf(id int, f sim.Fault) PlanStep {
	return PlanStep{
		ID: id, At: Duration(f.At), Do: f.Do, Members: f.Whom, Others: f.Other, For: Duration(f.For), Share: f.Share,
		Delay: Duration(f.Delay), Every: Duration(f.Every), Serve: f.Serve, Host: f.Host, Change: f.Change,
	}
}

// worldOf is a world's description as plain data. What a function changes about
// the agents is found out by asking it.
func worldOf(c sim.Config) World {
	w := World{
		Fleet: c.Fleet, Council: c.Council, Delay: Duration(c.Net.Delay), Jitter: Duration(c.Net.Jitter), Loss: c.Net.Loss,
		Sync: Between{Duration(c.Disk.Sync.Min), Duration(c.Disk.Sync.Max)}, Action: Between{Duration(c.Action.Min), Duration(c.Action.Max)},
	}
	if c.Mind != nil {
		plain := mind.Default("", 1)
		if x := c.Mind(plain); x.SnapshotEvery != plain.SnapshotEvery || x.KeepEntries != plain.KeepEntries {
			w.SnapshotEvery, w.KeepEntries = x.SnapshotEvery, x.KeepEntries
		}
	}
	return w
}

// config is the world as the simulator wants it.
func (w World) config(seed uint64) sim.Config {
	c := sim.Config{
		Seed: seed, Fleet: w.Fleet, Council: w.Council,
		Net:    sim.Net{Delay: time.Duration(w.Delay), Jitter: time.Duration(w.Jitter), Loss: w.Loss},
		Disk:   sim.Disk{Sync: w.Sync.span()},
		Action: w.Action.span(), Begin: w.Begin, Shield: w.Shield,
	}
	for _, l := range w.Load {
		c.Load = append(c.Load, sim.Load(l))
	}
	if w.SnapshotEvery > 0 {
		c.Mind = func(m mind.Config) mind.Config {
			m.SnapshotEvery, m.KeepEntries = w.SnapshotEvery, w.KeepEntries
			return m
		}
	}
	return c
}

func (b Between) span() sim.Span {
	return sim.Span{Min: time.Duration(b.Min), Max: time.Duration(b.Max)}
}

// groundFor is the fleet at the size that is asked for.
func (s *Scenario) groundFor(members int) (*ground, error) {
	switch {
	case members == 0 || members == s.Members():
		return s.ground, nil
	case s.layout == nil:
		return nil, fmt.Errorf("its fleet has the %d members that stand there, and not %d", s.Members(), members)
	}
	l, err := s.layout.resize(members)
	if err != nil {
		return nil, err
	}
	f, council := l.build()
	g := newGround(f, council)
	g.added = s.ground.added
	return g, nil
}

// compiler makes steps concrete as far as that can be known beforehand.
type compiler struct {
	plan  *Plan
	eye   eye
	named map[string]int // the step that gave a name
}

func (c *compiler) step(i int, x Step) error {
	s := PlanStep{
		ID: i, At: Duration(x.At), On: x.On, Within: Duration(x.Within), After: Duration(x.After), Do: x.Do, For: Duration(x.For),
		Share: x.Share, Delay: Duration(x.Delay), Every: Duration(x.Every), Serve: x.Serve, Host: x.Host, Change: x.Change, As: x.As,
	}
	if x.Nth > 1 {
		s.Nth = x.Nth
	}
	if x.As != "" {
		c.named[x.As] = i
	}
	if x.Do == Mend {
		for _, w := range x.Whom {
			s.Mends = append(s.Mends, c.named[w.name])
		}
		c.plan.Steps = append(c.plan.Steps, s)
		return nil
	}
	for _, sel := range slices.Concat(x.Whom, x.Except, x.Other) {
		if err := c.eye.g.knows(sel); err != nil {
			return err
		}
	}
	whom, known := c.eye.whom(roll(c.plan.Seed, i, forWhom), x.Whom, x.Except)
	if known {
		s.Members = whom
		if len(x.Whom) > 0 && len(whom) == 0 {
			return fmt.Errorf("%v selects nobody", x.Whom)
		}
	} else {
		s.Whom, s.Except = x.Whom, x.Except
	}
	if x.As != "" && known {
		c.eye.struck[x.As] = whom
	}
	if other, known := c.eye.whom(roll(c.plan.Seed, i, forOther), x.Other, nil); known {
		s.Others = other
	} else {
		s.Other = x.Other
	}
	c.plan.Steps = append(c.plan.Steps, s)
	return nil
}

// knows says if a selector names what this fleet does not have: another size
// than the scenario's own may lack it.
func (g *ground) knows(s Selector) error {
	switch {
	case s.of != nil:
		return g.knows(*s.of)
	case s.kind == byMember:
		if _, ok := g.member(s.name); !ok {
			return fmt.Errorf("%s is not in a fleet of %d", s, len(g.fleet.Members))
		}
	case s.kind == bySlot:
		if !slices.Contains(g.slots(), member.SlotID(s.name)) {
			return fmt.Errorf("%s is not in a fleet of %d", s, len(g.fleet.Members))
		}
	case s.kind == byDomain:
		if len(g.that(func(m member.Member) bool { return string(m.Domain) == s.name })) == 0 {
			return fmt.Errorf("%s is not in a fleet of %d", s, len(g.fleet.Members))
		}
	}
	return nil
}
