package failover

import (
	"slices"
	"time"

	"moonwatch/consensus"
	"moonwatch/member"
)

// Replacements that fall soon after they went live say that replacing makes it worse:
// what felled the occupant may be what the slot serves. Two of them are a cascade
// (PROTOCOL 7).

// Death is the verdict down on a replacement that had gone live shortly before.
type Death struct {
	At   time.Time          `json:"at"`   // as the brake counts it
	Life member.Incarnation `json:"life"` // that was condemned
}

// diedSoon books a verdict that says so of the occupant of a slot.
func (st *State) diedSoon(f consensus.Fact, x consensus.Finding) {
	s, window := st.slotOf(x.Subject), st.timing().DeadReplaced
	if s == nil || x.Kind != consensus.VerdictDown || s.LiveAt.IsZero() || f.Time.Sub(s.LiveAt) >= window {
		return
	}
	st.s.Dead = append(within(st.s.Dead, f.Time, window), f.Time)
	s.Died = &Death{At: f.Time, Life: x.Incarnation}
}

// undead takes a death back with the verdict that it was booked for: the replacement
// was well again before anything was done about it. One that is back in another life, or
// that is up after a while, did die, and what is found of it later is another matter.
func (st *State) undead(x consensus.Finding) {
	s := st.slotOf(x.Subject)
	if s == nil || s.Died == nil {
		return
	}
	death := *s.Died
	s.Died = nil
	if !x.Withdrawn || x.Incarnation != death.Life {
		return
	}
	if i := slices.IndexFunc(st.s.Dead, death.At.Equal); i >= 0 {
		st.s.Dead = slices.Delete(slices.Clone(st.s.Dead), i, i+1) // others of this process may share it
	}
}

// replacementsDied counts the deaths that the brake still goes by.
func (st *State) replacementsDied(now time.Time) int {
	return len(within(st.s.Dead, now, st.timing().DeadReplaced))
}
