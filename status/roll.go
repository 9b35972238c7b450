package status

import (
	"fmt"
	"strings"
	"time"

	"moonwatch/member"
)

// Millis is a length of time in milliseconds: roll-ups add them up, and a whole
// number adds up to the same on every agent.
type Millis int64

// Duration is the same as a time.Duration.
func (m Millis) Duration() time.Duration { return time.Duration(m) * time.Millisecond }

func millis(d time.Duration) Millis { return Millis(d / time.Millisecond) }

// Grain is how long one roll-up is.
type Grain string

// The grains, the finest first.
const (
	Minute Grain = "minute"
	Hour   Grain = "hour"
	Day    Grain = "day"
)

// Grains lists them all.
func Grains() []Grain { return []Grain{Minute, Hour, Day} }

// Length is how long a roll-up of the grain is. Days are of UTC, so all are alike.
func (g Grain) Length() time.Duration {
	switch g {
	case Minute:
		return time.Minute
	case Hour:
		return time.Hour
	case Day:
		return 24 * time.Hour
	default:
		panic("status: no such grain: " + string(g))
	}
}

// Kept is how many roll-ups of the grain are kept: two days of minutes, 92 days of
// hours and 400 days. Finer ones are for looking at what has just been; what is asked
// about a day of last year is how much of it was lost, and not when.
func (g Grain) Kept() int {
	switch g {
	case Minute:
		return 2 * 24 * 60
	case Hour:
		return 92 * 24
	case Day:
		return 400
	default:
		panic("status: no such grain: " + string(g))
	}
}

// Share is what a slot had of the time of one roll-up. Time that is in none of these
// was served.
type Share struct {
	Lost    Millis `json:"lost,omitempty"`    // not served, and not because people wanted it so
	Held    Millis `json:"held,omitempty"`    // of Lost: its case was held
	Cascade Millis `json:"cascade,omitempty"` // of Lost: the fleet was in cascade
	Away    Millis `json:"away,omitempty"`    // people had taken its traffic away
	// Failovers is how many ended in it: a spare took over for an occupant that was lost.
	Failovers int `json:"failovers,omitempty"`
}

func (s *Share) add(o Share) {
	s.Lost += o.Lost
	s.Held += o.Held
	s.Cascade += o.Cascade
	s.Away += o.Away
	s.Failovers += o.Failovers
}

// Roll is one roll-up: what a minute, an hour or a day was like. A slot without a
// share was served all the time.
type Roll struct {
	Known   Millis                   `json:"known"` // how much of it the facts tell of
	Guarded Millis                   `json:"guarded,omitempty"`
	Cascade Millis                   `json:"cascade,omitempty"`
	Slots   map[member.SlotID]*Share `json:"slots,omitempty"`

	frozen bool // others read it: what changes is a clone of it
}

func (r *Roll) clone() *Roll {
	out := &Roll{Known: r.Known, Guarded: r.Guarded, Cascade: r.Cascade, Slots: make(map[member.SlotID]*Share, len(r.Slots))}
	shares := make([]Share, 0, len(r.Slots))
	for id, s := range r.Slots {
		shares = append(shares, *s)
		out.Slots[id] = &shares[len(shares)-1]
	}
	return out
}

func (r *Roll) share(id member.SlotID) *Share {
	if r.Slots == nil {
		r.Slots = map[member.SlotID]*Share{}
	}
	s := r.Slots[id]
	if s == nil {
		s = &Share{}
		r.Slots[id] = s
	}
	return s
}

// rollForm is how the begin of a roll-up stands in its key: it sorts, and can be read.
const rollForm = "2006-01-02T15:04Z"

func rollKey(g Grain, begin time.Time) string { return string(g) + "/" + begin.UTC().Format(rollForm) }

// rollOf reads such a key.
func rollOf(key string) (g Grain, begin time.Time, err error) {
	name, text, _ := strings.Cut(key, "/")
	begin, err = time.Parse(rollForm, text)
	switch g = Grain(name); g {
	case Minute, Hour, Day:
	default:
		err = fmt.Errorf("grain is %q, want minute, hour or day", name)
	}
	return g, begin, err
}

// parts cuts a span of time at the borders of a grain.
func parts(g Grain, from, to time.Time, do func(begin time.Time, d Millis)) {
	for from.Before(to) {
		begin := from.Truncate(g.Length())
		end := begin.Add(g.Length())
		if to.Before(end) {
			end = to
		}
		do(begin, millis(end.Sub(from)))
		from = end
	}
}
