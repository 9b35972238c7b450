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
// honest one; and of the requests under way the oldest one of the subdomain with the most
// ends for one of a subdomain that has fewer. Left out: quick ones are counted for nobody.
type places struct {
	heads  keepers       // connections whose request does not come
	slow   []slowOf      // requests under way whose clients are slow, by subdomain
	quick  int           // all other requests under way
	full   bool          // a request of this tick found no place, though its subdomain has none
	closed time.Duration // until when the youngest might have stayed that was closed for a younger one
	clings bool          // a control: no connection is closed for a younger one
	holds  bool          // a control: no request ends for another subdomain's
}

// slowOf are the requests under way of a subdomain whose clients are slow.
type slowOf struct {
	of   *asking
	kept keepers
}

// tick gives back what is over by now; so many requests wait for occupants.
func (p *places) tick(now time.Duration, waiting int) {
	p.heads.end(now)
	for i := range p.slow {
		p.slow[i].kept.end(now)
	}
	p.quick, p.full = waiting, false
}

// connect opens a connection on which no whole request comes.
func (p *places) connect(now time.Duration) {
	if p.fits() {
		p.heads.keep(now + headWithin)
	}
}

// connected reports whether a client that connected a round trip ago still is, so that its
// request comes. It is not if its connection was the oldest meanwhile, and went for a
// younger one, or if it was not even opened.
func (p *places) connected(now time.Duration) bool {
	return p.closed < now-headTakes+headWithin && p.fits()
}

// room reports whether there is a place for a request of a subdomain, and makes it.
func (p *places) room(h *asking) bool {
	if p.quick+p.kept() < mostPlaces || p.pushOut(h) {
		return true
	}
	p.full = p.full || p.of(h).n == 0
	return false
}

// pushOut ends the oldest request of the subdomain with the most, if that has still no
// fewer than this one afterwards.
func (p *places) pushOut(h *asking) bool {
	if p.holds || len(p.slow) == 0 {
		return false
	}
	largest := slices.MaxFunc(p.slow, func(a, b slowOf) int { return a.kept.n - b.kept.n }).of
	own := p.of(h).n
	from := p.of(largest)
	if from.n < own+2 {
		return false
	}
	from.pop()
	return true
}

// take gives a request of a subdomain its place. Its client keeps it for so long, or is quick.
func (p *places) take(h *asking, now, slow time.Duration) {
	if slow == 0 {
		p.quick++
	} else {
		p.of(h).keep(now + slow)
	}
}

// of are those of a subdomain.
func (p *places) of(h *asking) *keepers {
	i := slices.IndexFunc(p.slow, func(x slowOf) bool { return x.of == h })
	if i < 0 {
		i = len(p.slow)
		p.slow = append(p.slow, slowOf{of: h})
	}
	return &p.slow[i].kept
}

// kept is how many places slow clients keep.
func (p *places) kept() (n int) {
	for i := range p.slow {
		n += p.slow[i].kept.n
	}
	return n
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
func (p *places) open() int { return p.quick + p.kept() + p.heads.n }

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
