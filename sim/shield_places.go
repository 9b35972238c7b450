package sim

import (
	"slices"
	"time"
)

// What a gateway bears of its clients, as shield/gateway has it by default. Left out: of
// one address it bears half of the connections; here each comes from its own.
const (
	mostConns  = 8192             // connections that are open at once
	mostPlaces = 2048             // requests that are under way at once
	headWithin = 10 * time.Second // for the head of a request
)

// headTakes is how long the head of an honest request comes after its connection: a round
// trip. The gateway takes its connection for a silent one until then.
const headTakes = 50 * time.Millisecond

// places are the connections of a door, and the requests under way on them: whoever is
// slow keeps one for long. As in the gateway a connection whose request is not there yet
// goes for a younger one, the one that waits for longest first, also if its client is an
// honest one; and a request that finds no place is refused, whoever it is for.
type places struct {
	heads  keepers       // connections whose request does not come
	slow   keepers       // requests under way whose clients are slow
	quick  int           // all other requests under way
	full   bool          // a request of this tick found no place
	closed time.Duration // until when the youngest might have stayed that was closed for a younger one
	clings bool          // a control: no connection is closed for a younger one
}

// tick gives back what is over by now; so many requests wait for occupants.
func (p *places) tick(now time.Duration, waiting int) {
	p.heads.end(now)
	p.slow.end(now)
	p.quick, p.full = waiting, false
}

// connect opens a connection on which no whole request comes.
func (p *places) connect(now time.Duration) {
	if p.fits() {
		p.heads.keep(now + headWithin)
	}
}

// room reports whether there is a place for a request whose client connected a round trip
// ago. There is none if its connection was the oldest meanwhile, and went for a younger
// one, or if it was not even opened.
func (p *places) room(now time.Duration) bool {
	if gone := p.closed >= now-headTakes+headWithin; gone || !p.fits() {
		return false
	}
	full := p.quick+p.slow.n >= mostPlaces
	p.full = p.full || full
	return !full
}

// take gives a request its place. Its client keeps it for so long, or is quick.
func (p *places) take(now, slow time.Duration) {
	if slow == 0 {
		p.quick++
	} else {
		p.slow.keep(now + slow)
	}
}

// fits makes room for one more connection, and closes what waits for longest for it.
// false: a request is under way on all of them.
func (p *places) fits() bool {
	for p.open() >= mostConns {
		if p.heads.n == 0 || p.clings {
			return false
		}
		p.closed = p.heads.pop()
	}
	return true
}

// open is how many connections there are.
func (p *places) open() int { return p.quick + p.slow.n + p.heads.n }

// keepers are connections that are kept, in the order in which they came.
type keepers struct {
	all []keeping
	n   int
}

// keeping is so many connections that are kept until then.
type keeping struct {
	until time.Duration
	n     int
}

func (k *keepers) keep(until time.Duration) {
	k.n++
	if last := len(k.all) - 1; last >= 0 && k.all[last].until == until {
		k.all[last].n++
		return
	}
	k.all = append(k.all, keeping{until, 1})
}

// pop ends the one that came first, and says until when it would have stayed. There is one.
func (k *keepers) pop() time.Duration {
	first := k.all[0]
	k.n--
	if k.all[0].n--; k.all[0].n == 0 {
		k.all = k.all[1:]
	}
	return first.until
}

// end forgets those that are not kept for longer than now. They may end in another order
// than they came: one flood's clients are slower than another's.
func (k *keepers) end(now time.Duration) {
	k.all = slices.DeleteFunc(k.all, func(x keeping) bool {
		over := x.until <= now
		if over {
			k.n -= x.n
		}
		return over
	})
}
