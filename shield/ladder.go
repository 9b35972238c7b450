package shield

import (
	"math"
	"slices"
	"time"

	"moonwatch/member"
)

// LadderRules are the numbers of Ladder.
type LadderRules struct {
	// Who has been above its share for EnterAfter comes onto the ladder, and at once who
	// surges, or while the demand is more than Sudden times the capacity: one step may be
	// chance. 40 ms: two steps of 50 ms, and three of 25 ms.
	EnterAfter time.Duration
	Sudden     float64
	// Confirm is how long a surge is believed without the window: who is not above its
	// share by that until then leaves at once, and it was nothing.
	Confirm time.Duration
	// Hold is how long a subdomain stays on the ladder at least after it was last
	// above its share; it doubles, up to HoldMost, each time it comes back within
	// Again, and halves for each Again in which it does not.
	Hold, HoldMost, Again time.Duration
	// It leaves when it has asked for less than LeaveBelow of its limit, or all
	// for less than CalmBelow of the capacity, for that long. Both are measured
	// with what was refused, or release and return would take turns.
	LeaveBelow, CalmBelow float64
	// Slow is by how much the admitted fraction grows in a second of release.
	Slow float64
	// LocalFor and FleetFor are how long a shaping lasts that is not renewed.
	LocalFor, FleetFor time.Duration

	// A door votes for challenge when a subdomain has asked for Flood times its
	// limit for ClimbAfter while shaped on all doors; for stop, DeepFlood times
	// while challenged; for drop, when handshakes alone are trouble while stopped.
	Flood, DeepFlood float64
	ClimbAfter       time.Duration
	// Highest rung that a policy allows.
	Highest Rung
}

// DefaultLadderRules holds the numbers of research and PROTOCOL 9. By itself
// nothing climbs above shape-fleet.
func DefaultLadderRules() LadderRules {
	return LadderRules{
		EnterAfter: 40 * time.Millisecond, Sudden: 1.5, Confirm: 500 * time.Millisecond,
		Hold: 5 * time.Second, HoldMost: 5 * time.Minute, Again: 10 * time.Minute,
		LeaveBelow: 0.8, CalmBelow: 0.7, Slow: 1.5,
		LocalFor: 2 * time.Second, FleetFor: 5 * time.Second,
		Flood: 3, DeepFlood: 10, ClimbAfter: 10 * time.Second,
		Highest: ShapeFleet,
	}
}

// Sight is what a door sees at one step of the ladder.
type Sight struct {
	Shares     Shares
	Demand     map[Key]float64     // of all doors together, in units a second
	Evidence   map[Key][]member.ID // doors that have a part in it
	Chance     map[Key]float64     // by how much a demand may look too high by chance alone
	Doubt      map[Key]float64     // what of a demand may be counted twice
	Majority   bool                // most doors are heard
	Handshakes bool                // connections alone are trouble here
	Standing   map[Key]Rung        // rungs that the council has written down
	NeverStop  map[Key]bool        // at most challenged
}

// Held is a subdomain on the ladder.
type Held struct {
	Key    Key
	Rung   Rung
	Admit  float64 // fraction, 0 to 1
	Demand float64
	Limit  float64 // units a second for all doors together
	Since  time.Time
	Until  time.Time
	Vote   Rung // from challenge up: what this door votes for; Observe: nothing
	Doors  []member.ID
	// Slack is by how much it asks for more than its share, which may be chance: it is let
	// in as a whole, and gets no more than its share on average. 0: there is nothing to bound.
	Slack float64
}

// Ladder remembers who is held and how hard. Every door climbs its own, and as
// all see the same they are on the same rungs.
type Ladder struct {
	rules LadderRules
	on    map[Key]*climber
	past  map[Key]*climber // who left, for as long as coming back counts
}

