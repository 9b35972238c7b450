package status

import (
	"cmp"
	"slices"
	"time"

	"moonwatch/consensus"
	"moonwatch/failover"
	"moonwatch/member"
)

// Chronicle folds the facts into what is told of the past: roll-ups of a minute, an
// hour and a day, and the outages of slots. It is told of each fact right after the
// ledger has applied it, and counts with the ledger's time, which never goes back: so
// every agent that saw the same facts tells the same past, whatever its own clock did
// and however often it was started.
//
// What it knows is handed out as records to be kept (Take), each batch with the index of
// the last fact that is in it. An agent that dies before they are written takes the facts
// after that index from its ledger once more, and nothing is counted twice or left out.
// What lies between two facts that this agent never saw, because a whole ledger came in
// their place, is not known, and says so.
type Chronicle struct {
	c       cursor
	rolls   map[Grain]map[time.Time]*Roll
	outages []*Outage // in the order in which they were noticed
	open    map[member.SlotID]*Outage
	sights  []Verdict // a published one is never changed
	changed map[string]bool
	taken   map[string]bool // handed out, and not known to be kept
}

// cursor is how far the chronicle is, and how things stood there.
type cursor struct {
	Schema int                     `json:"schema"`
	Head   uint64                  `json:"head"`
	Begun  time.Time               `json:"begun"` // nothing before is known
	At     time.Time               `json:"at"`    // the ledger's time at Head
	Mode   failover.Mode           `json:"mode"`
	Slots  map[member.SlotID]*life `json:"slots"`
}

// life is a slot since it was first served.
type life struct {
	Pool  string    `json:"pool"`
	Born  time.Time `json:"born"`
	Gone  time.Time `json:"gone,omitzero"` // it is not in the fleet any more
	Is    standing  `json:"is"`
	Since time.Time `json:"since"` // how it stands; of a loss, when it was noticed
	Held  bool      `json:"held,omitempty"`
}

// standing is how a slot stands for those who use it.
type standing string

const (
	isServed standing = "served"
	isLost   standing = "lost"
	isAway   standing = "away" // people took its traffic away, and nothing is wrong with it; or gave it to somebody who has yet to serve
)

// Outage is a time in which a slot was not served, and nobody wanted it so.
type Outage struct {
	Slot    member.SlotID `json:"slot"`
	Pool    string        `json:"pool"`
	From    time.Time     `json:"from"`             // the occupant's last sign of life, where a verdict tells it
	To      time.Time     `json:"to,omitzero"`      // it is served again; zero: it is not
	Subject member.ID     `json:"member,omitempty"` // who was lost
	Case    string        `json:"case,omitempty"`
	Held    Millis        `json:"held,omitempty"`    // how long its case was held
	Cascade Millis        `json:"cascade,omitempty"` // how long the fleet was in cascade
	Removed bool          `json:"removed,omitempty"` // it ended because the slot left the fleet
	Fact    uint64        `json:"fact,omitempty"`    // with which it was noticed; 0: by a build that did not say
}

// Open reports that it goes on.
func (o Outage) Open() bool { return o.To.IsZero() }

// Took is how long it was, up to now if it goes on.
func (o Outage) Took(now time.Time) time.Duration {
	if !o.Open() {
		now = o.To
	}
	return max(0, now.Sub(o.From))
}

// keptOutages bounds what is remembered of single outages; the roll-ups have the rest.
const keptOutages = 2000

// NewChronicle makes one that knows nothing.
func NewChronicle() *Chronicle {
	c := &Chronicle{rolls: map[Grain]map[time.Time]*Roll{}, open: map[member.SlotID]*Outage{}, changed: map[string]bool{}}
	c.c = cursor{Schema: chronicleSchema, Mode: failover.Normal, Slots: map[member.SlotID]*life{}}
	for _, g := range Grains() {
		c.rolls[g] = map[time.Time]*Roll{}
	}
	return c
}

// Applied takes a fact that the ledger has just applied.
func (c *Chronicle) Applied(f consensus.Fact, l *consensus.Ledger, st *failover.State) {
	if f.Index <= c.c.Head {
		return // in the records already
	}
	now := whole(l.Time())
	if c.c.Begun.IsZero() {
		if now.Year() < 2000 {
			return // a genesis has no time
		}
		c.c.Begun, c.c.At = now, now
	}
	c.book(now)
	c.see(f)
	c.look(f.Index, now, l, st)
}

