package failover

import (
	"maps"
	"slices"
	"time"

	"moonwatch/member"
)

// Leased gives the executor the lease of its member: whether it holds that of a slot
// epoch, with time enough to begin something under it. Without one it starts no
// exclusive slot.
func (e *Executor) Leased(holds func(now time.Time, slot member.SlotID, epoch member.SlotEpoch) bool) {
	e.leased = holds
}

// again starts what the enforcer has stopped: the slot is still this member's, and
// it holds a lease of it again. No step of a case may be under way, for then the
// case says what is done.
func (e *Executor) again(now time.Time, due []DoStep) []DoStep {
	for _, slot := range slices.Sorted(maps.Keys(e.lapsed)) {
		l := e.lapsed[slot]
		s := e.st.slotOf(e.self)
		switch {
		case s == nil || s.ID != slot || s.Epoch != l.Epoch:
			continue // no longer its own; what may be left over is stopped anyway
		case !e.st.exclusive(slot):
			continue // nobody ends a replicated one
		case s.Case != 0 && e.st.s.Cases[s.Case].stepping():
			continue
		}
		due = append(due, e.want(StepKey{Step: StepActivate, Slot: slot, Epoch: l.Epoch, Attempt: l.Nth}, now.Add(e.st.timing().Activate)))
	}
	return due
}

// stepping reports that somebody is doing something about the slot by order of the
// case, or has.
func (c *Case) stepping() bool {
	switch c.State {
	case Opened, Draining, Held, Closed:
		return false
	default:
		return true
	}
}

// mayRun reports whether a step may begin as far as leases go: the service of an
// exclusive slot is started under a lease in hand and in no other way.
func (e *Executor) mayRun(now time.Time, k StepKey) bool {
	if k.Step == StepStop || k.Step == StepFence || k.Step == StepPrepare {
		return true
	}
	return !e.st.exclusive(k.Slot) || e.leased != nil && e.leased(now, k.Slot, k.Epoch)
}

// keeperStops reports a stop that is more than an action: an exclusive slot's
// enforcer ends it, whether or not the pool brings a program for that.
func (e *Executor) keeperStops(k StepKey) bool {
	return k.Step == StepStop && e.st.exclusive(k.Slot)
}

func (st *State) exclusive(slot member.SlotID) bool {
	pool, ok := st.ledger.Fleet().PoolOfSlot(slot)
	return ok && pool.Exclusive
}
