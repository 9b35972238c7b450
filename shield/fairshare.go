package shield

import (
	"cmp"
	"math"
	"slices"
)

// Demand is what one subdomain asks of the whole fleet, in the fleet's unit a
// second: requests, or cost where that is known.
type Demand struct {
	Key    Key
	Rate   float64 // what it asks for now, refused requests included
	Usual  float64 // what it asked for in calm
	Floor  float64 // what it is given before anything is shared out; 0: none
	Each   float64 // what one of its requests is of the unit; 0: as the others'
	Weight float64 // how much of the rest it gets beside others; 0 means 1
	Spread float64 // standard deviation of Rate: by how much chance alone moves what was counted
	Surges bool    // it grew many times at once, and alone
	Doubt  float64 // what of Rate may be counted twice
}

func (d Demand) weight() float64 {
	if d.Weight > 0 {
		return d.Weight
	}
	return 1
}

// Load is what all subdomains ask of the fleet.
type Load struct {
	Capacity float64  // what the fleet can serve; 0: not known
	Demands  []Demand // those that could matter, each key once
	Rest     float64  // what all others ask for together; never held
	Usual    float64  // what these others asked for in calm
	Spread   float64  // standard deviation of the whole demand
}

// Sum is the whole demand.
func (l Load) Sum() float64 {
	sum := l.Rest
	for _, d := range l.Demands {
		sum += d.Rate
	}
	return sum
}

// chance is by how much a demand may look too high by chance alone, or for being counted
// twice. Who surges has been told from chance already, and who asks for more than twice its
// usual does so however it is counted: on a starved machine all doors are late.
func (rules ShareRules) chance(d Demand) float64 {
	switch {
	case d.Surges:
		return rules.SureOfSurge * d.Spread
	case d.Rate > 2*d.Usual:
		return rules.Sure * d.Spread
	default:
		return d.Doubt + rules.Sure*d.Spread
	}
}

// ShareRules are the numbers of FairShare.
type ShareRules struct {
	// Pressure begins where the demand exceeds this part of the capacity, and
	// shares fill the capacity up to it. More: floods are felt earlier. 0.85: the
	// rest is for what was not yet seen.
	Pressure float64
	// Least: whoever asks for less than this part of the capacity is never held.
	// 0.5 %: two hundred of them fill it.
	Least float64
	// TopPart and TopExplains: growth is broad only if this part of the
	// subdomains, the grown most, explains less than that part of the increase.
	TopPart, TopExplains float64
	// CommonGrowth: growth is broad only if the subdomain in the middle (each
	// counting as much as it usually asks for) grew to this multiple. Without it
	// three attackers at once would be an overload in a fleet of twenty.
	CommonGrowth float64
	// Sure: what may be chance is so many standard deviations of what was counted. More:
	// less is chance, and a flood that is little more than what is borne is seen later.
	Sure float64
	// SureOfSurge is the same for a subdomain that surges, while the demand is more than
	// the whole capacity and not only than its Pressure: a door need not wait until its window
	// is full of the flood.
	SureOfSurge float64
}

// DefaultShareRules holds the numbers of PROTOCOL 9.
func DefaultShareRules() ShareRules {
	return ShareRules{Pressure: 0.85, Least: 0.005, TopPart: 0.05, TopExplains: 0.5, CommonGrowth: 1.15, Sure: 2, SureOfSurge: 1}
}

// Shares is who gets how much.
type Shares struct {
	Pressure float64 // demand / capacity; 0 if no capacity is known
	Pressed  bool    // more is asked for than can be shared out, and not by chance alone
	Level    float64 // what each got beyond its floor, for weight 1; +Inf: whatever it asks for
	// Overload: the fleet is asked for too much, and nobody in particular is to
	// blame. Nobody is held; doors shed blindly, by how much they bear.
	Overload bool
	Limits   []Limit // who is held, sorted by key
	Near     []Limit // who asks for more than its share, and may do so by chance; nobody is held for that alone
}

