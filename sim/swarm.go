package sim

import (
	"cmp"
	"slices"
	"time"

	"moonwatch/member"
	"moonwatch/mind"
)

// Swarm draws a whole story from a seed: the fleet's size, the weather, which
// faults may happen and how often. The faults are of the kinds that must not
// break a promise, and all of them end by quiet: after that everything has to
// come right.
//
// Not every kind is in every story: a world with everything in it at once hides
// what one kind alone would show.
func Swarm(seed uint64, members int, quiet time.Duration) (Config, []Fault) {
	c := newChance(seed)
	d := diceOf(c)
	cfg := Fleet(members)
	cfg.Seed = seed
	if seed%2 == 1 { // no draw: the stories of all seeds stay what they are
		allow(cfg.Fleet.Members, len(cfg.Council)+3)
	}
	if !d.one(4) {
		cfg.Fleet.Profile = "demo" // calm comes sooner, so more stories fit
	}
	if d.one(3) {
		cfg.Net.Loss = d.unit() * 0.15
	}
	if d.one(6) {
		cfg.Net.Delay = d.span(time.Millisecond, 10*time.Millisecond)
		cfg.Net.Jitter = cfg.Net.Delay / 2
	}
	if d.one(3) {
		cfg.Disk.Sync.Max = d.span(10*time.Millisecond, 80*time.Millisecond)
	}
	if d.one(3) {
		cfg.Action.Max = d.span(time.Second, 10*time.Second)
	}
	if d.one(2) {
		every, keep := 30+d.next()%200, d.next()%20
		cfg.Mind = func(c mind.Config) mind.Config {
			c.SnapshotEvery, c.KeepEntries = every, keep
			return c
		}
	}
	if c.unit(streamSole, 0, 0) < 0.25 {
		cfg = Exclusive(cfg)
	}
	if c.unit(streamTwoSteps, 0, 0) < 0.3 {
		prepared(cfg.Fleet.Pools)
	}
	kinds := swarmKinds[:0:0]
	for _, k := range swarmKinds {
		if d.one(4) {
			kinds = append(kinds, k)
		}
	}
	if len(kinds) == 0 {
		kinds = []FaultKind{Crash}
	}
	const warm = 30 * time.Second
	story := NewDraw(cfg, quiet)
	var faults []Fault
	for range 1 + d.next()%12 {
		at := d.span(warm, quiet-10*time.Second)
		do := kinds[d.next()%uint64(len(kinds))]
		if f, ok := story.fault(d, do, at); ok {
			faults = append(faults, f)
		}
	}
	slices.SortStableFunc(faults, func(a, b Fault) int { return cmp.Compare(a.At, b.At) })
	return cfg, faults
}

// streamSole draws whether a story's slots are exclusive: dice of its own, so that all
// others fall as they fell before there were such slots.
const streamSole = streamKeeper + 1

// streamTwoSteps draws whether spares prepare before one of them goes live.
const streamTwoSteps = streamSole + 1

// prepared gives pools an action that prepares, and many drills.
func prepared(pools []member.Pool) {
	for i, p := range pools {
		pools[i].Actions.Prepare, pools[i].Actions.Unprepare = p.Name+"-prepare", p.Name+"-unprepare"
		pools[i].Spares.DrillEvery = 90 * time.Second
	}
}

// Exclusive makes the slots of all pools exclusive ones: whoever runs one holds its
// lease. One seed in four takes the calm terms.
func Exclusive(cfg Config) Config {
	cfg.Fleet.Pools = slices.Clone(cfg.Fleet.Pools)
	for i := range cfg.Fleet.Pools {
		cfg.Fleet.Pools[i].Exclusive, cfg.Fleet.Pools[i].Fence = true, []string{"self", "lease"}
	}
	if cfg.Seed%4 == 3 {
		cfg.Fleet.Lease = member.LeaseCalm()
	}
	return cfg
}

// allow lets the first n members of a fleet sit in the council: those that do not
// are kept warm, and take the seats of the lost.
func allow(members []member.Member, n int) {
	for i := range min(n, len(members)) {
		members[i].Council = true
	}
}

// bounds keep a story within what the protocol assumes: beyond it no promise
// holds, and a broken one would say nothing.
type bounds struct {
	council []member.ID
	emptied map[member.ID]bool // councillors whose disk was lost
	drifts  map[member.ID]bool // whose clock runs wrong at some time: two such faults would add up
	liar    member.ID          // the one observer that lies in this story
	forger  member.ID          // the one agent that forges: what dozens hand in nobody bounds
}

// hold takes out of a fault those whom it may not hit: more than a minority of
// the councillors' disks over the whole story, a second liar or forger, a councillor as
// a forger, which would keep quiet, a clock that runs wrong already.
func (b *bounds) hold(f Fault) Fault {
	f.Whom = slices.DeleteFunc(f.Whom, func(id member.ID) bool {
		switch f.Do {
		case Wipe, BitFlip:
			if !slices.Contains(b.council, id) || b.emptied[id] {
				return false
			}
			if 2*(len(b.emptied)+1) >= len(b.council) {
				return true
			}
			b.emptied[id] = true
		case Lie, Defame:
			if b.liar == "" {
				b.liar = id
			}
			return b.liar != id
		case Forge:
			if b.forger == "" && !slices.Contains(b.council, id) {
				b.forger = id
			}
			return b.forger != id
		case ClockDrift:
			twice := b.drifts[id]
			b.drifts[id] = true
			return twice
		default:
		}
		return false
	})
	return f
}

