package count

import (
	"cmp"
	"slices"

	"moonwatch/shield"
)

// Total is what a counter has counted since it was made.
type Total struct {
	Asked   uint64 // requests, those that were refused included
	Refused uint64 // of these
	Served  uint64 // that were answered well
	Cost    uint64
}

// Rotate closes the present tick and says what was counted in it: the totals,
// and the hosts that were asked for most or cost most, the heaviest first. In
// the next tick at most learn hosts become known. None is for pressure: then
// hosts that are seldom asked for are counted together, and nobody is forgotten.
// It has one caller.
func (c *Counter) Rotate(learn int) (Total, []shield.Count) {
	tick := c.tick.Load()
	c.tick.Store((tick + 1) & tickMask)
	c.learn.Store(int64(learn))
	c.gather.Store(learn == 0)
	n := min(c.hots.Swap(0), hotRoom)
	var hot []shield.Count
	seen := make(map[shield.Key]bool, n)
	for i := range n {
		h := c.hot[i].Swap(nil)
		if h == nil || seen[h.ref.key] {
			continue // it is being written down just now, or hot in requests and in cost
		}
		seen[h.ref.key] = true
		x := c.read(h.ref, tick)
		x.Name = h.name
		hot = append(hot, x)
	}
	slices.SortFunc(hot, func(a, b shield.Count) int {
		return cmp.Or(cmp.Compare(b.Asked, a.Asked), cmp.Compare(b.Cost, a.Cost), cmp.Compare(a.Key, b.Key))
	})
	if learn > 0 {
		c.sweep((tick + 1) & tickMask)
		if tick%noticed == 0 {
			c.notice(hot)
		}
	}
	total := c.Total()
	c.hotAsked.Store(max(leastHotAsked, (total.Asked-c.last.Asked)/hotShare))
	c.hotCost.Store(min(max(leastHotCost, (total.Cost-c.last.Cost)/hotShare), mostInTick/4))
	c.last = total
	return total, hot
}

// Read gives what was counted of a host or bucket in the tick that Rotate closed
// last. The answer is exact for known hosts and buckets, and never too low for
// others.
func (c *Counter) Read(key shield.Key) shield.Count {
	tick := (c.tick.Load() - 1) & tickMask
	if key == shield.Nameless {
		return c.read(Ref{c: c, slot: &c.nameless, key: key}, tick)
	}
	return c.read(Ref{c: c, slot: c.find(key), key: key}, tick)
}

func (c *Counter) read(r Ref, tick uint64) shield.Count {
	x := shield.Count{Key: r.key}
	if r.slot == nil {
		x.Asked, x.Cost = least(c.asked.cells(uint64(r.key)), tick), least(c.cost.cells(uint64(r.key)), tick)
		return x
	}
	word := r.slot.asked.word.Load()
	x.Asked, x.Cost = counted(word, tick), r.slot.cost.in(tick)
	x.Total = r.slot.total.Load()
	if word>>(2*countBits) != (tick+1)&tickMask {
		x.Total += uint32(word >> countBits & countMask) // nobody has asked since, so the window is still open
	}
	x.Refused = r.slot.refused.Load()
	return x
}

// Estimate is how many requests a host gets in a tick, sliding: what came in
// this tick, of which the given part (0 to 1) has passed, and of the tick before
// what is still within one tick's length.
func (c *Counter) Estimate(key shield.Key, passed float64) float64 {
	s := c.find(key)
	if key == shield.Nameless {
		s = &c.nameless
	}
	if s == nil {
		return 0
	}
	tick := c.tick.Load()
	return float64(s.asked.in(tick)) + (1-min(max(passed, 0), 1))*float64(s.asked.in((tick-1)&tickMask))
}

// Total sums up everything.
func (c *Counter) Total() (t Total) {
	for i := range c.stripes {
		s := &c.stripes[i]
		t.Asked += s.asked.Load()
		t.Refused += s.refused.Load()
		t.Served += s.served.Load()
		t.Cost += s.cost.Load()
	}
	return t
}

// KeyOf is under which key a name in its normal form is counted alone.
func (c *Counter) KeyOf(name []byte) shield.Key { return shield.KeyOf(c.salt, name) }

// Known is how many hosts and buckets are counted alone.
func (c *Counter) Known() int { return int(c.known.Load()) }

// Full reports that a host could not be learned for want of room.
func (c *Counter) Full() bool { return c.full.Load() }
