package status

import (
	"cmp"
	"maps"
	"math"
	"slices"
	"time"

	"moonwatch/failover"
	"moonwatch/member"
)

// What a fleet wants to reach.
const (
	// AvailabilityGoal is the share of its time in which a slot is to be served.
	AvailabilityGoal = 0.9999
	// RecoveryGoal is how soon a lost slot is to be served again.
	RecoveryGoal = 10 * time.Minute
)

// Past is what is shown of a while: roll-ups of one grain, and the outages in it. Like a
// Page it is a plain value that nobody changes any more.
type Past struct {
	Schema  int       `json:"schema"`
	Cluster string    `json:"cluster"`
	Now     time.Time `json:"now"`
	AsOf    time.Time `json:"as_of"` // nothing after this moment is known
	Begun   time.Time `json:"begun"` // and nothing before this one
	Grain   Grain     `json:"grain"`
	Cells   []Cell    `json:"cells"` // oldest first; the last one is not over

	Slots   []PastSlot `json:"slots"`   // by pool and name
	Outages []Outage   `json:"outages"` // that reach into it, newest first
}

// Cell is one roll-up of the whole fleet.
type Cell struct {
	Begin   time.Time `json:"begin"`
	Known   Millis    `json:"known"`
	Guarded Millis    `json:"guarded,omitempty"`
	Cascade Millis    `json:"cascade,omitempty"`
	Lost    Millis    `json:"lost,omitempty"` // of all slots together
	// Failovers is how many ended in it.
	Failovers int `json:"failovers,omitempty"`
}

// PastSlot is one slot's past.
type PastSlot struct {
	ID    member.SlotID `json:"id"`
	Pool  string        `json:"pool"`
	Is    string        `json:"is"`   // served, lost or away
	From  time.Time     `json:"from"` // it counts from here on
	Gone  time.Time     `json:"gone,omitzero"`
	There Millis        `json:"there"` // known time in which it was in the fleet
	Sum   Share         `json:"sum"`
	Marks []Mark        `json:"marks,omitempty"` // the cells in which it was not served all the time
}

// Mark is what a slot had of a cell.
type Mark struct {
	Cell int `json:"cell"` // its place in Past.Cells
	Share
}

// Availability is the share of the time in which a slot was served, of the time in which
// it was to be. Without any such time it is not a number.
func Availability(there Millis, s Share) float64 {
	wanted := there - s.Away
	if wanted <= 0 {
		return math.NaN()
	}
	return max(0, 1-float64(s.Lost)/float64(wanted))
}

// Availability is the slot's in the whole time shown.
func (s PastSlot) Availability() float64 { return Availability(s.There, s.Sum) }

// Recovered are the outages that are over because the slot was served again.
func (p Past) Recovered() []Outage {
	var out []Outage
	for _, o := range p.Outages {
		if !o.Open() && !o.Removed {
			out = append(out, o)
		}
	}
	return out
}

// Past makes what is shown of the last count roll-ups of a grain. What stands is taken to
// stand until asOf: the next fact will say so, or tell otherwise.
func (c *Chronicle) Past(cluster string, now, asOf time.Time, g Grain, count int) Past {
	asOf = c.upTo(asOf)
	p := Past{Schema: Schema, Cluster: cluster, Now: now.UTC(), AsOf: asOf, Begun: c.c.Begun.UTC(), Grain: g, Slots: []PastSlot{}, Outages: []Outage{}}
	for _, begin := range c.begins(now, asOf, g, count) {
		p.Cells = append(p.Cells, Cell{Begin: begin})
	}
	v := viewer{c: c, p: &p, marks: map[member.SlotID][]Share{}}
	for i := range p.Cells {
		v.recorded(i)
	}
	if !c.c.Begun.IsZero() {
		v.since(c.c.At, asOf)
	}
	v.slots()
	v.outages()
	return p
}

// upTo is the moment after which nothing is known.
func (c *Chronicle) upTo(asOf time.Time) time.Time {
	if c.c.Begun.IsZero() {
		return time.Time{}
	}
	return latest(whole(asOf), c.c.At)
}