// swarmKinds are the kinds that a story needs nothing else for: no flood, which needs
// load, no order of people, no forger, no device that switches machines off; nor losses
// one way, which came later: with one kind more all seeds would tell other stories.
var swarmKinds = []FaultKind{
	Crash, Wipe, KillAgent, KillService, Sicken, Pause, Freeze, Slow,
	StallDisk, SlowDisk, FullDisk, TornTail, LostTail, BitFlip,
	Lossy, Weather, Burst, Duplicate, Reorder, Delay, Isolate, Deafen, Mute, Cut, CutOneWay, Swizzle, Flap,
	ClockJump, ClockDrift, HangActions, FailActions, LyingActions, UnknownActions, Lie, Defame,
}

// Draw draws the faults of one story, within what the protocol assumes: as bad, as
// long and of as many as may happen. All of them end by quiet.
type Draw struct {
	all    crowd
	quiet  time.Duration
	limits bounds
}

// NewDraw begins a story of a fleet.
func NewDraw(c Config, quiet time.Duration) *Draw {
	s := &Draw{quiet: quiet, limits: bounds{council: c.Council, emptied: map[member.ID]bool{}, drifts: map[member.ID]bool{}}}
	for _, m := range c.Fleet.Members {
		s.all = append(s.all, crowdMember{m.ID, m.Domain})
	}
	return s
}

// Fault draws a fault of a kind that begins at a time, with numbers that next gives. It is
// not ok if the story has as much of that kind as the protocol stands. What a flood is for
// and what an applied fleet changes is not drawn.
func (s *Draw) Fault(next func() uint64, do FaultKind, at time.Duration) (f Fault, ok bool) {
	return s.fault(dice{next}, do, at)
}

func (s *Draw) fault(d dice, do FaultKind, at time.Duration) (Fault, bool) {
	f := s.limits.hold(d.fault(do, s.all, at, s.quiet))
	rule, _ := RuleOf(f.Do)
	return f, len(f.Whom) > 0 || !slices.Contains(rule.Needs, FieldWhom)
}

// dice draws what a story is made of.
type dice struct{ next func() uint64 }

// diceOf are the dice of a seed's story.
func diceOf(c *chance) dice { return dice{func() uint64 { return c.next(streamWeather, 0, 0) }} }

func (d dice) unit() float64  { return float64(d.next()>>11) / (1 << 53) }
func (d dice) one(n int) bool { return d.next()%uint64(n) == 0 }

func (d dice) span(from, to time.Duration) time.Duration {
	return from + time.Duration(d.next()%uint64(max(1, to-from)))
}

// some draws k different members.
func (d dice) some(ids []member.ID, k int) []member.ID {
	rest := slices.Clone(ids)
	var out []member.ID
	for range min(k, len(rest)) {
		i := int(d.next() % uint64(len(rest)))
		out = append(out, rest[i])
		rest = slices.Delete(rest, i, i+1)
	}
	slices.Sort(out)
	return out
}

func (d dice) fault(do FaultKind, all crowd, at, quiet time.Duration) Fault {
	f := Fault{At: at, Do: do}
	rule, _ := RuleOf(f.Do)
	ids := all.ids()
	if slices.Contains(rule.Needs, FieldWhom) { // a flood comes through all doors
		f.Whom = d.victims(all)
	}
	if rule.Has(FieldOther) && (f.Do == Defame || d.one(2)) {
		rest := slices.DeleteFunc(slices.Clone(ids), func(id member.ID) bool { return slices.Contains(f.Whom, id) })
		f.Other = d.some(rest, 1+int(d.next()%uint64(max(1, len(rest)))))
	}
	if f.Do == Defame && len(f.Other) == 0 {
		f.Do = Lie
	}
	f.Serve = rule.Has(FieldServe) && d.one(2)
	f = d.strength(f)
	if rule.Ends {
		short, long := 200*time.Millisecond, quiet-at
		switch f.Do {
		case Pause, Freeze, StallDisk, Slow:
			long = min(long, 20*time.Second)
		case Swizzle:
			f.Every = min(f.Every, long)
			long -= f.Every // it heals in that time
		default: // as long as the calm allows
		}
		f.For = d.span(short, max(long, 2*short))
	}
	return f
}

// strength draws how bad a fault is.
func (d dice) strength(f Fault) Fault {
	switch f.Do {
	case Weather:
		f.Share = 0.05 + 0.25*d.unit()
	case Lossy, LossyIn, LossyOut, Burst:
		f.Share = 0.1 + 0.8*d.unit()
	case Duplicate:
		f.Share = 0.01 + 0.5*d.unit()
	case Reorder:
		f.Share, f.Delay = 0.01+0.3*d.unit(), d.span(time.Millisecond, time.Second)
	case Delay:
		f.Delay = d.span(time.Millisecond, 400*time.Millisecond)
	case Slow:
		f.Delay, f.Share = d.span(10*time.Millisecond, 600*time.Millisecond), 1+20*d.unit()
	case SlowDisk:
		f.Delay, f.Share = d.span(time.Millisecond, 300*time.Millisecond), 1+20*d.unit()
	case Swizzle:
		f.Every = d.span(time.Second, 10*time.Second)
	case Flap:
		f.Every = d.span(500*time.Millisecond, 40*time.Second)
	case ClockJump:
		f.Delay = d.span(100*time.Millisecond, time.Second) << (d.next() % 10) // up to 8 min
		if d.one(2) {
			f.Delay = -f.Delay
		}
	case ClockDrift:
		f.Share = (d.unit() - 0.5) / 50 // the protocol stands 1 %
	case HangActions, FailActions, LyingActions, UnknownActions:
		f.Share = 0.1 + 0.9*d.unit()
	case Flood:
		f.Share = 1 + 19*d.unit()
	default: // there or not there
	}
	if f.Do == Burst && d.one(2) {
		f.Every = d.span(20*time.Millisecond, 5*time.Second)
	}
	return f
}