// whole cuts a time to milliseconds: what is counted in them adds up then.
func whole(t time.Time) time.Time { return t.UTC().Truncate(time.Millisecond) }

// Restored takes a whole ledger in place of facts: what was between is not known.
func (c *Chronicle) Restored(l *consensus.Ledger, st *failover.State) {
	now := whole(l.Time())
	if l.Head() <= c.c.Head || now.Year() < 2000 {
		return // older than the records: the facts between will come
	}
	if c.c.Begun.IsZero() {
		c.c.Begun = now
	}
	for _, x := range c.c.Slots {
		x.Since = now // nothing is known of before
	}
	c.c.At = now
	c.look(l.Head(), now, l, st)
}

// book adds the time since the last fact to the roll-ups: all stood as it did then.
func (c *Chronicle) book(now time.Time) {
	from, to := c.c.At, now
	c.each(from, to, true, func(r *Roll, d Millis) {
		r.Known += d
		switch c.c.Mode {
		case failover.Guarded:
			r.Guarded += d
		case failover.Cascade:
			r.Cascade += d
		default:
		}
		for id, x := range c.c.Slots {
			if s := c.shareOf(x, d); s != (Share{}) {
				r.share(id).add(s)
			}
		}
	})
	if d := millis(to.Sub(from)); d > 0 {
		for _, o := range c.open {
			s := c.shareOf(c.c.Slots[o.Slot], d)
			o.Held += s.Held
			o.Cascade += s.Cascade
			c.changed[o.key()] = true
		}
	}
	if now.Truncate(time.Hour).After(c.c.At) {
		c.c.At = now
		c.unsee()
	}
	c.c.At = now
	c.forget()
}

// shareOf is what a slot has of some time in which it stood as it does.
func (c *Chronicle) shareOf(x *life, d Millis) Share {
	switch {
	case x == nil || !x.Gone.IsZero() || x.Is == isServed:
		return Share{}
	case x.Is == isAway:
		return Share{Away: d}
	}
	s := Share{Lost: d}
	if x.Held {
		s.Held = d
	}
	if c.c.Mode == failover.Cascade {
		s.Cascade = d
	}
	return s
}

// each visits the roll-ups of a span of time, as far back as they are kept.
func (c *Chronicle) each(from, to time.Time, anew bool, do func(*Roll, Millis)) {
	for _, g := range Grains() {
		if oldest := oldest(g, to); from.Before(oldest) {
			parts(g, oldest, to, c.visit(g, anew, do))
			continue
		}
		parts(g, from, to, c.visit(g, anew, do))
	}
}

func (c *Chronicle) visit(g Grain, anew bool, do func(*Roll, Millis)) func(time.Time, Millis) {
	return func(begin time.Time, d Millis) {
		r := c.rolls[g][begin]
		if r == nil && anew {
			r = &Roll{}
			c.rolls[g][begin] = r
		}
		if r != nil {
			if r.frozen {
				r = r.clone()
				c.rolls[g][begin] = r
			}
			do(r, d)
			c.changed[rollKey(g, begin)] = true
		}
	}
}

// oldest is the begin of the oldest roll-up that is kept.
func oldest(g Grain, now time.Time) time.Time {
	return now.Truncate(g.Length()).Add(-time.Duration(g.Kept()-1) * g.Length())
}

// forget drops what is too old.
func (c *Chronicle) forget() {
	for _, g := range Grains() {
		if len(c.rolls[g]) <= g.Kept() {
			continue
		}
		limit := oldest(g, c.c.At)
		for begin := range c.rolls[g] {
			if begin.Before(limit) {
				delete(c.rolls[g], begin)
				c.changed[rollKey(g, begin)] = true
			}
		}
	}
	for len(c.outages) > keptOutages {
		c.changed[c.outages[0].key()] = true
		c.outages = c.outages[1:]
	}
	limit := oldest(Day, c.c.At)
	for id, x := range c.c.Slots {
		if !x.Gone.IsZero() && x.Gone.Before(limit) {
			delete(c.c.Slots, id)
		}
	}
}

