package sim

import (
	"fmt"
	"time"

	"moonwatch/consensus"
	"moonwatch/failover"
	"moonwatch/mind"
)

// persist ends when the disk has it. A crash in between loses it.
func (m *machine) persist(e mind.Persist) {
	took := time.Duration(0)
	if e.Sync {
		took = m.w.chance.span(m.w.cfg.Disk.Sync, streamDisk, m.i)
	}
	m.written(took, func() {
		m.disk.persist(e.Persist)
		m.deliver(func(m *machine) { m.step(mind.DiskDone{Seq: e.Seq}) })
	})
}

// lazyAfter is how long what may be lost waits before it is written.
const lazyAfter = 20 * time.Millisecond

// lazily writes what can be had again: a crash before loses it.
func (m *machine) lazily(do func()) { m.written(lazyAfter, do) }

// written carries out a write after a while, later on a disk that stalls, and
// never if the agent has ended.
func (m *machine) written(took time.Duration, do func()) {
	life := m.life
	m.w.after(max(took, m.disk.stalled-m.w.now), func() {
		if m.life == life && m.mind != nil {
			do()
		}
	})
}

// act runs an installed action. Its effect comes once per key and try, as the
// driver's journal takes care of.
func (m *machine) act(e mind.DoStep) {
	key := fmt.Sprintf("%d/%d/%s/%s/%d/%d", e.Key.Case, e.Key.Attempt, e.Key.Step, e.Key.Slot, e.Key.Epoch, e.Try)
	if d, ok := m.disk.done[key]; ok {
		m.w.after(time.Millisecond, func() { m.acted(m.life, d) })
		return
	}
	m.w.checker.acts(m, e)
	m.w.note(m.i, "act "+key)
	m.w.tell(Happening{What: ActionBegan, Member: m.id, Step: &e.Key, Slot: e.Key.Slot})
	if e.Key.Step != failover.StepStop {
		m.disk.holding[e.Key.Slot] = max(m.disk.holding[e.Key.Slot], e.Key.Epoch)
	}
	took := m.w.chance.span(m.w.cfg.Action, streamAction, m.i)
	d := failover.StepDone{Key: e.Key, Result: failover.ResultDone, Took: took}
	m.complete(took, m.life, m.boots, key, d)
}

// complete lets an action have its effect. The program lives on when the agent
// dies, stands still with the machine, and ends with it.
func (m *machine) complete(after time.Duration, life, boots uint64, key string, d failover.StepDone) {
	m.w.after(after, func() {
		switch {
		case m.boots != boots || !m.on:
			return
		case m.w.now < m.halted:
			m.complete(m.halted-m.w.now, life, boots, key, d)
			return
		}
		k := d.Key
		if k.Step == failover.StepStop {
			if s := m.running[k.Slot]; s != nil && s.epoch <= k.Epoch {
				delete(m.running, k.Slot)
				m.w.tell(Happening{What: ServiceDown, Member: m.id, Slot: k.Slot})
			}
			if m.disk.holding[k.Slot] <= k.Epoch {
				delete(m.disk.holding, k.Slot)
			}
		} else {
			m.running[k.Slot] = &service{epoch: k.Epoch}
			m.w.tell(Happening{What: ServiceUp, Member: m.id, Slot: k.Slot})
			m.w.checker.serves(m, k.Slot, k.Epoch)
		}
		m.w.tell(Happening{What: ActionEnded, Member: m.id, Step: &k, Slot: k.Slot})
		m.ail()
		m.disk.done[key] = d
		m.acted(life, d)
	})
}

// acted tells the agent how its action ended, if it is still the same one.
func (m *machine) acted(life uint64, d failover.StepDone) {
	if m.life == life && m.mind != nil {
		m.deliver(func(m *machine) { m.step(mind.StepEnded{Done: d}) })
	}
}

// factsFrom are the facts that this machine can feed to others.
func (m *machine) factsFrom(from uint64) ([]consensus.Fact, bool) {
	if from <= m.disk.base {
		return nil, false
	}
	i := int(from - m.disk.base - 1)
	if i > len(m.disk.facts) {
		return nil, true
	}
	return m.disk.facts[i:], true
}
