package shield

import "time"

// CapacityRules are the numbers of Capacity.
type CapacityRules struct {
	// Configured units a second, or 0: then it is learned.
	Configured float64
	// ByCost: units are cost, and not requests. 200 slow searches a second then
	// weigh more than 5,000 hits of a cache.
	ByCost bool
	// Grow a second while all is well near the capacity; Shrink at once in
	// trouble, and again after Every. 5 % and 10 %: found within seconds, lost
	// slowly.
	Grow, Shrink float64
	Every        time.Duration
	// Near: while less than this part of the capacity is used, that all is well
	// says nothing about more.
	Near float64
	// Least is the part of the configured capacity, or of the most that was ever
	// served well, below which trouble is not believed to be for want of capacity.
	Least float64
}

// DefaultCapacityRules learns, in requests.
func DefaultCapacityRules() CapacityRules {
	return CapacityRules{Grow: 0.05, Shrink: 0.10, Every: time.Second, Near: 0.8, Least: 0.25}
}

// Capacity knows what the fleet can serve. A configured one is believed until
// there is trouble. Without it nothing is known until the first trouble, and so
// nobody is held before: the most that was ever asked for is no limit. From
// then on it falls at once in trouble and grows while all is well (AIMD).
type Capacity struct {
	rules   CapacityRules
	value   float64
	best    float64 // the most that was served well
	stepped time.Time
	shrunk  time.Time
}

// NewCapacity begins with what is configured.
func NewCapacity(rules CapacityRules) *Capacity {
	return &Capacity{rules: rules, value: sane(rules.Configured)}
}

// Adopt takes over what the other doors hold it to be, if nothing is known here:
// a door that begins in the middle of a flood.
func (c *Capacity) Adopt(value float64) {
	if c.value == 0 {
		c.value = sane(value)
	}
}

// Value is the capacity in units a second, 0 while it is not known.
func (c *Capacity) Value() float64 { return c.value }

// Step learns from what was admitted in units a second, and whether that went
// well.
func (c *Capacity) Step(now time.Time, admitted float64, trouble bool) {
	passed := now.Sub(c.stepped)
	if c.stepped.IsZero() || passed < 0 {
		passed = 0
	}
	c.stepped = now
	admitted = sane(admitted)
	if trouble {
		if passed = now.Sub(c.shrunk); !c.shrunk.IsZero() && passed >= 0 && passed < c.rules.Every {
			return
		}
		c.shrunk = now
		from := admitted
		if c.value > 0 {
			from = min(c.value, admitted)
		}
		if from == 0 {
			return
		}
		least := c.rules.Least * max(c.rules.Configured, c.best)
		c.value = max(from*(1-c.rules.Shrink), least)
		return
	}
	c.best = max(c.best, admitted)
	if c.value == 0 {
		return
	}
	part := min(passed.Seconds(), 1) * c.rules.Grow
	switch {
	case c.rules.Configured > 0:
		c.value = min(c.rules.Configured, c.value+part*c.rules.Configured)
	case admitted >= c.rules.Near*c.value:
		c.value = max(c.value*(1+part), admitted)
	}
}
