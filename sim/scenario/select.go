package scenario

import (
	"fmt"
	"slices"

	"moonwatch/failover"
	"moonwatch/member"
	"moonwatch/sim"
)

// eye resolves selectors with what is known at a moment: beforehand the fleet,
// and in a running world also who leads, occupies and observes.
type eye struct {
	g      *ground
	w      *sim.World             // nil: beforehand
	struck map[string][]member.ID // by the name of a step; without an entry it is not known yet
	short  []string               // selectors that found fewer than they draw
}

// whom are the members that the selectors mean together, without the excepted
// ones, sorted. It is not ok if that cannot be known yet. Excepted members are
// not drawn either: random:3 draws three others.
func (e *eye) whom(d *dice, sels, except []Selector) (ids []member.ID, ok bool) {
	out := map[member.ID]bool{}
	for _, s := range except {
		more, ok := e.one(d, s, nil)
		if !ok {
			return nil, false
		}
		for _, id := range more {
			out[id] = true
		}
	}
	for _, s := range sels {
		more, ok := e.one(d, s, out)
		if !ok {
			return nil, false
		}
		ids = append(ids, more...)
	}
	slices.Sort(ids)
	return slices.Compact(ids), true
}

// one resolves one selector.
func (e *eye) one(d *dice, s Selector, out map[member.ID]bool) ([]member.ID, bool) {
	ids, ok := e.candidates(d, s, out)
	if !ok {
		return nil, false
	}
	ids = slices.DeleteFunc(slices.Clone(ids), func(id member.ID) bool { return out[id] })
	if s.draws() {
		slices.Sort(ids)
		n := s.amount(len(ids), len(e.g.council))
		if n > len(ids) {
			e.short = append(e.short, fmt.Sprintf("%s had %d to draw from", s, len(ids)))
		}
		ids = some(d, ids, n)
	}
	return ids, true
}

// amount is how many of n candidates a selector draws.
func (s Selector) amount(n, council int) int {
	switch {
	case s.kind == minority:
		return (council - 1) / 2
	case s.kind == majority:
		return council/2 + 1
	case s.count > 0:
		return s.count
	case s.kind == halfOf:
		return n / 2
	default:
		return max(1, int(s.share*float64(n)+1e-9))
	}
}

// candidates are the members that a selector names, or draws among.
func (e *eye) candidates(d *dice, s Selector, out map[member.ID]bool) ([]member.ID, bool) {
	switch s.kind {
	case byMember:
		id, ok := e.g.member(s.name)
		return []member.ID{id}, ok
	case byDomain:
		return e.g.that(func(m member.Member) bool { return string(m.Domain) == s.name }), true
	case byPool:
		return e.g.that(func(m member.Member) bool { return m.Pool == s.name }), true
	case everybody:
		return e.g.ids(), true
	case theCouncil, minority, majority:
		return e.g.council, true
	case followers:
		return e.g.that(func(m member.Member) bool { return !slices.Contains(e.g.council, m.ID) }), true
	case byStep:
		ids, ok := e.struck[s.name]
		return ids, ok
	case byChance, halfOf:
		if s.of == nil {
			return e.g.ids(), true
		}
		return e.one(d, *s.of, out)
	case byObserving:
		return e.observers(d, *s.of)
	case theLeader, theSpares, theClaimed, occupants, bySlot:
		return e.now(s)
	default:
		return nil, true
	}
}

// now resolves what changes while a world runs.
func (e *eye) now(s Selector) ([]member.ID, bool) {
	if e.w == nil {
		return nil, false
	}
	var ids []member.ID
	switch s.kind {
	case theLeader:
		ids = append(ids, e.w.Leader())
	case bySlot:
		ids = append(ids, e.w.Occupant(member.SlotID(s.name)))
	case theSpares:
		ids = dutiful(e.w, failover.Spare)
	case theClaimed:
		ids = dutiful(e.w, failover.Claimed)
	default:
		ids = dutiful(e.w, failover.Occupant)
	}
	return slices.DeleteFunc(ids, func(id member.ID) bool { return id == "" }), true
}

// observers are all who observe one of the members that are meant.
func (e *eye) observers(d *dice, of Selector) ([]member.ID, bool) {
	whose, ok := e.one(d, of, nil)
	if !ok || e.w == nil {
		return nil, false
	}
	st := e.w.State()
	if st == nil || st.Ledger().Overlay() == nil {
		return nil, true
	}
	var ids []member.ID
	for _, id := range whose {
		ids = append(ids, st.Ledger().Overlay().ObserversOf(id)...)
	}
	slices.Sort(ids)
	return slices.Compact(ids), true
}
