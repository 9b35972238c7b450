package sim

import (
	"slices"
	"time"

	"moonwatch/failover"
	"moonwatch/mind"
)

// streamDriver decides which actions a driver's fault spoils.
const streamDriver = streamLanding + 1

// pollEvery is how often the daemon asks again for an action under way.
const pollEvery = time.Second

// act runs an installed action as the daemon does: the journal is asked first,
// and the program is killed at the deadline.
func (m *machine) act(e mind.DoStep) {
	if e.Key.Step == failover.StepTest {
		m.testItself(e)
		return
	}
	if e.Action == "power" && e.Key.Step == failover.StepFence {
		m.switchOff(e)
		return
	}
	name, j := nameOf(e.Key, e.Try), &m.disk.journal
	left := m.clock.lasts(max(0, e.Deadline.Sub(m.time())))
	if b := j.begun[e.Key.Slot]; b != nil && b.name == name {
		m.settle(e.Key, b)
		if j.begun[e.Key.Slot] == b { // begun by an earlier life, and its program runs
			m.poll(e, left)
			return
		}
	}
	if known, run := m.beginDeed(e.Key, name); !run {
		m.w.seldom("answered-by-journal")
		life := m.life
		m.w.after(time.Millisecond, func() { m.acted(life, known) })
		return
	}
	m.w.checker.acts(m, e)
	m.w.note(m.i, "act "+name)
	m.w.tell(Happening{What: ActionBegan, Member: m.id, Step: &e.Key, Slot: e.Key.Slot})
	if e.Key.Step != failover.StepStop {
		j.holding[e.Key.Slot] = max(j.holding[e.Key.Slot], e.Key.Epoch)
	}
	b := &deed{name: name, key: e.Key, life: m.life, boots: m.boots, deadline: m.w.now + left, runs: true}
	j.begun[e.Key.Slot] = b
	took, fate := m.slow.of(m.w.chance.span(m.w.cfg.Action, streamAction, m.i)), m.fate()
	if fate == HangActions || took >= left {
		fate, took = HangActions, left
	}
	m.run(b, e.Key, fate, took)
}

// poll asks for a step that an earlier life of the agent began.
func (m *machine) poll(e mind.DoStep, left time.Duration) {
	life := m.life
	m.w.after(min(left, pollEvery), func() {
		switch {
		case m.life != life || m.mind == nil:
		case left > pollEvery:
			m.act(e)
		default:
			m.acted(life, failover.StepDone{Key: e.Key, Result: failover.ResultAgain, Detail: "still under way at its deadline"})
		}
	})
}

// fate is what becomes of one action on this machine; empty: what should.
func (m *machine) fate() FaultKind {
	for _, f := range m.lasting {
		if !f.Do.spoils() {
			continue
		}
		if f.Share == 0 || m.w.chance.unit(streamDriver, m.i, 0) < f.Share {
			return f.Do
		}
	}
	return ""
}

// run lets a program run for a while and then come to its fate. It lives on
// when the agent dies, stands still with the machine, and ends with it.
func (m *machine) run(b *deed, k failover.StepKey, fate FaultKind, took time.Duration) {
	m.w.after(took, func() {
		switch {
		case m.boots != b.boots || !m.on || !b.runs:
			return
		case m.w.now < m.halted:
			m.run(b, k, fate, m.halted-m.w.now)
			return
		case fate == HangActions && m.life != b.life:
			return // whoever asks for it next kills it
		}
		b.runs = false
		d := failover.StepDone{Key: k, Took: took}
		switch fate {
		case HangActions:
			d.Result, d.Detail = failover.ResultUnknown, "killed at its deadline"
		case FailActions:
			d.Result, d.Detail = failover.ResultFailed, "exit status 1"
		case LyingActions:
			d.Result = failover.ResultDone
		case UnknownActions:
			m.takesEffect(k)
			d.Result, d.Detail = failover.ResultUnknown, "ended by a signal"
		default:
			d.Result = failover.ResultDone
			if !m.takesEffect(k) {
				d.Result, d.Detail = failover.ResultAgain, "the keeper has no lease for it"
			}
		}
		if k.Step == failover.StepStop && d.Result == failover.ResultDone && m.running[k.Slot] != nil {
			d.Result, d.Detail = failover.ResultUnknown, "stopped, and it serves"
			m.w.at(b.deadline, func() { m.finish(b, k, d) }) // the fence looks until its deadline
			return
		}
		m.finish(b, k, d)
	})
}

// abort kills a step's program, as the daemon does.
func (m *machine) abort(k failover.StepKey) {
	b := m.disk.journal.begun[k.Slot]
	if b == nil || b.life != m.life || !b.runs || b.key != k {
		return
	}
	b.runs = false
	m.w.after(time.Millisecond, func() {
		m.finish(b, k, failover.StepDone{Key: k, Result: failover.ResultUnknown, Detail: "killed: nobody wants it any more"})
	})
}

// takesEffect is what an action does to the services. It fails only where the keeper
// does not let a service start.
func (m *machine) takesEffect(k failover.StepKey) bool {
	m.ail()
	if k.Step == failover.StepPrepare {
		return true
	}
	if k.Step != failover.StepStop {
		return m.serviceStarts(k)
	}
	if s := m.running[k.Slot]; s != nil && s.epoch <= k.Epoch {
		delete(m.running, k.Slot)
		m.w.tell(Happening{What: ServiceDown, Member: m.id, Slot: k.Slot})
	}
	return true
}

// finish writes down how a step ended, if the agent that began it is there to
// see it, and tells it.
func (m *machine) finish(b *deed, k failover.StepKey, d failover.StepDone) {
	j := &m.disk.journal
	m.w.tell(Happening{What: ActionEnded, Member: m.id, Step: &k, Slot: k.Slot, Text: d.Detail})
	if m.life != b.life || m.mind == nil || j.begun[k.Slot] != b {
		return
	}
	delete(j.begun, k.Slot)
	j.done[b.name] = d
	if k.Step == failover.StepStop && d.Result == failover.ResultDone && j.holding[k.Slot] <= k.Epoch {
		delete(j.holding, k.Slot)
	}
	m.acted(b.life, d)
}

// acted tells the agent how its action ended, if it is still the same one.
func (m *machine) acted(life uint64, d failover.StepDone) {
	if m.life == life && m.mind != nil {
		m.deliver(func(m *machine) { m.step(mind.StepEnded{Done: d}) })
	}
}

// spoils reports that a fault is one of drivers: actions end otherwise than they
// should.
func (k FaultKind) spoils() bool {
	switch k {
	case HangActions, FailActions, LyingActions, UnknownActions:
		return true
	default:
		return false
	}
}

// spoiled reports that a fault of its drivers holds the machine.
func (m *machine) spoiled() bool {
	return slices.ContainsFunc(m.lasting, func(f lastingFault) bool { return f.Do.spoils() })
}
