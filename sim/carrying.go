package sim

import (
	"slices"
	"time"

	"moonwatch/failover"
	"moonwatch/member"
)

// An address that moves with its slot is a door that each machine of a pool is for
// itself: what it was told stays in its kernel when the agent is gone, and is lost
// with its power.

// oldHabit is how long a member that hears nothing may go on as the occupant of a
// slot that was given away: it takes itself for isolated after 4 s, and clocks differ.
const oldHabit = 5 * time.Second

// carriedBy are the doors that a machine is itself.
func (w *World) carriedBy(m *machine) []failover.Door {
	var all []failover.Door
	for _, p := range w.fleet().Pools {
		for _, d := range p.Drivers {
			if d.Carried() && slices.Contains(w.fleet().Carriers(p), m.id) {
				all = append(all, failover.Door(p.Name+"/"+d.Door()+"@"+string(m.id)))
			}
		}
	}
	return all
}

// carrier is the machine that a door is, nil if it stands for itself.
func (w *World) carrier(d failover.Door) *machine {
	for _, m := range w.machines {
		if slices.Contains(w.carriedBy(m), d) {
			return m
		}
	}
	return nil
}

// carries reports whether a machine has a slot's address.
func (m *machine) carries(slot member.SlotID) bool {
	return m.on && slices.ContainsFunc(m.w.carriedBy(m), func(d failover.Door) bool {
		has, known := m.w.proxies[d][slot]
		return known && has.occupant == m.id && !has.drained
	})
}

// dropAddresses is what the loss of power does to them.
func (m *machine) dropAddresses() {
	for _, d := range m.w.carriedBy(m) {
		m.w.Forget(d)
	}
}

// carried looks for L2 at the addresses of slots: the occupant has it, and nobody
// else who could know.
func (l *look) carried() {
	for _, m := range l.w.machines {
		if len(l.w.carriedBy(m)) == 0 || !m.up() || !l.inTouch(m) || m.spoiled() {
			continue
		}
		for _, s := range l.st.Slots() {
			pool, _ := l.w.fleet().PoolOfSlot(s.ID)
			if !s.Started || !slices.ContainsFunc(pool.Drivers, member.Driver.Carried) {
				continue
			}
			if wants := s.Occupant == m.id && s.Away == nil; wants != m.carries(s.ID) {
				l.add("L2", "%s has the address of slot %s of %s: %t, want %t", m.id, s.ID, s.Occupant, !wants, wants)
			}
		}
	}
}
