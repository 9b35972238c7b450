package haproxy

import (
	"cmp"
	"slices"

	"moonwatch/shield"
)

// hosts are the subdomains that HAProxy told of. It names them by their own keys:
// a host in its normal form, *.example.com for the bucket of unknown names below
// example.com, and - for the bucket of all others.
type hosts struct {
	salt       uint64
	by         map[shield.Key]*host
	used, size int // of HAProxy's table
	polls      uint64
}

type host struct {
	raw   string // HAProxy's key
	name  string // for people
	poll  uint64 // in which it was last told of
	asked uint64 // HAProxy's counters, as last read
	shed  uint64

	total, refused uint64 // since the door was opened
	tick           uint64 // asked since Rotate
	told           bool   // it is in this tick
	listed         bool   // somebody was told that it is known
}

func newHosts(salt uint64) hosts { return hosts{salt: salt, by: map[shield.Key]*host{}} }

// keyOf gives the key of HAProxy's, and false for what is counted and never held: a
// name that is not in its normal form.
func (h *hosts) keyOf(raw string) (key shield.Key, name string, ok bool) {
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

// book takes in a line. It gives the host's name if it was never told of before.
//
// HAProxy tells of who is above a rate, so there may be a long time between two
// readings. What grew in it is not this tick's: then it is what came in the last
// second, at most.
func (h *hosts) book(e entry) string {
	key, name, ok := h.keyOf(e.key)
	if !ok {
		return ""
	}
	x := h.by[key]
	if x == nil {
		x = &host{raw: e.key, name: name}
		h.by[key] = x
		x.total, x.asked, x.shed = e.asked-min(e.asked, e.rate), e.asked-min(e.asked, e.rate), e.shed
	}
	if x.poll == h.polls+1 {
		return "" // it is above the rate, and wanted as well
	}
	grew := grown(e.asked, x.asked)
	x.total += grew
	x.refused += grown(e.shed, x.shed)
	if x.poll != h.polls {
		grew = min(grew, e.rate)
	}
	x.tick += grew
	x.asked, x.shed, x.poll, x.told = e.asked, e.shed, h.polls+1, true
	if x.listed || name == "" || name[0] == '*' {
		return ""
	}
	x.listed = true
	return name
}

// mostHosts bounds what is remembered. Who is forgotten is told of again when it is
// above the rate.
const mostHosts = 8192

// forget ends a poll.
func (h *hosts) forget() {
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

// rotate ends a tick: those that asked for most, and those that are wanted.
func (h *hosts) rotate(wanted []shield.Key) []shield.Count {
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

func (x *host) count(k shield.Key) shield.Count {
	return shield.Count{
		Key: k, Name: x.name, Asked: x.tick, Total: uint32(x.total), Refused: uint32(x.refused), //nolint:gosec // modulo 2^32
	}
}

// nameOf is HAProxy's key; empty: it was never told of.
func (h *hosts) nameOf(k shield.Key) string {
	if x := h.by[k]; x != nil {
		return x.raw
	}
	return ""
}
