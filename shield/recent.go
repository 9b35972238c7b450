package shield

import (
	"cmp"
	"slices"
	"time"
)

// recent holds the last ticks of one door, as many as make a window.
type recent struct {
	over  time.Duration
	ticks []tick // the oldest first
	asked map[Key]total
	all   Counted // the newest
	costs bool    // what costs most is the heaviest
	told  Traffic // the most that was said of the whole life: it never falls
	surge surges
}

type tick struct {
	length  time.Duration
	asked   uint64
	refused uint64
	served  uint64
	cost    uint64
	traffic map[Key]Traffic
}

// total follows a counter that runs over.
type total struct {
	asked, refused   uint64
	asked32, refus32 uint32
}

func newRecent(over time.Duration, rules SurgeRules, forget time.Duration) recent {
	return recent{over: over, asked: map[Key]total{}, surge: newSurges(rules, forget)}
}

// add takes in what was counted in one tick. In calm it learns what is usual at this door,
// from what has left the window.
func (r *recent) add(ev Counted, calm bool) {
	t := tick{
		length: ev.Tick, traffic: make(map[Key]Traffic, len(ev.Counts)),
		asked: since(ev.Asked, r.all.Asked), refused: since(ev.Refused, r.all.Refused), cost: since(ev.Cost, r.all.Cost), served: since(ev.Served, r.all.Served),
	}
	for _, c := range ev.Counts {
		if _, twice := t.traffic[c.Key]; twice {
			continue // its refusals of this tick are booked
		}
		sum, known := r.asked[c.Key]
		refused := grown32(c.Refused, sum.refus32)
		if !known {
			sum.asked, sum.refused, refused = uint64(c.Total), uint64(c.Refused), 0
		} else {
			sum.asked += grown32(c.Total, sum.asked32)
			sum.refused += refused
		}
		sum.asked32, sum.refus32 = c.Total, c.Refused
		sum.asked = max(sum.asked, c.Asked) // what the sketch counted has no total
		r.asked[c.Key] = sum
		t.traffic[c.Key] = Traffic{Lately: c.Asked, Admitted: c.Asked - min(refused, c.Asked), Cost: c.Cost}
	}
	r.all = ev
	r.ticks = append(r.ticks, t)
	r.surge.clock = r.surge.clock.Add(t.length)
	length := time.Duration(0)
	for i := len(r.ticks) - 1; i >= 0; i-- {
		if length += r.ticks[i].length; length >= r.over {
			for _, old := range r.ticks[:i] {
				r.surge.learn(old, calm)
			}
			r.ticks = r.ticks[i:]
			break
		}
	}
	r.surge.look(r.ticks, r.over)
	if len(r.asked) > mostUsuals {
		for k := range r.asked {
			if _, now := t.traffic[k]; !now {
				delete(r.asked, k)
			}
		}
	}
}

// grown32 is how much a counter modulo 2^32 grew. One that is behind has begun anew: its
// subdomain was forgotten, and became known once more.
func grown32(now, before uint32) uint64 {
	if grew := now - before; grew < 1<<31 {
		return uint64(grew)
	}
	return uint64(now)
}

// since is how much a counter grew; one that fell has begun anew.
func since(now, before uint64) uint64 {
	if now < before {
		return now
	}
	return now - before
}

func (r *recent) window() time.Duration { return lengthOf(r.ticks) }

// surges are the subdomains that began to surge within the window.
func (r *recent) surges() []Surge { return r.surge.of(r.ticks) }

// served is how many requests of a window are answered well as of late: what the newer half
// of this one had, twice. In trouble that is what can be served, and what was asked for
// before the trouble says nothing about it.
func (r *recent) served() uint64 {
	window, over, n := r.window(), time.Duration(0), uint64(0)
	for i := len(r.ticks) - 1; i >= 0 && 2*over < window; i-- {
		over += r.ticks[i].length
		n += r.ticks[i].served
	}
	if over == 0 {
		return 0
	}
	return uint64(float64(n) * window.Seconds() / over.Seconds())
}

// rate is how often a second a subdomain was asked for: since it surges, or in the window.
func (r *recent) rate(k Key) float64 {
	for _, x := range r.surges() {
		if x.Key == k {
			return float64(x.Asked) / x.Over.Seconds()
		}
	}
	if window := r.window(); window > 0 {
		return float64(askedFor(r.ticks, k)) / window.Seconds()
	}
	return 0
}

// traffic sums up the window: everything, then one line for each key wanted and
// for the heaviest others.
func (r *recent) traffic(wanted []Key) (Traffic, []Line) {
	all := Traffic{Asked: r.all.Asked, Refused: r.all.Refused}
	sums := map[Key]Traffic{}
	for _, k := range wanted {
		sums[k] = Traffic{}
	}
	for _, t := range r.ticks {
		all.Lately += t.asked
		all.Admitted += t.asked - min(t.refused, t.asked)
		all.Cost += t.cost
		for k, x := range t.traffic {
			y := sums[k]
			y.Lately += x.Lately
			y.Admitted += x.Admitted
			y.Cost += x.Cost
			sums[k] = y
		}
	}
	lines := make([]Line, 0, len(sums))
	for k, t := range sums {
		t.Asked, t.Refused = r.asked[k].asked, r.asked[k].refused
		t.Asked = max(t.Asked, t.Lately)
		t.Refused = min(t.Refused, t.Asked)
		lines = append(lines, Line{Key: k, Traffic: t})
	}
	slices.SortFunc(lines, func(a, b Line) int {
		_, first := slices.BinarySearch(wanted, a.Key)
		_, second := slices.BinarySearch(wanted, b.Key)
		if first != second {
			return map[bool]int{true: -1, false: 1}[first]
		}
		if r.costs && a.Cost != b.Cost {
			return cmp.Compare(b.Cost, a.Cost)
		}
		return cmp.Or(cmp.Compare(b.Lately, a.Lately), cmp.Compare(b.Cost, a.Cost), cmp.Compare(a.Key, b.Key))
	})
	return r.consistent(all, lines)
}

// consistent makes the totals at least what the lines add up to: a counter that
// is read while it counts may be a request behind, and a door in another program by
// many. What was said of the whole life is not taken back, or nobody would believe it.
func (r *recent) consistent(all Traffic, lines []Line) (Traffic, []Line) {
	var sum Traffic
	for _, l := range lines {
		sum.Lately += l.Lately
		sum.Admitted += l.Admitted
		sum.Cost += l.Cost
	}
	all.Lately, all.Cost = max(all.Lately, sum.Lately), max(all.Cost, sum.Cost)
	all.Admitted = min(max(all.Admitted, sum.Admitted), all.Lately)
	all.Asked = max(all.Asked, all.Lately, r.told.Asked)
	all.Refused = max(all.Refused, r.told.Refused)
	r.told = all
	return all, lines
}
