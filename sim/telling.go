package sim

import (
	"time"

	"moonwatch/failover"
	"moonwatch/member"
	"moonwatch/mind"
)

// proxies are the doors that members tell, as HAProxies, with what each of them
// has for a slot. They outlive every agent, and keep what they were told until
// they are made to forget.
type proxies map[failover.Door]map[member.SlotID]treated

type treated struct {
	epoch    member.SlotEpoch
	occupant member.ID
	drained  bool
}

// streamTelling decides how long telling a door takes.
const streamTelling = streamGossip + 1

// tellingTakes is how long a door takes to do as it is told.
var tellingTakes = Span{2 * time.Millisecond, 30 * time.Millisecond}

// Forget has a door forget everything, as a HAProxy that was started anew and has
// no files.
func (w *World) Forget(d failover.Door) { delete(w.proxies, d) }

// tellDoor tells a door as the daemon and its driver do. The faults of drivers
// meet doors as they meet actions.
func (m *machine) tellDoor(e mind.TellDoor) {
	m.w.checker.tells(m, e)
	life, fate := m.life, m.fate()
	took := m.slow.of(m.w.chance.span(tellingTakes, streamTelling, m.i))
	answer := failover.DoorAnswered{Asked: e.TellDoor, Took: took}
	left := m.clock.lasts(max(0, e.Deadline.Sub(m.time())))
	if fate == HangActions || took >= left {
		m.w.after(left, func() {
			answer.Result, answer.Detail = failover.ToldUnknown, "no answer"
			m.doorTold(life, answer)
		})
		return
	}
	m.w.after(took, func() {
		if m.life != life || m.mind == nil || !m.on {
			return // the agent is gone, and its connection with it
		}
		switch fate {
		case FailActions:
			answer.Result, answer.Detail = failover.ToldFailed, "not set up for this"
		case LyingActions:
			answer.Result = failover.ToldDone
		case UnknownActions:
			m.w.treat(e)
			answer.Result, answer.Detail = failover.ToldUnknown, "the answer was lost"
		default:
			answer.Result, answer.Mended = m.w.treat(e)
		}
		m.doorTold(life, answer)
	})
}

// treat is what a door does with what it is told.
func (w *World) treat(e mind.TellDoor) (result failover.TellResult, mended bool) {
	d := w.proxies[e.Door]
	if d == nil {
		d = map[member.SlotID]treated{}
		w.proxies[e.Door] = d
	}
	now, known := d[e.Slot]
	want := treated{e.Epoch, e.Occupant, e.Step == failover.TellDrain}
	if known && now.epoch > want.epoch {
		return failover.ToldRefused, false
	}
	d[e.Slot] = want
	return failover.ToldDone, e.Look && now != want
}

// doorTold tells the agent what came of telling a door, if it is still the same one.
func (m *machine) doorTold(life uint64, a failover.DoorAnswered) {
	if m.life == life && m.mind != nil {
		m.deliver(func(m *machine) { m.step(mind.DoorTold{Answer: a}) })
	}
}

// tells checks what a door is about to be told: only somebody who was given the
// slot, at the slot epoch at which that was agreed (promise 7).
func (c *checker) tells(m *machine, e mind.TellDoor) {
	c.look(ruleOrders)
	s := c.books.slots[e.Slot]
	if s == nil || s.past[e.Epoch] != e.Occupant {
		c.fail(ruleOrders, "%s tells door %s that slot %s is of %s at slot epoch %d, which nobody agreed", m.id, e.Door, e.Slot, e.Occupant, e.Epoch)
		return
	}
	if late := c.w.now - s.since; c.w.carrier(e.Door) == m && e.Occupant == m.id && e.Epoch != s.epoch && late > oldHabit {
		c.fail(ruleOrders, "%s takes the address of slot %s, which was given to %s %v ago", m.id, e.Slot, s.occupant, late)
	}
}

// doors looks for L2 at the doors that members tell: each sends requests to whom the ledger says, or
// the ledger says that it does not. A teller that does not run, or hears of no
// council, tells nobody anything.
func (l *look) doors() {
	l.carried()
	for _, d := range l.st.Doors(l.w.time()) {
		m := l.w.machine(d.Teller)
		if !m.up() || !l.inTouch(m) || m.spoiled() {
			continue
		}
		for _, b := range d.Behind {
			l.add("L2", "door %s does not know slot %s: %s", d.Door, b.Slot, b.Why)
		}
		for _, s := range l.st.Slots() {
			has, known := l.w.proxies[d.Door][s.ID]
			if l.w.carrier(d.Door) == nil && s.Pool == d.Pool && s.Started && (!known || has != treated{s.Epoch, s.Occupant, s.Drained}) {
				l.add("L2", "door %s has %s at slot epoch %d for slot %s of %s at %d", d.Door, has.occupant, has.epoch, s.ID, s.Occupant, s.Epoch)
			}
		}
	}
}
