package status

import (
	"cmp"
	"slices"
	"time"

	"moonwatch/agent"
	"moonwatch/member"
)

// What a Trail holds at most: some megabyte, in the worst weather. A day in which everything
// was calm is a dozen changes.
const (
	trailFor     = 24 * time.Hour
	trailChanges = 4096
	// trailGap is how long nothing may be noted before nothing is known: a loop that makes
	// progress notes each second.
	trailGap = 15 * time.Second
)

// Trail is what one agent's own observer has seen lately: how it saw each subject (calm,
// losing probes, down and of what, not heard yet), whether it believed itself, and when that
// changed. It is kept on disk (Take, RecallTrail), so that who is started again knows what it saw
// before, and that it saw nothing meanwhile; it says since when it knows. It is not safe for
// concurrent use.
//
// Times are the wall clock of this agent. One that is set back by more than trailGap begins
// a new trail, for the old one's times are not those that people will ask for.
type Trail struct {
	since   time.Time // of what was before, nothing is known
	noted   time.Time // for the last time; zero: never
	base    map[member.ID]trailed
	changes []trailed // oldest first, after base; the first one has the number first
	now     []LiveSees
	self    selfSeen

	first       uint64
	kept, taken trailKept // on disk, and on the way there
	taking      bool      // nobody has told yet how that ended
	tried       uint64    // no change from this number on was ever taken
}

// selfSeen is what an observer says of itself.
type selfSeen struct {
	abstains agent.Reason
	still    bool // nothing was noted: its loop stood still
}

// trailed is one change: of a subject from then on, or of the observer itself where Subject is empty.
type trailed struct {
	at time.Time
	LiveSees
	gone bool // it is no subject any more
	self selfSeen
}

// Since is since when it knows; zero: it knows nothing.
func (t *Trail) Since() time.Time { return t.since }

// Note appends what has changed since the last note. Subjects come by name, as LiveOf has
// them. Nothing is allocated if nothing has changed.
func (t *Trail) Note(x LiveFrom) {
	at := x.At.Round(0).UTC()
	switch {
	case t.noted.IsZero(), t.noted.Sub(at) > trailGap:
		*t = Trail{since: at, base: map[member.ID]trailed{}, first: t.end(), kept: t.kept, taken: t.taken, taking: t.taking, tried: t.tried}
	case at.Before(t.noted):
		at = t.noted
	case at.Sub(t.noted) > trailGap:
		t.keep(trailed{at: t.noted.Add(trailGap), self: selfSeen{abstains: t.self.abstains, still: true}})
	}
	t.noted = at
	if self := (selfSeen{abstains: x.Abstains}); self != t.self {
		t.keep(trailed{at: at, self: self})
	}
	same := len(x.Sees) == len(t.now)
	i := 0 // of t.now
	for _, s := range x.Sees {
		for i < len(t.now) && t.now[i].Subject < s.Subject {
			t.keep(trailed{at: at, LiveSees: LiveSees{Subject: t.now[i].Subject}, gone: true})
			i++
			same = false
		}
		if i < len(t.now) && t.now[i].Subject == s.Subject {
			i++
			if t.now[i-1].Form() == s.Form() {
				continue
			}
		}
		t.keep(trailed{at: at, LiveSees: s})
		same = false
	}
	for ; i < len(t.now); i++ {
		t.keep(trailed{at: at, LiveSees: LiveSees{Subject: t.now[i].Subject}, gone: true})
		same = false
	}
	if !same {
		t.now = append(t.now[:0], x.Sees...)
	}
	t.forget(at)
}

// keep appends a change.
func (t *Trail) keep(c trailed) {
	if c.Subject == "" {
		t.self = c.self
	}
	t.changes = append(t.changes, c)
}

// forget takes the oldest changes out of what can be asked for, when there are too many or
// they are too old. What they made of their subjects is what stands where the trail begins.
func (t *Trail) forget(now time.Time) {
	for len(t.changes) > trailChanges || len(t.changes) > 0 && now.Sub(t.changes[0].at) > trailFor {
		c := t.changes[0]
		t.changes = t.changes[1:]
		t.first++
		t.since = c.at
		c.into(t.base)
	}
}

// into is what a change makes of what stood before it.
func (c trailed) into(base map[member.ID]trailed) {
	if c.gone {
		delete(base, c.Subject)
	} else {
		base[c.Subject] = c
	}
}

// end is the number of the next change.
func (t *Trail) end() uint64 { return t.first + uint64(len(t.changes)) }

// At is what was noted last before a moment, or at it: how each subject was seen, since
// when, and with which figures that began. It is not ok of a moment of which the trail knows
// nothing: before it begins, while the loop stood still, and long after the last note.
func (t *Trail) At(moment time.Time) (x LiveFrom, ok bool) {
	if t.noted.IsZero() || moment.Before(t.since) || moment.Sub(t.noted) >= trailGap {
		return LiveFrom{}, false
	}
	var self selfSeen
	seen := map[member.ID]bool{}
	tell := func(c trailed) {
		if seen[c.Subject] {
			return
		}
		seen[c.Subject] = true
		switch {
		case c.Subject == "":
			self = c.self
		case !c.gone:
			s := c.LiveSees
			s.Since = c.at
			x.Sees = append(x.Sees, s)
		}
	}
	for _, c := range slices.Backward(t.changes) {
		if !c.at.After(moment) {
			tell(c)
		}
	}
	for _, c := range t.base {
		tell(c)
	}
	if self.still {
		return LiveFrom{}, false
	}
	slices.SortFunc(x.Sees, func(a, b LiveSees) int { return cmp.Compare(a.Subject, b.Subject) })
	x.Abstains = self.abstains
	return x, true
}
