package shield

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"moonwatch/member"
)

// Floor is what a subdomain is given before anything is shared out.
type Floor struct {
	Key  Key     `json:"key"`
	Rate float64 `json:"rate"`
}

// Floors is one version of all floors. The council's leader publishes one a
// minute, and none under pressure: what a flood asks for is not usual. All doors
// that have the same version come to the same shares.
type Floors struct {
	Version  uint64    `json:"version"` // grows; of two sets the higher one counts
	By       member.ID `json:"by"`
	Capacity float64   `json:"capacity"`
	List     []Floor   `json:"list"` // sorted by key
}

// Of is the floor of a subdomain, 0 if it has none.
func (f *Floors) Of(k Key) float64 {
	if f == nil {
		return 0
	}
	if i, ok := slices.BinarySearchFunc(f.List, k, func(x Floor, k Key) int { return cmp.Compare(x.Key, k) }); ok {
		return f.List[i].Rate
	}
	return 0
}

// Newer reports whether f takes the place of old. Of one version the set of the
// lower name counts, so that everybody chooses the same.
func (f *Floors) Newer(old *Floors) bool {
	return old == nil || f.Version > old.Version || f.Version == old.Version && f.By < old.By
}

// FloorRules are the numbers of the floors.
type FloorRules struct {
	// Above what is usual: Factor x usual + Spread x sqrt(usual) + Least, in
	// requests a second. A floor must not be reached by what varies by itself:
	// 1.5 x, 3 standard deviations of a Poisson process, and 5.
	Factor, Spread, Least float64
	// MostOfCapacity bounds a floor, unless the fair share is more, so that a
	// floor cannot be farmed by asking for much all day. 20 %.
	MostOfCapacity float64
	// SumOfCapacity bounds all floors together. 70 %: below the pressure, or
	// floors alone would make an overload.
	SumOfCapacity float64
}

// DefaultFloorRules holds the numbers of PROTOCOL 9.
func DefaultFloorRules() FloorRules {
	return FloorRules{Factor: 1.5, Spread: 3, Least: 5, MostOfCapacity: 0.20, SumOfCapacity: 0.70}
}

// FloorsFor gives every subdomain its floor, from what it usually asks for.
// Each is the cost of a request in the fleet's unit, 1 where requests are the
// unit. Subdomains is how many subdomains there are in all, named here or not: the
// fair share is the capacity divided by them.
func FloorsFor(capacity, each float64, subdomains int, usual []Demand, rules FloorRules) []Floor {
	if capacity = sane(capacity); capacity == 0 {
		return nil
	}
	if each = sane(each); each == 0 {
		each = 1
	}
	fair := capacity / float64(max(subdomains, len(usual), 1))
	out := make([]Floor, 0, len(usual))
	sum := 0.0
	for _, d := range usual {
		each := each
		if own := sane(d.Each); own > 0 {
			each = own
		}
		u := sane(d.Usual) / each
		if d.Key == 0 || u == 0 {
			continue
		}
		floor := each * (rules.Factor*u + rules.Spread*math.Sqrt(u) + rules.Least)
		floor = min(floor, max(fair*d.weight(), rules.MostOfCapacity*capacity))
		out = append(out, Floor{Key: d.Key, Rate: floor})
		sum += floor
	}
	if most := rules.SumOfCapacity * capacity; sum > most {
		for i := range out {
			out[i].Rate *= most / sum
		}
	}
	slices.SortFunc(out, func(a, b Floor) int { return cmp.Compare(a.Key, b.Key) })
	return slices.CompactFunc(out, func(a, b Floor) bool { return a.Key == b.Key })
}

// Validate refuses floors that no leader makes.
func (f *Floors) Validate(rules FloorRules) error {
	sum, last := 0.0, Key(0)
	for _, x := range f.List {
		if x.Key <= last || x.Rate < 0 || math.IsNaN(x.Rate) {
			return fmt.Errorf("floors %d of %s: %x is given %v, want sorted keys and no negative rate", f.Version, f.By, uint64(x.Key), x.Rate)
		}
		last = x.Key
		sum += x.Rate
	}
	if most := rules.SumOfCapacity * f.Capacity; sum > most*(1+1e-9) {
		return fmt.Errorf("floors %d of %s: they add up to %.0f, want at most %.0f", f.Version, f.By, sum, most)
	}
	return nil
}