type climber struct {
	above    time.Time // since when it is above its share; zero: it is not
	held     bool
	reflex   bool          // it came for its surge alone, and the window has not shown it yet
	before   time.Duration // what hold was then
	fleet    bool          // two doors had evidence
	since    time.Time
	limit    float64
	near     float64 // its share, while it asks for more and that may be chance; 0: it does not
	admit    float64
	quiet    time.Time // since when it could leave; zero: it could not
	stepped  time.Time
	hold     time.Duration
	left     time.Time
	flooding time.Time // since when it has asked for many times its limit
	deep     time.Time // since when for very many times
	rung     Rung
	risen    time.Time // when it came onto its rung
	vote     Rung
	calmed   time.Time // since when it has not asked for many times its limit
	slow     bool      // it was stopped: what is let in grows from little, whatever it asks for
}

// NewLadder begins with nobody on it.
func NewLadder(rules LadderRules) *Ladder {
	return &Ladder{rules: rules, on: map[Key]*climber{}, past: map[Key]*climber{}}
}

// Step moves everybody one step and says who is held, sorted by key.
func (l *Ladder) Step(now time.Time, s Sight) []Held {
	limits, near := make(map[Key]Limit, len(s.Shares.Limits)), make(map[Key]float64, len(s.Shares.Near))
	for _, x := range s.Shares.Limits {
		limits[x.Key] = x
		if l.on[x.Key] == nil {
			l.on[x.Key] = l.comes(x.Key)
		}
	}
	for _, x := range s.Shares.Near {
		near[x.Key] = x.Limit
	}
	for k := range s.Standing {
		if l.on[k] == nil {
			l.on[k] = l.comes(k)
		}
	}
	var out []Held
	for _, k := range sortedKeys(l.on) {
		c := l.on[k]
		limit, over := limits[k]
		standing := s.Standing[k]
		c.near = near[k]
		c.move(now, l.rules, s, k, limit, over, standing)
		if !c.held && !standing.Voted() {
			if !over {
				l.leaves(k, c)
			}
			continue
		}
		out = append(out, c.show(now, l.rules, s, k, standing))
	}
	for k, c := range l.past {
		if now.Sub(c.left) > l.rules.Again*8 { // by then even the longest hold has halved away
			delete(l.past, k)
		}
	}
	return out
}

// comes is for who is above its share for the first time in a while.
func (l *Ladder) comes(k Key) *climber {
	c := l.past[k]
	if c == nil {
		c = &climber{hold: l.rules.Hold}
	}
	delete(l.past, k)
	return c
}

// leaves forgets who is not on the ladder, but not how often it was.
func (l *Ladder) leaves(k Key, c *climber) {
	delete(l.on, k)
	if !c.left.IsZero() {
		l.past[k] = c
	}
}

// move is one step of one subdomain.
func (c *climber) move(now time.Time, rules LadderRules, s Sight, k Key, limit Limit, over bool, standing Rung) {
	demand := s.Demand[k]
	passed := now.Sub(c.stepped)
	if c.stepped.IsZero() || passed < 0 {
		passed = 0
	}
	if !c.stepped.IsZero() && (passed > blind || now.Before(c.stepped)) {
		c.forgetSince(now)
	}
	c.stepped = now
	switch {
	case !over:
		c.above = time.Time{}
	case c.above.IsZero() || now.Before(c.above):
		c.above = now
	}
	switch {
	case over:
		c.limit = limit.Limit
	case c.limit > 0 && c.near > 0: // it asks for more than that, and perhaps by chance
		c.limit = c.near
	case c.limit > 0 && s.Shares.sharing(): // its share by now: the limit is of when more was asked for, or less was known
		c.limit = max(c.limit, demand)
	}
	if standing.Voted() {
		c.stands(now, rules, s, k, standing)
		return
	}
	if !c.held {
		lasts := over && now.Sub(c.above) >= rules.EnterAfter
		if !lasts && !(over && (limit.Surges || s.Shares.Pressure > rules.Sudden)) {
			return
		}
		c.reflex, c.before = limit.Surges, c.hold
		c.enter(now, rules)
	}
	if c.reflex = c.reflex && (!over || limit.Surges); c.reflex && !over && now.Sub(c.since) >= rules.Confirm {
		c.held, c.hold, c.vote, c.fleet = false, c.before, Observe, false // it was nothing
		return
	}
	if c.slow {
		c.letIn(now, rules, s, k, over, passed)
		return
	}
	if over {
		c.quiet = time.Time{}
		c.admit = s.fraction(limit.Limit, k)
		c.watch(now, rules, demand)
		return
	}
	c.watch(now, rules, demand)
	if !c.calm(rules, s, demand) {
		c.quiet = time.Time{}
		c.admit = s.fraction(c.limit, k)
		return
	}
	if c.quiet.IsZero() {
		c.quiet = now
	}
	if now.Sub(c.quiet) < c.hold {
		c.admit = s.fraction(c.limit, k)
		return
	}
	c.admit = max(c.admit, s.fraction(c.limit, k), 1.0/Whole) * math.Pow(rules.Slow, min(passed.Seconds(), 1))
	if c.admit >= 1 {
		c.held, c.left, c.vote, c.fleet = false, now, Observe, false
	}
}

