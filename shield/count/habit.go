package count

import (
	"sync/atomic"

	"moonwatch/shield"
)

// habits remembers in which of the last four stretches each host was asked for: four bits
// each, the newest the lowest. Of it two things come: who is forgotten when room is wanted,
// and who is counted alone under pressure.
//
// Whoever owns a wildcard can make a thousand names known, and flood them all at once: each
// asks for too little to be held, and together they are taken for growth of everybody. Who
// was asked for in three stretches of four is a subdomain with a usual demand, and the
// others are counted together under pressure, with those that nobody knows (docs/adr/048).
type habits []atomic.Uint32

const (
	// stretch is so many ticks: two minutes of 25 ms. Longer: who is asked for seldom has a
	// usual demand, and it takes a flood's owner longer to make its names look like that.
	stretch = 4800
	// settledAt stretches of the last four make a usual demand.
	settledAt = 3
	// noticed: who is heavy alone in a tick of which the number is a multiple of this was
	// asked for as if in a stretch of its own. Once a second: somebody new who is asked for
	// much has a usual demand within a minute, and a flood has none before it is felt.
	noticed = 40
	// always is somebody who was there when the door began, of whom nothing is known.
	always = 0xf
)

func newHabits(slots int) habits { return make(habits, slots/8+1) }

// of gives the four bits of a slot.
func (h habits) of(i uint64) uint32 { return h[i/8].Load() >> (i % 8 * 4) & 0xf }

// set replaces them. Its caller is the only one who does so now.
func (h habits) set(i uint64, bits uint32) {
	shift := i % 8 * 4
	h[i/8].Store(h[i/8].Load()&^(0xf<<shift) | bits&0xf<<shift)
}

// goOn begins a new stretch of somebody, who was asked for in the last one or was not.
func (h habits) goOn(i uint64, asked bool) uint32 {
	bits := h.of(i) << 1 & 0xf
	if asked {
		bits |= 1
	}
	h.set(i, bits)
	return bits
}

// settled reports that somebody has a usual demand.
func settled(bits uint32) bool {
	return bits&1+bits>>1&1+bits>>2&1+bits>>3 >= settledAt
}

// sweep looks at a few slots, so that it has seen all of them in a stretch. Once more than
// half of the table is taken, it forgets who was not asked for in four stretches, and when
// it is nearly full, who was not in the last one and has no usual demand. It is no part of
// pressure: what a flood asks for is no habit.
func (c *Counter) sweep(present uint64) {
	c.filling.Lock()
	defer c.filling.Unlock()
	part := c.calm % stretch
	c.calm++
	for i := part * uint64(len(c.slots)) / stretch; i < (part+1)*uint64(len(c.slots))/stretch; i++ {
		s := &c.slots[i]
		if key := s.key.Load(); key == free || key == gone {
			continue
		}
		last := s.asked.word.Load() >> (2 * countBits)
		bits := c.habits.goOn(i, (present-last)&tickMask <= stretch)
		known := c.known.Load()
		idle := bits == 0 && known > c.capacity/2
		crowd := bits&1 == 0 && !settled(bits) && known > c.capacity-c.capacity/8
		if (idle || crowd) && c.kept.Load().Find(shield.Key(s.key.Load())) == nil {
			c.forget(i)
		}
	}
	if c.known.Load() < c.capacity {
		c.full.Store(false)
	}
}

// notice credits those that are heavy alone with a stretch.
func (c *Counter) notice(hot []shield.Count) {
	c.filling.Lock()
	defer c.filling.Unlock()
	for _, x := range hot {
		if i, ok := c.at(x.Key); ok && x.Key != shield.Nameless {
			c.habits.goOn(i, true)
		}
	}
}

// forget gives a slot away. Who is looked for past it is still found there; once nobody can
// be, it is free.
func (c *Counter) forget(i uint64) {
	c.slots[i].key.Store(gone)
	c.known.Add(-1)
	c.gone++
	size := uint64(len(c.slots))
	if c.slots[(i+1)%size].key.Load() != free {
		return
	}
	for ; c.slots[i].key.Load() == gone; i = (i + size - 1) % size {
		c.slots[i].key.Store(free)
		c.gone--
	}
}
