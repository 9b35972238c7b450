package count

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"moonwatch/shield"
)

// Told holds what a door in another program tells of its own counters, which grow as
// long as that program lives. The program names subdomains by their own names: a host in
// its normal form, *.example.com for the bucket of unknown names below example.com, and -
// for the bucket of all others. It tells of those that are asked for much, and of those
// that it is asked about, in each poll; so there may be a long time between two readings.
// What it counts under what is no such name is booked as Nameless beside -, so that
// nothing that is in its totals is nobody's.
//
// It has one owner, as a decision does.
type Told struct {
	salt  uint64
	by    map[shield.Key]*told
	odd   map[string]*line // lines of the program whose names have no key
	polls uint64
}

// line follows the counters of one line of the program.
type line struct {
	poll  uint64 // in which it was last told of
	asked uint64 // as last read
	shed  uint64
}

type told struct {
	line
	raw  string // the program's name
	name string // for people

	total, refused uint64 // since it was first told of, and what was counted before that
	tick           uint64 // asked since Rotate
	told           bool   // it is in this tick
	listed         bool   // somebody was told that it is known
}

// Reading is one line of what the program tells.
type Reading struct {
	Name    string
	Asked   uint64 // since the program began
	Refused uint64 // of these
	// Lately is what came in about the last second: no more than that is this tick's
	// where the one before did not tell of it.
	Lately uint64
}

// Tick says that what was counted up to a moment can be read.
type Tick struct {
	At    time.Time
	Every time.Duration // until the next one, if the program answers in time
}

// NewTold begins with nothing told. The salt is that of the keys, see shield.KeyOf.
func NewTold(salt uint64) *Told {
	return &Told{salt: salt, by: map[shield.Key]*told{}, odd: map[string]*line{}}
}

// keyOf gives the key of a name, and false for what is no name in its normal form.
func (h *Told) keyOf(raw string) (key shield.Key, name string, ok bool) {
	if raw == "-" {
		return shield.Nameless, "", true
	}
	bucket := raw != "" && raw[0] == '*'
	plain := raw
	if bucket {
		plain = "x" + raw[1:]
	}
	var room [shield.HostRoom]byte
	normal, ok := shield.Normalise(room[:0], plain)
	if !ok || string(normal) != plain {
		return 0, "", false
	}
	if bucket {
		key, ok = shield.ParentKeyOf(h.salt, normal)
		return key, raw, ok
	}
	return shield.KeyOf(h.salt, normal), raw, true
}

// Book takes in a line. It gives the host's name if it was never told of before.
func (h *Told) Book(e Reading) string {
	key, name, ok := h.keyOf(e.Name)
	if !ok {
		h.bookOdd(e)
		return ""
	}
	x := h.at(key, e.Name, name)
	if x.poll == 0 {
		x.line = begin(e)
		x.total += x.asked
	}
	if x.poll == h.polls+1 {
		return "" // it is above the rate, and wanted as well
	}
	x.add(x.line.follow(e, h.polls))
	if x.listed || name == "" || name[0] == '*' {
		return ""
	}
	x.listed = true
	return name
}

// bookOdd takes in a line whose name has no key.
func (h *Told) bookOdd(e Reading) {
	l := h.odd[e.Name]
	if l == nil {
		now := begin(e)
		l = &now
		h.odd[e.Name] = l
	}
	if l.poll == h.polls+1 {
		return
	}
	h.at(shield.Nameless, "-", "").add(l.follow(e, h.polls))
}

// at gives what is told of a key.
func (h *Told) at(key shield.Key, raw, name string) *told {
	x := h.by[key]
	if x == nil {
		x = &told{raw: raw, name: name}
		h.by[key] = x
	}
	return x
}

// begin is a line as it was before what came lately.
func begin(e Reading) line {
	return line{asked: e.Asked - min(e.Asked, e.Lately), shed: e.Refused}
}

// growth is what a line grew by since it was last told of.
type growth struct{ asked, refused, tick uint64 }

// follow takes in what a line says after a number of polls.
func (l *line) follow(e Reading, polls uint64) growth {
	g := growth{asked: Grown(e.Asked, l.asked), refused: Grown(e.Refused, l.shed)}
	g.tick = g.asked
	if l.poll != polls {
		g.tick = min(g.asked, e.Lately)
	}
	*l = line{poll: polls + 1, asked: e.Asked, shed: e.Refused}
	return g
}

func (x *told) add(g growth) {
	x.total += g.asked
	x.refused += g.refused
	x.tick += g.tick
	x.told = true
}

// mostHosts bounds what is remembered. Who is forgotten is told of again when it is
// above the rate.
const mostHosts = 8192

// End ends a poll.
func (h *Told) End() {
	h.polls++
	if len(h.by) > mostHosts {
		maps.DeleteFunc(h.by, func(k shield.Key, x *told) bool { return x.poll != h.polls && k != shield.Nameless })
	}
	if len(h.odd) > mostHosts {
		maps.DeleteFunc(h.odd, func(_ string, l *line) bool { return l.poll != h.polls })
	}
}

// mostTold bounds what a tick tells of beside who is wanted: twice as many as can
// have a hotShare of all requests each.
const mostTold = 2 * hotShare

// Rotate ends a tick: those that were asked for most, and those that are wanted.
func (h *Told) Rotate(wanted []shield.Key) []shield.Count {
	var out []shield.Count
	for k, x := range h.by {
		if x.told {
			out = append(out, x.count(k))
			x.tick, x.told = 0, false
		}
	}
	slices.SortFunc(out, func(a, b shield.Count) int { return cmp.Or(cmp.Compare(b.Asked, a.Asked), cmp.Compare(a.Key, b.Key)) })
	out = out[:min(len(out), mostTold)]
	for _, k := range wanted {
		if x := h.by[k]; x != nil && !slices.ContainsFunc(out, func(c shield.Count) bool { return c.Key == k }) {
			out = append(out, x.count(k))
		}
	}
	return out
}

func (x *told) count(k shield.Key) shield.Count {
	return shield.Count{
		Key: k, Name: x.name, Asked: x.tick, Total: uint32(x.total), Refused: uint32(x.refused), //nolint:gosec // modulo 2^32
	}
}

// NameOf is how the program calls a subdomain; empty: it never told of it.
func (h *Told) NameOf(k shield.Key) string {
	if x := h.by[k]; x != nil {
		return x.raw
	}
	return ""
}

// Counts reports whether a request was ever counted under a key.
func (h *Told) Counts(k shield.Key) bool {
	x := h.by[k]
	return x != nil && x.total > 0
}

// Grown is by how much a counter has grown that may have begun anew.
func Grown(now, was uint64) uint64 {
	if now < was {
		return now
	}
	return now - was
}
