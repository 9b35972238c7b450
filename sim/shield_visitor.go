package sim

import (
	"time"

	"moonwatch/shield"
)

// visitor is who asks for something: a browser, which solves what it is posed, or a
// program, which does not.
type visitor struct {
	client  uint64
	browser bool
	slow    time.Duration // for which it keeps its place; 0: it is quick
	back    bool          // it has solved what it was posed a moment ago
}

// A browser looks for the number for about a second, and may come for a while then.
const (
	solveIn = time.Second
	passFor = 15 * time.Minute
)

// mostBrowsers is how many browsers a subdomain's people have: few enough that they come
// more than once in a flood.
const mostBrowsers = 200

// pass says that a browser has solved what it was posed for a subdomain. Doors with one
// key believe each other's.
type pass struct {
	host   shield.Key
	client uint64
}

// comingBack is a browser that looks for its number, and asks once more then.
type comingBack struct {
	at   time.Duration
	h    *asking
	who  visitor
	door int
}

// visitorOf draws who a request is from. Worlds without browsers and slow clients draw
// nothing more than who that is, so their seeds stay what they were.
func (g *guarded) visitorOf(h *asking, d *shieldDoor, i int, t demanded) visitor {
	v := visitor{client: g.w.chance.next(streamClients, d.i, i) % 10_000}
	if t.slow == 0 && g.cfg.Browsers == 0 {
		return v
	}
	switch part := g.w.chance.unit(streamClients, d.i, i) * t.rate; {
	case part < t.slow:
		v.slow = t.keeps
	case part >= t.rate-t.own*g.cfg.Browsers && !h.random:
		v.browser, v.client = true, v.client%mostBrowsers
	}
	return v
}

// treatment is what a door makes of a request.
type treatment uint8

const (
	turnedAway treatment = iota
	letIn
	posed // a challenge
)

// weigh is what a measure makes of a request, as shield/admit does: who has solved its
// challenge is in, up to the cap, and who cannot be challenged is shaped.
func (d *shieldDoor) weigh(now time.Time, m *shield.Measure, v visitor) treatment {
	solved := false
	if m.Rung == shield.Challenge && v.browser {
		if solved = d.g.passes[pass{m.Key, v.client}] > d.g.w.now; !solved {
			return posed
		}
	}
	if !solved && !m.Admits(now, v.client*0x9e3779b97f4a7c15) || !d.capped(now, m) {
		return turnedAway
	}
	return letIn
}

// capped takes a request from what a measure's cap lets in; false: nothing is left.
func (d *shieldDoor) capped(now time.Time, m *shield.Measure) bool {
	if m.Cap == 0 {
		return true
	}
	b := d.buckets[m.Key]
	if b == nil {
		b = &heldBucket{}
		d.buckets[m.Key] = b
	}
	if !b.bucket.Take(now, m.Cap, m.Burst) {
		return false
	}
	b.passed++
	return true
}

// poses has a browser look for its number.
func (g *guarded) poses(h *asking, d *shieldDoor, v visitor) {
	g.solving = append(g.solving, comingBack{g.w.now + solveIn, h, v, d.i})
}

// comeBack lets those ask once more that have found their number.
func (g *guarded) comeBack(open []*shieldDoor) {
	for len(g.solving) > 0 && g.solving[0].at <= g.w.now {
		x := g.solving[0]
		g.solving = g.solving[1:]
		g.passes[pass{shield.KeyOf(shieldSalt, x.h.name), x.who.client}] = g.w.now + passFor
		d := open[x.door%len(open)]
		x.who.back = true
		let := owed{name: x.h.name, took: x.h.takes()}
		g.visit(x.h, d, x.who, &let)
		d.owes(let)
	}
}
