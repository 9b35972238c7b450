package sim

import "time"

// What a gateway bears of its clients, as shield/gateway has it by default.
const (
	mostConns  = 8192             // connections that are open at once
	mostPlaces = 2048             // requests that are under way at once
	headWithin = 10 * time.Second // for the head of a request
	slowWithin = 30 * time.Second // before a client that sends or takes little is cut off
)

// places are the connections of a door, and the requests under way on them: whoever is
// slow keeps one for long. As in the gateway a connection whose request is not there yet
// goes for a younger one, the one that waits for longest first, and a request that finds
// no place is refused, whoever it is for.
type places struct {
	heads []keeping // connections whose request does not come, the oldest first
	slow  []keeping // requests under way whose clients are slow, the oldest first
	quick int       // all other requests under way
	full  bool      // a request of this tick found no place
}

// keeping is so many connections that are kept until then.
type keeping struct {
	until time.Duration
	n     int
}

// tick gives back what is over by now; so many requests wait for occupants.
func (p *places) tick(now time.Duration, waiting int) {
	p.heads, p.slow = after(p.heads, now), after(p.slow, now)
	p.quick, p.full = waiting, false
}

// connect opens a connection on which no whole request comes.
func (p *places) connect(now time.Duration) {
	p.heads = keep(p.heads, now+headWithin)
	p.close()
}

// room reports whether there is a place for a request.
func (p *places) room() bool {
	p.full = p.full || p.quick+kept(p.slow) >= mostPlaces
	return p.quick+kept(p.slow) < mostPlaces
}

// take gives a request its place. Its client keeps it for so long, or is quick.
func (p *places) take(now, slow time.Duration) {
	if slow == 0 {
		p.quick++
	} else {
		p.slow = keep(p.slow, now+min(slow, slowWithin))
	}
	p.close()
}

// close closes what waits for longest while there are too many connections.
func (p *places) close() {
	for p.open() > mostConns && len(p.heads) > 0 {
		if p.heads[0].n--; p.heads[0].n == 0 {
			p.heads = p.heads[1:]
		}
	}
}

// open is how many connections there are.
func (p *places) open() int { return p.quick + kept(p.slow) + kept(p.heads) }

func kept(all []keeping) (n int) {
	for _, x := range all {
		n += x.n
	}
	return n
}

func keep(all []keeping, until time.Duration) []keeping {
	if last := len(all) - 1; last >= 0 && all[last].until == until {
		all[last].n++
		return all
	}
	return append(all, keeping{until, 1})
}

// after are those that are kept for longer than now.
func after(all []keeping, now time.Duration) []keeping {
	for len(all) > 0 && all[0].until <= now {
		all = all[1:]
	}
	return all
}
