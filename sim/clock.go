package sim

import (
	"slices"
	"time"
	"unsafe"

	"moonwatch/member"
	"moonwatch/mind"
)

// clock is what a machine takes for the time. As an operating system does, it
// has two: a steady one, which measures how long things take and never jumps,
// and a wall clock, which can be wrong in every way. A mind is told both in one
// time.Time, as the daemon tells it: what it keeps in memory it measures on the
// steady clock, what it reads from the ledger on the wall.
type clock struct {
	rate  float64       // share by which both run too fast; less than 0: too slow
	since time.Duration // when the rate was set, in the world's time
	base  time.Duration // what the steady clock showed then
	ahead time.Duration // of the wall clock before the steady one
	jumps time.Duration // the part of ahead that is wrong: the sum of the jumps that last
	past  []setting     // for asking what the wall clock showed earlier
}

// setting is how a clock was from a moment on.
type setting struct {
	from time.Duration // in the world's time
	rate float64
	wall time.Duration // what it showed then, since the world began
}

// steady is the steady clock when the world's time is now.
func (c *clock) steady(now time.Duration) time.Duration {
	d := now - c.since
	if c.rate != 0 {
		d += time.Duration(float64(d) * c.rate)
	}
	return c.base + d
}

// wall is the wall clock, since the world began.
func (c *clock) wall(now time.Duration) time.Duration { return c.steady(now) + c.ahead }

// lasts is how long the world takes for what takes d on the steady clock; it
// rounds up, so that a timer never goes off too early.
func (c *clock) lasts(d time.Duration) time.Duration {
	if c.rate == 0 {
		return d
	}
	return time.Duration(float64(d)/(1+c.rate)) + time.Microsecond
}

// jump moves the wall clock.
func (c *clock) jump(now, by time.Duration) {
	c.ahead += by
	c.jumps += by
	c.turned(now)
}

// run changes the rate by a share, from now on. A clock that gets its right
// rate back is set to the right time as well, but for the jumps that last: the
// wall clock steps there, the steady one cannot.
func (c *clock) run(now time.Duration, by float64) {
	c.base, c.since = c.steady(now), now
	c.rate += by
	if c.rate < 1e-12 && c.rate > -1e-12 {
		c.rate = 0
		c.ahead = now + c.jumps - c.base
	}
	c.turned(now)
}

func (c *clock) turned(now time.Duration) {
	if len(c.past) == 0 {
		c.past = append(c.past, setting{})
	}
	c.past = append(c.past, setting{from: now, rate: c.rate, wall: c.wall(now)})
}

// showed is when the wall clock showed a time, in the world's time: the last
// time that it did, if there were several.
func (c *clock) showed(wall, now time.Duration) time.Duration {
	until := now
	for _, s := range slices.Backward(c.past) {
		at := s.from + time.Duration(float64(wall-s.wall)/(1+s.rate))
		if at >= s.from && at <= until {
			return at
		}
		until = s.from
	}
	return wall
}

// both is a time.Time that carries a wall clock's reading and a steady one's,
// as time.Now makes it. There is no other way to make one: the package time
// keeps the two in one word each, and no method joins them. TestATimeIsTwoClocks
// fails if that ever changes.
func both(wall time.Time, steady time.Duration) time.Time {
	const (
		hasSteady  = 1 << 63
		nanoBits   = 30
		unixTo1885 = 2_682_288_000 // seconds from 1885 to 1970
	)
	x := struct {
		wall uint64
		ext  int64
		loc  *time.Location
	}{
		wall: hasSteady | uint64(wall.Unix()+unixTo1885)<<nanoBits | uint64(wall.Nanosecond()),
		ext:  int64(steady),
	}
	return *(*time.Time)(unsafe.Pointer(&x))
}

// time is what the machine takes for the time.
func (m *machine) time() time.Time {
	steady := m.clock.steady(m.w.now)
	return both(m.w.epoch.Add(steady+m.clock.ahead), steady)
}

// The daemon compares clocks so often, and first so soon after its start.
const (
	clockEvery = 30 * time.Second
	clockFirst = 3 * time.Second
	clockSlow  = 500 * time.Millisecond // an answer that takes longer says nothing
	clockAsks  = 20 * time.Millisecond  // what a comparison takes that is asked for: a handshake each
)

// watchClock compares the agent's clock with those of the councillors, as the
// daemon does. Only a councillor draws consequences, so only they are asked.
func (m *machine) watchClock(life uint64, after time.Duration) {
	m.w.after(after, func() {
		if m.life != life || m.mind == nil {
			return
		}
		m.compareClocks(life)
		m.watchClock(life, clockEvery)
	})
}

func (m *machine) compareClocks(life uint64) {
	if m.life != life || m.mind == nil || !m.up() {
		return
	}
	offsets := m.clockOffsets()
	ahead, ok := mind.AheadOfCouncil(len(m.w.councillors()), offsets)
	m.step(mind.ClockMeasured{Ahead: ahead, Offsets: offsets, Unknown: !ok})
}

// clockOffsets asks the councillors for theirs: by how much this clock is ahead of each of
// those that answer in time.
func (m *machine) clockOffsets() (offsets []time.Duration) {
	w := m.w
	for _, id := range w.councillors() {
		x := w.machine(id)
		if x == m {
			offsets = append(offsets, 0)
			continue
		}
		if !x.up() || !m.knows(x) {
			continue
		}
		there, ok1 := w.way(m.i, x.i)
		back, ok2 := w.way(x.i, m.i)
		if ok1 && ok2 && there+back+x.lag() <= clockSlow {
			// Half of the round trip is taken off: what is left of it is an error.
			offsets = append(offsets, m.clock.wall(w.now)-x.clock.wall(w.now)-(there-back)/2)
		}
	}
	return offsets
}

// said is when a member stamped a fact, in the world's time: its clock may have
// been wrong.
func (w *World) said(by member.ID, stamp time.Time) time.Duration {
	wall := stamp.Sub(w.epoch)
	if i, ok := w.index[by]; ok {
		return w.machines[i].clock.showed(wall, w.now)
	}
	return wall
}

// councilWall is what most councillors' clocks show, since the world began: of two that
// differ, the later one.
func (w *World) councilWall() time.Duration {
	var walls []time.Duration
	for _, s := range w.seats().Voters {
		walls = append(walls, w.machine(s.Member).clock.wall(w.now))
	}
	if len(walls) == 0 {
		return w.now
	}
	slices.Sort(walls)
	return walls[len(walls)/2]
}

// clockOff is by how much a member's clock is ahead of the councillors', 0 where there is
// one alone: nobody can say which of the two is right.
func (w *World) clockOff(m *machine) time.Duration {
	if len(w.seats().Voters) < 2 {
		return 0
	}
	return m.clock.wall(w.now) - w.councilWall()
}
