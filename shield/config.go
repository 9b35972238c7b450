package shield

import (
	"errors"
	"fmt"
	"time"

	"moonwatch/member"
)

// Config of the shield at one door.
type Config struct {
	Door member.ID
	Life member.Incarnation
	Salt uint64 // by which keys are made, the cluster's; a report with another one's is refused

	// Shadow: everything is decided, said and shown, and nothing is done. A new
	// policy begins so.
	Shadow bool
	// Weights of subdomains, by key; who is not named has 1.
	Weights map[Key]float64
	// NeverStop subdomains are at most challenged. Should it name everybody, the
	// ladder ends there.
	NeverStop map[Key]bool

	// Window is the stretch of time over which rates are measured. Longer: less is
	// chance, and what changes is seen later. 400 ms. Who surges is measured since it does.
	Window time.Duration
	// SayEvery and SayEveryPressed are how often the other doors are told.
	SayEvery, SayEveryPressed time.Duration
	// FloorsEvery is how often the council's leader publishes floors.
	FloorsEvery time.Duration
	// UsualOver is how fast what is usual is forgotten.
	UsualOver time.Duration
	// CapOver is by how much more than its share a door's cap lets in, before the
	// next round corrects the fraction.
	CapOver float64

	Surge    SurgeRules
	Capacity CapacityRules
	Shares   ShareRules
	Floors   FloorRules
	Merge    MergeRules
	Ladder   LadderRules
	Throttle ThrottleRules
}

// DefaultConfig is a door in shadow, with the numbers of PROTOCOL 9.
func DefaultConfig(door member.ID) Config {
	return Config{
		Door: door, Life: 1, Shadow: true,
		Window: 400 * time.Millisecond, SayEvery: 250 * time.Millisecond, SayEveryPressed: 100 * time.Millisecond,
		FloorsEvery: time.Minute, UsualOver: time.Minute, CapOver: 1.1,
		Surge: DefaultSurgeRules(), Capacity: DefaultCapacityRules(), Shares: DefaultShareRules(), Floors: DefaultFloorRules(),
		Merge: DefaultMergeRules(), Ladder: DefaultLadderRules(), Throttle: DefaultThrottleRules(),
	}
}

// Validate lists every number that cannot work, alone or beside another.
func (c Config) Validate() error {
	var errs []error
	want := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	part := func(name string, x float64) {
		want(x > 0 && x <= 1, "%s is %v, want more than 0 and at most 1", name, x)
	}
	want(c.Door != "", "door has no name")
	want(c.Window >= 10*time.Millisecond && c.Window <= 10*time.Second, "window is %v, want 10ms to 10s", c.Window)
	want(c.SayEveryPressed > 0, "say_every_pressed is %v, want more than 0", c.SayEveryPressed)
	want(c.SayEvery >= c.SayEveryPressed, "say_every is %v, want at least say_every_pressed (%v)", c.SayEvery, c.SayEveryPressed)
	want(c.FloorsEvery > 0, "floors_every is %v, want more than 0", c.FloorsEvery)
	want(c.UsualOver > 0, "usual_over is %v, want more than 0", c.UsualOver)
	want(c.CapOver >= 1, "cap_over is %v, want at least 1", c.CapOver)
	want(c.Capacity.Configured >= 0, "capacity is %v, want more than 0, or 0 to learn it", c.Capacity.Configured)
	want(c.Surge.Over > 0 && c.Surge.Over < c.Window, "surge.over is %v, want more than 0 and less than window (%v)", c.Surge.Over, c.Window)
	want(c.Surge.Times > 1, "surge.times is %v, want more than 1", c.Surge.Times)
	want(c.Surge.Odds >= 1, "surge.odds is %v, want at least 1: less is no odds", c.Surge.Odds)
	part("capacity.grow", c.Capacity.Grow)
	part("capacity.shrink", c.Capacity.Shrink)
	part("shares.pressure", c.Shares.Pressure)
	part("shares.top_part", c.Shares.TopPart)
	part("shares.top_explains", c.Shares.TopExplains)
	part("floors.most_of_capacity", c.Floors.MostOfCapacity)
	want(c.Floors.SumOfCapacity > 0 && c.Floors.SumOfCapacity < c.Shares.Pressure,
		"floors.sum_of_capacity is %v, want less than shares.pressure (%v): floors alone must be no overload", c.Floors.SumOfCapacity, c.Shares.Pressure)
	want(c.Merge.LiveFor >= 2*c.SayEvery, "merge.live_for is %v, want at least twice say_every (%v): one lost datagram is no lost door", c.Merge.LiveFor, c.SayEvery)
	l := c.Ladder
	want(l.EnterAfter >= 0, "ladder.enter_after is %v, want at least 0", l.EnterAfter)
	want(l.Hold > 0 && l.HoldMost >= l.Hold, "ladder.hold is %v, want more than 0 and at most hold_most (%v)", l.Hold, l.HoldMost)
	want(l.CalmBelow > 0 && l.CalmBelow < c.Shares.Pressure, "ladder.calm_below is %v, want less than shares.pressure (%v), or it flaps", l.CalmBelow, c.Shares.Pressure)
	part("ladder.leave_below", l.LeaveBelow)
	want(l.Slow > 1, "ladder.slow is %v, want more than 1", l.Slow)
	want(l.Highest >= ShapeLocal && l.Highest < rungs, "ladder.highest is %v, want shape-local to drop", l.Highest)
	want(c.Throttle.For > 2*time.Second, "throttle.for is %v, want more than 2s: it has to be renewed in time", c.Throttle.For)
	want(c.Throttle.Budget >= 1, "throttle.budget is %d, want at least 1", c.Throttle.Budget)
	return errors.Join(errs...)
}

// WorkUnits are in a second of an occupant's time: costs are counted in tenths of
// milliseconds (admit.Gate.Answered).
const WorkUnits = 10_000

// CapacityFor are the rules for the capacity of a fleet's policy.
func CapacityFor(p member.ShieldPolicy) CapacityRules {
	r := DefaultCapacityRules()
	r.Configured, r.ByCost = float64(p.Serves()), p.Unit == member.ShieldTime
	if r.ByCost {
		r.Configured *= WorkUnits
	}
	return r
}

// InUnit gives what a shield says of demand and capacity in the unit of fleet.yaml: requests
// a second, or requests at once.
func (r CapacityRules) InUnit(x float64) float64 {
	if r.ByCost {
		return x / WorkUnits
	}
	return x
}

// WeightsFor are the weights of a fleet's policy, by the keys of a salt. What is no name
// has none.
func WeightsFor(p member.ShieldPolicy, salt uint64) map[Key]float64 {
	out := make(map[Key]float64, len(p.Weights))
	for host, weight := range p.Weights {
		if key, ok := KeyOfHost(salt, host); ok {
			out[key] = weight
		}
	}
	return out
}
