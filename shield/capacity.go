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
	// Agree is how long after the begin of trouble the doors measure the same, so
	// that what is served is known and the capacity no more than that. 200 ms: two
	// reports of each under pressure.
	Agree time.Duration
	// Near: while less than this part of the capacity is used, that all is well
	// says nothing about more.
	Near float64
	// Least is the part of the configured capacity, or of the most that was ever
	// served well, below which trouble is not believed to be for want of capacity.
	Least float64
}

// DefaultCapacityRules learns, in requests.
func DefaultCapacityRules() CapacityRules {
	return CapacityRules{Grow: 0.05, Shrink: 0.10, Every: time.Second, Agree: 200 * time.Millisecond, Near: 0.8, Least: 0.25}
}

// Capacity knows what the fleet can serve. A configured one is believed until
// there is trouble. Without it nothing is known until the first trouble, and so
// nobody is held before: the most that was ever asked for is no limit. From
// then on it falls at once in trouble and grows while all is well (AIMD).
type Capacity struct {
	rules    CapacityRules
	value    float64
	best     float64 // the most that was served well
	stepped  time.Time
	shrunk   time.Time
	troubled time.Time // when the trouble that goes on began; zero: there is none
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

// Step learns from what was served well, in units a second, and whether there is
// trouble.
func (c *Capacity) Step(now time.Time, served float64, trouble bool) {
	passed := now.Sub(c.stepped)
	if c.stepped.IsZero() || passed < 0 {
		passed = 0
	}
	c.stepped = now
	served = sane(served)
	if trouble {
		if c.troubled.IsZero() || now.Before(c.troubled) {
			c.troubled, c.shrunk = now, time.Time{}
		}
		wait := c.rules.Every
		if c.shrunk.Equal(c.troubled) {
			wait = c.rules.Agree
		}
		if !c.shrunk.IsZero() && now.Sub(c.shrunk) < wait {
			return
		}
		value := c.value * (1 - c.rules.Shrink)
		switch {
		case c.value == 0: // what went well until now still finds room
			value = max(served, c.best) / c.rules.Near * (1 - c.rules.Shrink)
		case !c.shrunk.IsZero(): // at first the doors have measured at different times, and the sum means nothing
			value = min(c.value, served*(1-c.rules.Shrink)) // no less: what is served well can be served
		}
		c.shrunk = now
		if value == 0 {
			return
		}
		c.value = max(value, c.rules.Least*max(c.rules.Configured, c.best))
		return
	}
	if now.Sub(c.shrunk) >= c.rules.Every {
		c.troubled = time.Time{}
	}
	c.best = max(c.best, served)
	if c.value == 0 {
		return
	}
	part := min(passed.Seconds(), 1) * c.rules.Grow
	switch {
	case c.rules.Configured > 0:
		c.value = min(c.rules.Configured, c.value+part*c.rules.Configured)
	case served >= c.rules.Near*c.value:
		c.value = max(c.value*(1+part), served)
	}
}