// begins are those of the last count roll-ups, the oldest first.
func (c *Chronicle) begins(now, asOf time.Time, g Grain, count int) []time.Time {
	last := latest(asOf, now.UTC()).Truncate(g.Length())
	out := make([]time.Time, count)
	for i := range out {
		out[i] = last.Add(time.Duration(i-count+1) * g.Length())
	}
	return out
}

func latest(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}

// viewer fills a Past.
type viewer struct {
	c     *Chronicle
	p     *Past
	marks map[member.SlotID][]Share // by cell, of slots that have any
}

func (v viewer) mark(id member.SlotID, cell int, s Share) {
	if v.marks[id] == nil {
		v.marks[id] = make([]Share, len(v.p.Cells))
	}
	v.marks[id][cell].add(s)
	v.p.Cells[cell].Lost += s.Lost
	v.p.Cells[cell].Failovers += s.Failovers
}

func (v viewer) recorded(i int) {
	x := &v.p.Cells[i]
	r := v.c.rolls[v.p.Grain][x.Begin]
	if r == nil {
		return
	}
	x.Known, x.Guarded, x.Cascade = r.Known, r.Guarded, r.Cascade
	for id, s := range r.Slots {
		v.mark(id, i, *s)
	}
}

// since adds what no fact has closed yet.
func (v viewer) since(from, to time.Time) {
	first, length := v.p.Cells[0].Begin, v.p.Grain.Length()
	parts(v.p.Grain, latest(from, first), to, func(begin time.Time, d Millis) {
		i := int(begin.Sub(first) / length)
		x := &v.p.Cells[i]
		x.Known += d
		switch v.c.c.Mode {
		case failover.Guarded:
			x.Guarded += d
		case failover.Cascade:
			x.Cascade += d
		default:
		}
		for id, l := range v.c.c.Slots {
			if s := v.c.shareOf(l, d); s != (Share{}) {
				v.mark(id, i, s)
			}
		}
	})
}

func (v viewer) slots() {
	for id, l := range v.c.c.Slots {
		s := PastSlot{ID: id, Pool: l.Pool, Is: string(l.Is), From: l.Born.UTC(), Gone: l.Gone.UTC()}
		for _, x := range v.p.Cells {
			s.There += min(x.Known, v.stay(l, x.Begin))
		}
		for i, m := range v.marks[id] {
			if m != (Share{}) {
				s.Marks = append(s.Marks, Mark{Cell: i, Share: m})
				s.Sum.add(m)
			}
		}
		if !l.Gone.IsZero() && s.There == 0 {
			continue // it left before
		}
		v.p.Slots = append(v.p.Slots, s)
	}
	slices.SortFunc(v.p.Slots, func(a, b PastSlot) int {
		return cmp.Or(cmp.Compare(a.Pool, b.Pool), cmp.Compare(a.ID, b.ID))
	})
}

// stay is for how long of a cell a slot was in the fleet.
func (v viewer) stay(l *life, begin time.Time) Millis {
	from, to := latest(begin, l.Born), begin.Add(v.p.Grain.Length())
	if v.p.AsOf.Before(to) {
		to = v.p.AsOf
	}
	if !l.Gone.IsZero() && l.Gone.Before(to) {
		to = l.Gone
	}
	return millis(max(0, to.Sub(from)))
}

func (v viewer) outages() {
	first := v.p.Cells[0].Begin
	for _, o := range slices.Backward(v.c.outages) {
		if o.Open() || o.To.After(first) {
			v.p.Outages = append(v.p.Outages, *o)
		}
	}
	slices.SortStableFunc(v.p.Outages, func(a, b Outage) int { return b.From.Compare(a.From) })
}

// Pools lists the pools that a Past shows.
func (p Past) Pools() []string {
	pools := map[string]bool{}
	for _, s := range p.Slots {
		pools[s.Pool] = true
	}
	return slices.Sorted(maps.Keys(pools))
}