// look notes how things stand after a fact, or after a whole ledger.
func (c *Chronicle) look(head uint64, now time.Time, l *consensus.Ledger, st *failover.State) {
	c.c.Head, c.c.Mode = head, st.Brake().Mode()
	c.changed[cursorKey] = true
	there := map[member.SlotID]bool{}
	for _, s := range st.Slots() {
		there[s.ID] = true
		c.lookAt(now, l, st, s)
	}
	for id, x := range c.c.Slots {
		if !there[id] && x.Gone.IsZero() {
			x.Gone = now
			c.end(id, now, true)
		}
	}
	for _, k := range st.OpenCases() {
		if !k.Planned && cutOver(k, head) {
			c.each(now, now.Add(time.Millisecond), true, func(r *Roll, _ Millis) { r.share(k.Slot).Failovers++ })
		}
	}
}

// cutOver reports that a fact put a case's spare into its slot. One fact may have taken
// the case through several states.
func cutOver(k *failover.Case, fact uint64) bool {
	for _, p := range slices.Backward(k.History) {
		if p.Fact != fact {
			return false
		}
		if p.State == failover.Cutover {
			return true
		}
	}
	return false
}

func (c *Chronicle) lookAt(now time.Time, l *consensus.Ledger, st *failover.State, s *failover.Slot) {
	is := standingOf(l, s)
	x := c.c.Slots[s.ID]
	switch {
	case x == nil && is != isServed:
		return // it counts from when it is first served
	case x == nil || !x.Gone.IsZero():
		x = &life{Born: now, Is: isServed, Since: now}
		c.c.Slots[s.ID] = x
	}
	x.Pool = s.Pool
	k, open := st.Case(s.Case)
	x.Held = open && k.State == failover.Held
	if is != x.Is {
		if x.Is == isLost {
			c.end(s.ID, now, false)
		}
		if is == isLost {
			c.begin(now, l, s, x)
		}
		x.Is, x.Since = is, now
	}
	if open {
		c.name(s.ID, k)
	}
}

// standingOf is how a slot stands for those who use it.
func standingOf(l *consensus.Ledger, s *failover.Slot) standing {
	switch state := slotState(l, s); {
	case state == SlotServing:
		return isServed
	case state == SlotDrained && s.Away != nil && s.Case == 0, s.Vacated != nil:
		return isAway
	case state == SlotStarting:
		return isAway // whom people or a fleet gave a slot that was vacant
	default:
		return isLost
	}
}

// begin notes a new outage. It began when the occupant was last heard of, which is
// before the verdict: what was booked as served since then is booked anew.
func (c *Chronicle) begin(now time.Time, l *consensus.Ledger, s *failover.Slot, x *life) {
	o := &Outage{Slot: s.ID, Pool: s.Pool, From: now, Subject: s.Occupant, Fact: l.Head()}
	if v, stands := l.Standing(s.Occupant); stands && x.Is == isServed && !v.SilentSince.IsZero() {
		o.From = whole(v.SilentSince)
		if o.From.Before(x.Since) {
			o.From = x.Since
		}
		if o.From.After(now) {
			o.From = now
		}
	}
	c.each(o.From, now, false, func(r *Roll, d Millis) { r.share(s.ID).Lost += d })
	c.outages, c.open[s.ID] = append(c.outages, o), o
	c.changed[o.key()] = true
}

func (c *Chronicle) end(id member.SlotID, now time.Time, removed bool) {
	if o := c.open[id]; o != nil {
		delete(c.open, id)
		o.To, o.Removed = now, removed
		c.changed[o.key()] = true
		if o.To.Equal(o.From) { // two facts of one moment, and nobody felt it
			c.outages = slices.DeleteFunc(c.outages, func(x *Outage) bool { return x == o })
		}
	}
}

// name tells which case an outage led to.
func (c *Chronicle) name(id member.SlotID, k *failover.Case) {
	if o := c.open[id]; o != nil && o.Case != k.Name() {
		o.Case, o.Subject = k.Name(), cmp.Or(k.Subject, o.Subject)
		c.changed[o.key()] = true
	}
}