// sharing reports that the capacity is shared out: who has no limit asks for no more
// than its share.
func (s *Shares) sharing() bool { return s.Pressure > 0 && !math.IsInf(s.Level, 1) }

// Limit is the share of one subdomain that asks for more.
type Limit struct {
	Key    Key
	Demand float64
	Limit  float64
	Surges bool // it grew many times at once, and alone
}

// FairShare shares out the capacity: weighted max-min above the floors. While
// there is enough, nobody is held. Under pressure everybody gets its floor, or
// what it asks for if that is less; what is left is filled in like water, so
// that nobody gets more while another who wants more has less for its weight.
// Only who asks for more than that, and not by chance alone, is held, and only to that.
// While no more is certain than that a surge exceeds the capacity, only who surges is.
//
// It depends on its arguments alone, and not on the order of the demands. What is
// absurd (negative, not a number) counts as nothing, and without a capacity
// nobody is held.
func FairShare(l Load, rules ShareRules) Shares {
	l = l.sane()
	out := Shares{Level: math.Inf(1)}
	if l.Capacity == 0 {
		return out
	}
	sum := l.Sum()
	out.Pressure = sum / l.Capacity
	target := rules.Pressure * l.Capacity
	certain := sum > target+rules.Sure*l.Spread
	out.Pressed = certain || l.surges() && sum > l.Capacity+rules.SureOfSurge*l.Spread
	if !out.Pressed {
		return out
	}
	if l.Rest >= target || l.nobodyGrew(rules) || l.growsBroadly(rules) {
		out.Overload = true
		return out
	}
	left := target - l.unnamed()
	l.fitFloors(left)
	for _, d := range l.Demands {
		left -= min(d.Rate, d.Floor)
	}
	out.Level = level(l.Demands, max(left, 0))
	for _, d := range l.Demands {
		limit := min(d.Rate, d.Floor) + out.Level*d.weight()
		x := Limit{Key: d.Key, Demand: d.Rate, Limit: limit, Surges: d.Surges}
		switch {
		case (certain || d.Surges) && d.Rate > limit+rules.chance(d) && d.Rate > rules.Least*l.Capacity:
			out.Limits = append(out.Limits, x)
		case d.Rate > limit:
			out.Near = append(out.Near, x)
		}
	}
	return out
}

// surges reports that somebody does.
func (l *Load) surges() bool {
	return slices.ContainsFunc(l.Demands, func(d Demand) bool { return d.Surges })
}

// level finds how high the water stands: the number for which what all want
// beyond their floors, each at most level x weight, adds up to room.
func level(demands []Demand, room float64) float64 {
	type vessel struct{ wants, weight float64 }
	var vessels []vessel
	weights := 0.0
	for _, d := range demands {
		if d.Rate > d.Floor {
			vessels = append(vessels, vessel{d.Rate - d.Floor, d.weight()})
			weights += d.weight()
		}
	}
	slices.SortFunc(vessels, func(a, b vessel) int {
		return cmp.Or(cmp.Compare(a.wants/a.weight, b.wants/b.weight), cmp.Compare(a.weight, b.weight))
	})
	for _, v := range vessels {
		if v.wants/v.weight*weights > room {
			return max(room, 0) / weights
		}
		room -= v.wants
		weights -= v.weight
	}
	return math.Inf(1)
}

// fitFloors lowers all floors alike until they fit into room: capacity that was
// lost since they were published is nobody's guarantee, and that must not make
// an overload out of a flood.
func (l *Load) fitFloors(room float64) {
	sum := func(part float64) (all float64) {
		for _, d := range l.Demands {
			all += min(d.Rate, part*d.Floor)
		}
		return all
	}
	if sum(1) <= room {
		return
	}
	low, high := 0.0, 1.0
	for range 40 {
		if half := (low + high) / 2; sum(half) <= room {
			low = half
		} else {
			high = half
		}
	}
	for i := range l.Demands {
		l.Demands[i].Floor *= low
	}
}

