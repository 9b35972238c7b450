package failover

import (
	"cmp"
	"maps"
	"slices"

	"moonwatch/consensus"
	"moonwatch/member"
)

// Slots lists all slots, sorted by ID.
func (st *State) Slots() []*Slot {
	return slices.SortedFunc(maps.Values(st.s.Slots), func(a, b *Slot) int { return cmp.Compare(a.ID, b.ID) })
}

// Slot finds a slot.
func (st *State) Slot(id member.SlotID) (*Slot, bool) {
	s, ok := st.s.Slots[id]
	return s, ok
}

// slotOf finds the slot that a member occupies, nil if none.
func (st *State) slotOf(id member.ID) *Slot {
	u := st.s.Uses[id]
	if u == nil || u.Duty != Occupant {
		return nil
	}
	return st.s.Slots[u.Slot]
}

// Use is what a member is used for, the zero Use for one without a pool.
func (st *State) Use(id member.ID) Use {
	if u := st.s.Uses[id]; u != nil {
		return *u
	}
	return Use{}
}

// Cases lists the cases that are kept, oldest first.
func (st *State) Cases() []*Case {
	return slices.SortedFunc(maps.Values(st.s.Cases), func(a, b *Case) int { return cmp.Compare(a.ID, b.ID) })
}

// OpenCases lists the cases that go on, oldest first.
func (st *State) OpenCases() []*Case {
	var open []*Case
	for _, c := range st.s.Cases {
		if c.Open() {
			open = append(open, c)
		}
	}
	slices.SortFunc(open, func(a, b *Case) int { return cmp.Compare(a.ID, b.ID) })
	return open
}

// Case finds a case.
func (st *State) Case(id uint64) (*Case, bool) {
	c, ok := st.s.Cases[id]
	return c, ok
}

// Brake is the brake as it was last committed.
func (st *State) Brake() Brakes { return st.s.Brake }

// Serves reports whether a member should be running a slot's service now, so
// that its observers may check it: as occupant, or as the spare that a case is
// about to put in.
func (st *State) Serves(id member.ID) (pool member.Pool, slot member.SlotID, epoch member.SlotEpoch, ok bool) {
	u := st.s.Uses[id]
	if u == nil {
		return member.Pool{}, "", 0, false
	}
	s := st.s.Slots[u.Slot]
	if s == nil {
		return member.Pool{}, "", 0, false
	}
	pool, known := st.ledger.Fleet().Pool(s.Pool)
	if !known {
		return member.Pool{}, "", 0, false
	}
	switch u.Duty {
	case Occupant:
		// A service that nobody has started yet is not a service that fails, nor is
		// one that was stopped by order and is being started anew.
		return pool, u.Slot, s.Epoch, s.Started && (s.Anew == 0 || s.Unable)
	case Claimed:
		c := st.s.Cases[u.Case]
		return pool, u.Slot, c.NewEpoch, c.State == Verifying && c.Spare == id
	case Spare, Quarantined, BurnIn:
	}
	return member.Pool{}, "", 0, false
}

// Checked reports whether a member runs a service that can be checked from
// outside.
func (st *State) Checked(id member.ID) bool {
	pool, _, _, ok := st.Serves(id)
	return ok && pool.Checks.Outside()
}

// Ledger is the ledger that this state is a part of.
func (st *State) Ledger() *consensus.Ledger { return st.ledger }
