package shield

import (
	"cmp"
	"maps"
	"math"
	"slices"
	"time"
)

// costs knows what one request of each subdomain is of the unit where that is an occupant's
// time and not a request. What was refused would have cost what was let in did.
//
// Doors measure how long an answer took, and in a flood every answer waits for the flooded
// one's: all would look expensive, and nobody in particular. That wait is what most
// subdomains' requests take longer than in calm, and is nobody's own.
type costs struct {
	lately  map[Key]spent
	all     spent
	usual   map[Key]average
	waiting float64 // of the unit, for each request
	last    time.Time
}

// spent is what was paid lately for how many requests, both a second; it forgets.
type spent struct{ cost, requests float64 }

// spentOver is how fast costs of before are forgotten. Shorter: one dear request makes a
// dear subdomain; longer: one that becomes dear is felt later.
const spentOver = 2 * time.Second

func newCosts() costs { return costs{lately: map[Key]spent{}, usual: map[Key]average{}} }

func (s *spent) learn(cost, requests, part float64) {
	s.cost += (cost - s.cost) * part
	s.requests += (requests - s.requests) * part
}

// each is what one request cost; false: nobody knows.
func (s spent) each() (float64, bool) {
	if s.requests < leastSpent || s.cost <= 0 {
		return 0, false
	}
	return s.cost / s.requests, true
}

// leastSpent requests a second say what one costs: one in a hundred seconds.
const leastSpent = 0.01

// see takes in what all doors see at a moment.
func (c *costs) see(now time.Time, f *Fleet) {
	passed := now.Sub(c.last)
	if c.last.IsZero() || passed < 0 {
		passed = spentOver
	}
	c.last = now
	part := 1 - math.Exp(-passed.Seconds()/spentOver.Seconds())
	c.all.learn(f.Cost, f.Costed, part)
	seen := make(map[Key]bool, len(f.Hosts))
	for _, x := range f.Hosts {
		s := c.lately[x.Key]
		s.learn(x.Cost, x.Costed, part)
		c.lately[x.Key], seen[x.Key] = s, true
	}
	for k, s := range c.lately {
		if seen[k] {
			continue
		}
		if s.learn(0, 0, part); s.requests < leastSpent {
			delete(c.lately, k)
		} else {
			c.lately[k] = s
		}
	}
	c.waiting = c.waits()
}

// waits is by how much a request of the subdomain in the middle takes longer than in calm.
// Of two the one that grew less counts, and of one nobody can say what it waits for.
func (c *costs) waits() float64 {
	var longer []float64
	for k, s := range c.lately {
		if each, ok := s.each(); ok && c.usual[k].value > 0 {
			longer = append(longer, each-c.usual[k].value)
		}
	}
	if len(longer) < 2 {
		return 0
	}
	slices.Sort(longer)
	return max(0, longer[(len(longer)-1)/2])
}

// calm learns what requests usually cost.
func (c *costs) calm(now time.Time, over time.Duration) {
	for k, s := range c.lately {
		if each, ok := s.each(); ok {
			a := c.usual[k]
			a.learn(now, each, over)
			c.usual[k] = a
		}
	}
	c.bound()
}

// bound forgets first who was asked for longest ago, and of equals the lower key: by the
// order of a map two runs of one story would decide differently.
func (c *costs) bound() {
	if len(c.usual) <= mostUsuals {
		return
	}
	keys := slices.SortedFunc(maps.Keys(c.usual), func(a, b Key) int {
		return cmp.Or(c.usual[a].last.Compare(c.usual[b].last), cmp.Compare(a, b))
	})
	for _, k := range keys[:len(keys)-mostUsuals] {
		delete(c.usual, k)
	}
}

// of is what a request of a subdomain is by itself; where nobody knows, as one of all.
func (c *costs) of(k Key) float64 {
	each, ok := c.lately[k].each()
	usual := c.usual[k].value
	switch {
	case !ok && usual > 0:
		return usual
	case !ok:
		return c.mean()
	case usual > 0 && each-usual <= 1.5*c.waiting: // as long as others' in this wait, or as usual
		return min(each, usual)
	case usual > 0:
		return each - c.waiting
	default:
		return max(each-c.waiting, each/100)
	}
}

// mean is what a request of anybody is; 0: no door knows what its requests cost.
func (c *costs) mean() float64 {
	each, ok := c.all.each()
	if !ok {
		return 0
	}
	return max(each-c.waiting, each/100)
}