// blind is how long a door may look away without forgetting for how long something has
// gone on: of more time than twenty ticks it has seen nothing.
const blind = time.Second

// forgetSince is for a door that stood still, or whose clock jumped: what it sees now has
// gone on since now. What it votes for already stands, until that is over.
func (c *climber) forgetSince(now time.Time) {
	c.flooding, c.deep, c.quiet, c.calmed = time.Time{}, time.Time{}, time.Time{}, time.Time{}
	for _, t := range []*time.Time{&c.since, &c.risen, &c.left} {
		if t.After(now) {
			*t = now
		}
	}
}

// slowFrom is the fraction that is let in of who was stopped a moment ago: who waits
// comes all at once.
const slowFrom = 0.1

// stands is a step on a rung that the council has written down: it lasts as long as that
// stands, and what is let in afterwards begins with little.
func (c *climber) stands(now time.Time, rules LadderRules, s Sight, k Key, standing Rung) {
	if !c.held {
		c.enter(now, rules)
	}
	c.watch(now, rules, s.Demand[k])
	c.quiet, c.admit = time.Time{}, c.allowed(s, k)
	if standing >= Stop {
		c.slow, c.admit = true, slowFrom
	}
}

// letIn lets in more and more of who was stopped, and no more than its share while that
// is a limit: one from a flood that is over would hold it for ever.
func (c *climber) letIn(now time.Time, rules LadderRules, s Sight, k Key, over bool, passed time.Duration) {
	demand := s.Demand[k]
	c.watch(now, rules, demand)
	most := 1.0
	if over || !c.calm(rules, s, demand) {
		most = c.allowed(s, k)
	}
	grown := c.admit * math.Pow(rules.Slow, min(passed.Seconds(), 1))
	c.admit, c.quiet, c.slow = max(min(grown, most), 1.0/Whole), time.Time{}, grown < 1
}

// calm reports that a subdomain asks for little, or that there is room for what it asks for.
func (c *climber) calm(rules LadderRules, s Sight, demand float64) bool {
	return demand < rules.LeaveBelow*c.limit || s.Shares.Pressure < rules.CalmBelow && !s.Shares.Overload
}

// allowed is the fraction that its share allows; everything of who never was above it.
func (c *climber) allowed(s Sight, k Key) float64 {
	if c.limit == 0 {
		return 1
	}
	return s.fraction(c.limit, k)
}

// fraction is what of a subdomain's demand is let in. One that may be above its limit by
// chance alone is let in whole: the cap bounds it (slack).
func (s *Sight) fraction(limit float64, k Key) float64 {
	demand := s.Demand[k]
	if demand <= limit+s.Chance[k] {
		return 1
	}
	return limit / demand
}

