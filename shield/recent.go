package shield

import (
	"cmp"
	"math"
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

func newRecent(over time.Duration) recent { return recent{over: over, asked: map[Key]total{}} }

// add takes in what was counted in one tick.
func (r *recent) add(ev Counted) {
	t := tick{
		length: ev.Tick, traffic: make(map[Key]Traffic, len(ev.Counts)),
		asked: since(ev.Asked, r.all.Asked), refused: since(ev.Refused, r.all.Refused), cost: since(ev.Cost, r.all.Cost), served: since(ev.Served, r.all.Served),
	}
	for _, c := range ev.Counts {
		if _, twice := t.traffic[c.Key]; twice {
			continue // its refusals of this tick are booked
		}
		sum, known := r.asked[c.Key]
		refused := uint64(c.Refused - sum.refus32)
		if !known {
			sum.asked, sum.refused, refused = uint64(c.Total), uint64(c.Refused), 0
		} else {
			sum.asked += uint64(c.Total - sum.asked32)
			sum.refused += refused
		}
		sum.asked32, sum.refus32 = c.Total, c.Refused
		sum.asked = max(sum.asked, c.Asked) // what the sketch counted has no total
		r.asked[c.Key] = sum
		t.traffic[c.Key] = Traffic{Lately: c.Asked, Admitted: c.Asked - min(refused, c.Asked), Cost: c.Cost}
	}
	r.all = ev
	if r.jumps(t) {
		r.ticks = nil
	}
	r.ticks = append(r.ticks, t)
	length := time.Duration(0)
	for i := len(r.ticks) - 1; i >= 0; i-- {
		if length += r.ticks[i].length; length >= r.over {
			r.ticks = r.ticks[i:]
			break
		}
	}
	if len(r.asked) > mostUsuals {
		for k := range r.asked {
			if _, now := t.traffic[k]; !now {
				delete(r.asked, k)
			}
		}
	}
}

// jumps reports that a tick is of another kind than the window before it: a
// flood begins, or ends. An average over both would be about neither, and what
// the others feel of a flood is the time until it is known how large it is. Chance
// alone does not make twice as many and five standard deviations more.
func (r *recent) jumps(t tick) bool {
	var asked uint64
	for _, x := range r.ticks {
		asked += x.asked
	}
	length := r.window()
	if length <= 0 || t.length <= 0 {
		return false
	}
	mean := float64(asked) * t.length.Seconds() / length.Seconds()
	spread := 5 * math.Sqrt(mean)
	return float64(t.asked) > 2*mean+spread || float64(t.asked) < mean/2-spread
}

// since is how much a counter grew; one that fell has begun anew.
func since(now, before uint64) uint64 {
	if now < before {
		return now
	}
	return now - before
}

func (r *recent) window() time.Duration {
	sum := time.Duration(0)
	for _, t := range r.ticks {
		sum += t.length
	}
	return sum
}

// served is how many requests of the window were answered well.
func (r *recent) served() (n uint64) {
	for _, t := range r.ticks {
		n += t.served
	}
	return n
}

// lately is how often a subdomain was asked for in the window.
func (r *recent) lately(k Key) (n uint64) {
	for _, t := range r.ticks {
		n += t.traffic[k].Lately
	}
	return n
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
