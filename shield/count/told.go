package count

import (
	"cmp"
	"slices"
	"time"

	"moonwatch/shield"
)

// Told holds what a door in another program tells of its own counters, which grow as
// long as that program lives. The program names subdomains by their own names: a host in
// its normal form, *.example.com for the bucket of unknown names below example.com, and -
// for the bucket of all others. It tells of those that are asked for much, and of those
// that it is asked about, in each poll; so there may be a long time between two readings.
//
// It has one owner, as a decision does.
type Told struct {
	salt  uint64
	by    map[shield.Key]*told
	polls uint64
}

type told struct {
	raw   string // the program's name
	name  string // for people
	poll  uint64 // in which it was last told of
	asked uint64 // the program's counters, as last read
	shed  uint64

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
func NewTold(salt uint64) *Told { return &Told{salt: salt, by: map[shield.Key]*told{}} }

// keyOf gives the key of a name, and false for what is counted and never held: a
// name that is not in its normal form.
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
		return ""
	}
	x := h.by[key]
	if x == nil {
		x = &told{raw: e.Name, name: name}
		h.by[key] = x
		x.total, x.asked, x.shed = e.Asked-min(e.Asked, e.Lately), e.Asked-min(e.Asked, e.Lately), e.Refused
	}
	if x.poll == h.polls+1 {
		return "" // it is above the rate, and wanted as well
	}
	grew := Grown(e.Asked, x.asked)
	x.total += grew
	x.refused += Grown(e.Refused, x.shed)
	if x.poll != h.polls {
		grew = min(grew, e.Lately)
	}
	x.tick += grew
	x.asked, x.shed, x.poll, x.told = e.Asked, e.Refused, h.polls+1, true
	if x.listed || name == "" || name[0] == '*' {
		return ""
	}
	x.listed = true
	return name
}

// mostHosts bounds what is remembered. Who is forgotten is told of again when it is
// above the rate.
const mostHosts = 8192

// End ends a poll.
func (h *Told) End() {
	h.polls++
	if len(h.by) <= mostHosts {
		return
	}
	for k, x := range h.by {
		if x.poll != h.polls {
			delete(h.by, k)
		}
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
