package member

import (
	"errors"
	"fmt"
	"maps"
	"slices"
)

// ShieldPolicy says what the doors do about a flooded subdomain.
type ShieldPolicy struct {
	// Mode is what comes of the shield's decisions; empty is shadow: a new policy
	// is looked at before it acts.
	Mode string `json:"mode,omitempty"`
	// Unit is what the capacity counts: requests a second (empty), or the time that
	// occupants work on them, in requests at once (ShieldTime). 200 slow searches a second
	// then weigh more than 5,000 hits of a cache.
	Unit string `json:"unit,omitempty"`
	// Capacity is how many requests a second the pools serve together, well; 0: it is learned
	// at the first trouble, and nobody is held before.
	Capacity int `json:"capacity,omitempty"`
	// Concurrency is the capacity of unit ShieldTime: how many requests the pools work on at
	// once, well; 0: it is learned. It is a field of its own because builds of before know no
	// unit: 40 at once would be 40 a second to them, where without a capacity they learn one.
	Concurrency int `json:"concurrency,omitempty"`
	// Doors are the members whose gateways tell each other what they count, sorted;
	// none: each gateway takes itself for the only one.
	Doors []ID `json:"doors,omitempty"`
	// Highest is the rung up to which the doors may climb by their votes: challenge,
	// stop or drop; empty: they only shape.
	Highest string `json:"highest,omitempty"`
	// TrustSingle lets the only door there is climb by its own vote.
	TrustSingle bool `json:"trust_single,omitempty"`
	// Weights of subdomains, by host or *.PARENT: under pressure one of weight 2 gets
	// twice as much beyond its floor as one that is not named here, which has 1.
	Weights map[string]float64 `json:"weights,omitempty"`
}

// MaxWeights bounds the subdomains that have a weight of their own; LeastWeight and
// MostWeight bound it.
const (
	MaxWeights  = 256
	LeastWeight = 0.01
	MostWeight  = 100
)

// MaxDoors bounds the doors of a fleet: each of them sends what it counted to every
// other one.
const MaxDoors = 128

// ShieldRungs are the rungs that take votes, in order: what Highest may be.
func ShieldRungs() []string { return []string{"challenge", "stop", "drop"} }

// Equal reports that two policies say the same.
func (p ShieldPolicy) Equal(o ShieldPolicy) bool {
	return p.Same(o) && slices.Equal(p.Doors, o.Doors)
}

// Same reports that two policies differ in their doors at most: nobody who is held
// has to be let go for that.
func (p ShieldPolicy) Same(o ShieldPolicy) bool {
	return p.Doing() == o.Doing() && p.Unit == o.Unit && p.Capacity == o.Capacity && p.Concurrency == o.Concurrency && p.Highest == o.Highest && p.TrustSingle == o.TrustSingle &&
		maps.Equal(p.Weights, o.Weights)
}

// The modes of the shield.
const (
	ShieldOff     = "off"     // nothing is decided
	ShieldShadow  = "shadow"  // everything is decided and shown, and nothing done
	ShieldEnforce = "enforce" // a subdomain above its share is held
)

// ShieldTime is the unit that counts what requests cost.
const ShieldTime = "time"

// MaxCapacity bounds a capacity in either unit. More is a mistake in writing.
const MaxCapacity = 10_000_000

// Serves is the capacity in the policy's own unit; 0: it is learned.
func (p ShieldPolicy) Serves() int {
	if p.Unit == ShieldTime {
		return p.Concurrency
	}
	return p.Capacity
}

// Doing is the mode in force.
func (p ShieldPolicy) Doing() string {
	if p.Mode == "" {
		return ShieldShadow
	}
	return p.Mode
}

// check lists what is wrong with the shield of a fleet.
func (p ShieldPolicy) check(members []Member) error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	switch p.Doing() {
	case ShieldOff, ShieldShadow, ShieldEnforce:
	default:
		bad("shield.mode is %q, want %s, %s or %s", p.Mode, ShieldOff, ShieldShadow, ShieldEnforce)
	}
	if p.Capacity < 0 || p.Capacity > MaxCapacity {
		bad("shield.capacity is %d, want 1 to %d, or none", p.Capacity, MaxCapacity)
	}
	if p.Concurrency < 0 || p.Concurrency > MaxCapacity {
		bad("shield.concurrency is %d, want 1 to %d, or none", p.Concurrency, MaxCapacity)
	}
	if p.Unit == ShieldTime && p.Capacity != 0 {
		bad("shield.capacity is %d requests a second with unit %s, want concurrency", p.Capacity, ShieldTime)
	}
	if p.Unit != ShieldTime && p.Concurrency != 0 {
		bad("shield.concurrency is %d without unit %s, want capacity", p.Concurrency, ShieldTime)
	}
	if p.Unit != "" && p.Unit != ShieldTime {
		bad("shield.unit is %q, want %s, or none", p.Unit, ShieldTime)
	}
	if p.Highest != "" && !slices.Contains(ShieldRungs(), p.Highest) {
		bad("shield.highest is %q, want one of %v, or none", p.Highest, ShieldRungs())
	}
	if len(p.Weights) > MaxWeights {
		bad("shield.weights are %d, want at most %d", len(p.Weights), MaxWeights)
	}
	for _, host := range slices.Sorted(maps.Keys(p.Weights)) {
		if w := p.Weights[host]; host == "" || w < LeastWeight || w > MostWeight {
			bad("shield.weights: %q has %v, want a host's name and %v to %v", host, w, LeastWeight, float64(MostWeight))
		}
	}
	if len(p.Doors) > MaxDoors {
		bad("shield.doors are %d, want at most %d", len(p.Doors), MaxDoors)
	}
	if !slices.IsSorted(p.Doors) || len(slices.Compact(slices.Clone(p.Doors))) != len(p.Doors) {
		bad("shield.doors are %v, want each of them once, sorted", p.Doors)
	}
	for _, d := range p.Doors {
		if !slices.ContainsFunc(members, func(m Member) bool { return m.ID == d }) {
			bad("shield.doors: %s is no member", d)
		}
	}
	return errors.Join(errs...)
}