// enter puts it on the ladder. Who comes back soon is held longer.
func (c *climber) enter(now time.Time, rules LadderRules) {
	c.held, c.since, c.quiet, c.flooding, c.deep, c.calmed = true, now, time.Time{}, time.Time{}, time.Time{}, time.Time{}
	c.rung, c.risen = Observe, now
	if c.left.IsZero() {
		return
	}
	away := now.Sub(c.left)
	if away < rules.Again {
		c.hold = min(2*c.hold, rules.HoldMost)
		return
	}
	for ; away >= rules.Again && c.hold > rules.Hold; away -= rules.Again {
		c.hold = max(c.hold/2, rules.Hold)
	}
}

// watch notes for how long it floods.
func (c *climber) watch(now time.Time, rules LadderRules, demand float64) {
	since := func(t *time.Time, yes bool) {
		switch {
		case !yes:
			*t = time.Time{}
		case t.IsZero():
			*t = now
		}
	}
	since(&c.flooding, c.limit > 0 && demand >= rules.Flood*c.limit)
	since(&c.deep, c.limit > 0 && demand >= rules.DeepFlood*c.limit)
	since(&c.calmed, c.flooding.IsZero())
}

// show says on which rung it is, and what this door votes for.
func (c *climber) show(now time.Time, rules LadderRules, s Sight, k Key, standing Rung) Held {
	doors := s.Evidence[k]
	rung, until := ShapeLocal, now.Add(rules.LocalFor)
	if len(doors) >= 2 {
		c.fleet = true
	}
	if c.fleet && s.Majority {
		rung, until = ShapeFleet, now.Add(rules.FleetFor)
	}
	if !c.held {
		rung = Observe
	}
	if standing.Voted() {
		rung = standing
	}
	if rung != c.rung {
		c.rung, c.risen = rung, now
	}
	c.vote = c.votes(now, rules, s, k)
	admit := c.admit
	if !c.held {
		admit = 1
	}
	return Held{
		Key: k, Rung: rung, Admit: admit, Demand: s.Demand[k], Limit: c.limit,
		Since: c.since, Until: until, Vote: c.vote, Doors: doors, Slack: c.slack(s, k),
	}
}

// slack is by how much somebody who is held asks for more than its share while that may be
// chance. Few dear requests look like chance half of the time, and would all be let in then.
func (c *climber) slack(s Sight, k Key) float64 {
	over := s.Demand[k] - c.limit
	if !c.held || c.admit < 1 || c.limit == 0 || !c.quiet.IsZero() || over <= s.Doubt[k] {
		return 0
	}
	return over
}

// votes gives the rung this door votes for. A vote stands while the flood goes
// on, and is taken back when it has been over for the hold: a flood that pauses is none
// that ended.
func (c *climber) votes(now time.Time, rules LadderRules, s Sight, k Key) Rung {
	lasts := func(t time.Time) time.Duration {
		if t.IsZero() {
			return -1
		}
		return now.Sub(t)
	}
	want := Observe
	switch {
	case !c.held:
	case lasts(c.flooding) < rules.ClimbAfter || now.Sub(c.since) < rules.ClimbAfter:
		if c.vote.Voted() && lasts(c.calmed) < c.hold {
			want = c.vote
		}
	case c.rung >= Stop && s.Handshakes && now.Sub(c.risen) >= rules.ClimbAfter, c.rung == Drop && s.Handshakes:
		want = Drop
	case c.rung >= Challenge && lasts(c.deep) >= rules.ClimbAfter && (c.rung > Challenge || now.Sub(c.risen) >= rules.ClimbAfter):
		want = Stop
	case c.rung >= ShapeLocal:
		want = Challenge
	}
	if !s.Majority {
		return Observe // a minority never does more than shape alone
	}
	most := rules.Highest
	if s.NeverStop[k] {
		most = min(most, Challenge)
	}
	if want = min(want, most); !want.Voted() {
		return Observe
	}
	return want
}

func sortedKeys[V any](m map[Key]V) []Key {
	keys := make([]Key, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
