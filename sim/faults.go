package sim

import (
	"time"

	"moonwatch/failover"
	"moonwatch/member"
)

func (w *World) machine(id member.ID) *machine { return w.machines[w.index[id]] }

// Crash takes a machine's power: agent and services are gone at once.
func (w *World) Crash(id member.ID) {
	m := w.machine(id)
	w.note(m.i, "crash")
	m.on, m.mind, m.waiting = false, nil, nil
	m.life++
	m.paused = 0
	m.crashed = w.now
	clear(m.running)
}

// Boot gives a crashed machine its power back; its services do not start by
// themselves.
func (w *World) Boot(id member.ID) {
	m := w.machine(id)
	w.note(m.i, "boot")
	m.on = true
	m.start(100 * time.Millisecond)
}

// KillAgent ends the agent alone; the services live on.
func (w *World) KillAgent(id member.ID) {
	m := w.machine(id)
	w.note(m.i, "kill agent")
	m.mind, m.waiting = nil, nil
	m.life++
	m.crashed = w.now
}

// StartAgent starts a killed agent again.
func (w *World) StartAgent(id member.ID) { w.machine(id).start(100 * time.Millisecond) }

// Pause stops the whole machine for a while, as a live migration does.
func (w *World) Pause(id member.ID, d time.Duration) {
	m := w.machine(id)
	w.note(m.i, "pause")
	m.paused = max(m.paused, w.now+d)
	m.crashed = w.now
	life := m.life
	w.at(m.paused, func() {
		if m.life != life || m.mind == nil || w.now < m.paused {
			return
		}
		waiting := m.waiting
		m.waiting = nil
		for _, do := range waiting {
			do(m)
		}
	})
}

// KillService ends a member's service; the agent lives on.
func (w *World) KillService(id member.ID) {
	m := w.machine(id)
	w.note(m.i, "kill service")
	m.crashed = w.now
	clear(m.running)
}

// StallDisk lets no write of a member end for a while.
func (w *World) StallDisk(id member.ID, d time.Duration) {
	m := w.machine(id)
	w.note(m.i, "stall disk")
	m.disk.stalled = w.now + d
}

// Leader is the member that leads the council, as itself and a majority of the
// running councillors see it; empty if there is none.
func (w *World) Leader() member.ID {
	for _, m := range w.machines {
		if m.up() && m.mind.Councillor() && m.mind.Leading().Leader == m.id {
			return m.id
		}
	}
	return ""
}

// Occupants lists who occupies which slot, in the eyes of the best informed
// agent.
func (w *World) Occupants() map[member.SlotID]member.ID {
	out := map[member.SlotID]member.ID{}
	if s := w.best(); s != nil {
		for _, x := range s.Slots() {
			out[x.ID] = x.Occupant
		}
	}
	return out
}

// best is the state of the agent that knows most.
func (w *World) best() *failover.State {
	var best *machine
	for _, m := range w.machines {
		if m.mind != nil && (best == nil || m.mind.Ledger().Head() > best.mind.Ledger().Head()) {
			best = m
		}
	}
	if best == nil {
		return nil
	}
	return best.mind.State()
}

// Served reports whether a slot's occupant really runs its service.
func (w *World) Served(slot member.SlotID) bool {
	id := w.Occupants()[slot]
	if id == "" {
		return false
	}
	m := w.machine(id)
	s := m.running[slot]
	return m.on && w.now >= m.paused && s != nil && !s.sick
}