// nobodyGrew reports that all together ask for no more than usual, chance apart: what is
// missing is capacity, and that is nobody's flood.
func (l *Load) nobodyGrew(rules ShareRules) bool {
	usual := l.Usual
	for _, d := range l.Demands {
		usual += d.Usual
	}
	return usual > 0 && l.Sum() <= rules.CommonGrowth*usual+rules.Sure*l.Spread
}

// unnamed is what is set aside for those whom no report names, and who are never held: what
// they ask for, and no more than twice their usual. What grew beyond that is theirs to lack,
// and not that of tenants who ask for what they always did.
func (l *Load) unnamed() float64 {
	usual := l.Usual
	for _, d := range l.Demands {
		usual += d.Usual
	}
	if usual == 0 {
		return l.Rest // nothing is known of calm
	}
	return min(l.Rest, 2*l.Usual)
}

// growsBroadly reports that the increase is nobody's in particular.
func (l Load) growsBroadly(rules ShareRules) bool {
	type grown struct{ by, times, usual float64 }
	all := make([]grown, 0, len(l.Demands)+1)
	increase, usual := max(0, l.Rest-l.Usual), l.Usual
	if l.Usual > 0 {
		all = append(all, grown{0, l.Rest / l.Usual, l.Usual}) // counts in the middle, and is nobody's increase
	}
	for _, d := range l.Demands {
		g := grown{by: max(0, d.Rate-d.Usual), usual: d.Usual}
		if d.Usual > 0 {
			g.times = (d.Rate + rules.chance(d)) / d.Usual
			usual += d.Usual
		}
		increase += g.by
		all = append(all, g)
	}
	if usual == 0 || increase == 0 {
		return false // nothing is known of calm: share out what there is
	}
	slices.SortFunc(all, func(a, b grown) int { return cmp.Or(cmp.Compare(b.by, a.by), cmp.Compare(a.times, b.times)) })
	top := 0.0
	for _, g := range all[:min(len(all), rules.top(len(all)))] {
		top += g.by
	}
	if top >= rules.TopExplains*increase {
		return false
	}
	slices.SortFunc(all, func(a, b grown) int { return cmp.Or(cmp.Compare(a.times, b.times), cmp.Compare(a.usual, b.usual)) })
	below := 0.0
	for _, g := range all {
		if below += g.usual; below >= usual/2 {
			return g.times >= rules.CommonGrowth
		}
	}
	return false
}

// top is how many of n subdomains are the grown most: TopPart of them, and up to
// three where that is less, as long as they stay a sixth at most. Of twenty one
// alone would make an overload of two floods at once.
func (rules ShareRules) top(n int) int {
	return max(1, min(3, n/6), int(rules.TopPart*float64(n)))
}

// sane sorts the demands and makes nothing of what is absurd.
func (l Load) sane() Load {
	l.Capacity, l.Rest, l.Usual, l.Spread = sane(l.Capacity), sane(l.Rest), sane(l.Usual), sane(l.Spread)
	l.Demands = slices.Clone(l.Demands)
	for i := range l.Demands {
		d := &l.Demands[i]
		d.Rate, d.Usual, d.Floor, d.Weight = sane(d.Rate), sane(d.Usual), sane(d.Floor), sane(d.Weight)
		d.Spread, d.Doubt = sane(d.Spread), sane(d.Doubt)
	}
	slices.SortFunc(l.Demands, func(a, b Demand) int { return cmp.Compare(a.Key, b.Key) })
	return l
}

// mostRate is more than any fleet serves in a second, whatever its unit.
const mostRate = 1e12

func sane(x float64) float64 {
	if math.IsNaN(x) || x < 0 {
		return 0
	}
	return min(x, mostRate)
}
