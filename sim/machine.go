package sim

import (
	"encoding/binary"
	"fmt"
	"time"

	"moonwatch/agent"
	"moonwatch/consensus"
	"moonwatch/failover"
	"moonwatch/member"
	"moonwatch/mind"
)

// machine is one member: its agent, its disk, the services on it.
type machine struct {
	w       *World
	i       int
	id      member.ID
	on      bool // the machine has power
	life    uint64
	mind    *mind.Mind // nil: the agent does not run
	paused  time.Duration
	waiting []func(*machine) // what arrived while it was paused
	disk    *disk
	running map[member.SlotID]*service
	wakeAt  time.Duration
	feed    feed
	crashed time.Duration // when it was last lost, for the checkers
}

// service is one slot's service process on a machine.
type service struct {
	epoch member.SlotEpoch
	sick  bool // runs and fails its check
}

// up reports that the agent runs and is not paused.
func (m *machine) up() bool { return m.on && m.mind != nil && m.w.now >= m.paused }

// start brings the agent up after a while.
func (m *machine) start(after time.Duration) {
	m.w.after(after, func() {
		if !m.on || m.mind != nil {
			return
		}
		m.life++
		id := member.Incarnation(m.life)<<20 | member.Incarnation(m.w.now/time.Millisecond)
		cfg := mind.Default(m.id, id)
		if m.w.cfg.Mind != nil {
			cfg = m.w.cfg.Mind(m.id, id)
		}
		x, err := mind.New(cfg, m.disk.boot(), m.w.time())
		if err != nil {
			m.w.checker.fail("start of %s: %v", m.id, err)
			return
		}
		m.mind = x
		m.w.note(m.i, "start")
		m.feed = feed{life: m.life}
		m.wakeAt = 0
		m.step(mind.Woken{})
		m.follow(m.life)
	})
}

// deliver hands over what arrived; a paused machine gets it when it goes on, a
// dead one never.
func (m *machine) deliver(do func(*machine)) {
	switch {
	case !m.on || m.mind == nil:
	case m.w.now < m.paused:
		if len(m.waiting) < 4096 { // the kernel's buffers are finite too
			m.waiting = append(m.waiting, do)
		}
	default:
		do(m)
	}
}

// step gives the mind one event and carries out what it says.
func (m *machine) step(ev mind.Event) {
	if !m.up() {
		return
	}
	for _, e := range m.mind.Step(m.w.time(), ev) {
		m.carryOut(e)
	}
	m.arm()
}

// arm schedules the next wake. Later ones that were scheduled before find that
// there is nothing to do.
func (m *machine) arm() {
	at := m.mind.Wake().Sub(m.w.epoch)
	if at <= m.w.now {
		at = m.w.now + time.Microsecond
	}
	if m.wakeAt > m.w.now && m.wakeAt <= at {
		return
	}
	m.wakeAt = at
	life := m.life
	m.w.at(at, func() {
		if m.life != life || m.mind == nil || m.wakeAt != m.w.now {
			return
		}
		if m.w.now < m.paused {
			m.wakeAt = m.paused
			m.w.at(m.paused, func() { m.wake(life) })
			return
		}
		m.wake(life)
	})
}

func (m *machine) wake(life uint64) {
	if m.life == life && m.mind != nil {
		m.wakeAt = 0
		m.step(mind.Woken{})
	}
}

// carryOut does in the model what the daemon does in the world.
func (m *machine) carryOut(e mind.Effect) {
	w := m.w
	switch e := e.(type) {
	case mind.SendProbes:
		m.probe(e.Probes)
	case mind.RunCheck:
		m.check(e)
	case mind.SendStatement:
		w.letterN++
		n := w.letterN
		w.letters[n] = e.Statement
		delete(w.letters, n-1<<16)
		raw := binary.BigEndian.AppendUint64(nil, n)
		for _, id := range e.To {
			w.datagram(m, id, func(x *machine) { x.step(mind.StatementCame{Statement: e.Statement, Raw: raw}) })
		}
	case mind.PassOn:
		st, ok := w.letters[binary.BigEndian.Uint64(e.Raw)]
		if ok {
			w.datagram(m, e.To, func(x *machine) { x.step(mind.StatementCame{Statement: st, Raw: e.Raw, Forwarded: true}) })
		}
	case mind.Acknowledge:
		w.datagram(m, e.To, func(x *machine) {
			x.step(mind.Observed{Event: agent.Acknowledged{By: m.id, Seq: e.Seq}})
		})
	case mind.TellPresence:
		w.datagram(m, e.To, func(x *machine) { x.step(mind.PresenceCame{Members: e.Members, Forwarded: true}) })
	case mind.SendRollCall:
		for _, id := range e.To {
			w.datagram(m, id, func(x *machine) { x.step(mind.Observed{Event: agent.RollCalled{Call: e.Call}}) })
		}
	case mind.SendRaft:
		w.stream(m, e.To, func(x *machine) { x.step(mind.RaftCame{Message: e.Message}) })
	case mind.Persist:
		m.persist(e)
	case mind.Keep:
		m.disk.keep(e.Facts)
	case mind.KeepSnapshot:
		m.disk.keepSnapshot(e)
	case mind.DoStep:
		m.act(e)
	case mind.Submit:
		w.stream(m, e.To, func(x *machine) { x.step(mind.Submitted{Command: e.Command}) })
	case mind.Applied:
		for _, f := range e.Facts {
			w.checker.applied(m, f)
		}
		m.push()
	case mind.Led:
		w.note(m.i, fmt.Sprintf("led by %q in term %d, quorum %v", e.Leader, e.Term, e.Quorum))
	case mind.Noted:
	case mind.Broken:
		w.checker.fail("%v", e.Err)
	}
}

// quick round trips are answered in one event: an observer's probes of one
// instant to members that are well come back together.
const quick = 5 * time.Millisecond

func (m *machine) probe(probes []agent.Probe) {
	w := m.w
	var batch []agent.Answer
	var last time.Duration
	for _, p := range probes {
		i := w.index[p.Subject]
		x := w.machines[i]
		there, ok := w.way(m.i, i)
		if !ok || !x.on || x.mind == nil {
			continue
		}
		held := max(0, x.paused-w.now-there)
		back, ok := w.way(i, m.i)
		if !ok {
			continue
		}
		a := agent.Answer{Subject: p.Subject, Seq: p.Seq, RTT: there + held + back}
		if a.RTT <= quick {
			a.Incarnation, a.Report = x.incarnation(), x.report()
			batch = append(batch, a)
			last = max(last, a.RTT)
			continue
		}
		life := x.life
		w.after(a.RTT, func() {
			if x.mind == nil || x.life != life {
				return
			}
			a.Incarnation, a.Report = x.incarnation(), x.report()
			m.deliver(func(m *machine) { m.answered([]agent.Answer{a}) })
		})
	}
	if len(batch) > 0 {
		w.after(last, func() { m.deliver(func(m *machine) { m.answered(batch) }) })
	}
}

func (m *machine) answered(answers []agent.Answer) {
	m.step(mind.Observed{Event: agent.ProbesAnswered{Answers: answers}})
	if m.up() && m.mind.Councillor() {
		ids := make([]member.ID, len(answers))
		for i, a := range answers {
			ids[i] = a.Subject
		}
		m.step(mind.PresenceCame{Members: ids})
	}
}

func (m *machine) incarnation() member.Incarnation { return member.Incarnation(m.life) }

// report is the member's own word about its services.
func (m *machine) report() agent.Report {
	_, slot, _, ok := m.mind.State().Serves(m.id)
	if !ok {
		return agent.NoService
	}
	if s := m.running[slot]; s != nil && !s.sick {
		return agent.ServiceGood
	}
	return agent.ServiceBad
}

// check asks another member's service from outside.
func (m *machine) check(e mind.RunCheck) {
	w := m.w
	x := w.machines[w.index[e.Subject]]
	timeout := min(e.Timeout, e.Checks.Timeout())
	c := agent.Checked{Subject: e.Subject, Seq: e.Seq}
	there, ok1 := w.way(m.i, x.i)
	back, ok2 := w.way(x.i, m.i)
	took := there + back + time.Millisecond
	switch s := x.running[e.Slot]; {
	case !ok1 || !ok2 || !x.on || w.now < x.paused || took > timeout:
		c.Silent, took = true, timeout
		c.Detail = "no answer"
	case s == nil:
		c.Detail = "connection refused"
	case s.sick:
		c.Detail = "status 503"
	default:
		c.Good = true
	}
	w.after(took, func() { m.deliver(func(m *machine) { m.step(mind.Observed{Event: c}) }) })
}

// persist ends when the disk has it. A crash in between loses it.
func (m *machine) persist(e mind.Persist) {
	took := time.Duration(0)
	if e.Sync {
		s := m.w.cfg.Disk.Sync
		took = s.Min
		if s.Max > s.Min {
			took += time.Duration(m.w.chance.next(streamDisk, m.i, 0) % uint64(s.Max-s.Min))
		}
	}
	took = max(took, m.disk.stalled-m.w.now)
	life := m.life
	m.w.after(took, func() {
		if m.life != life || m.mind == nil {
			return
		}
		m.disk.persist(e.Persist)
		m.deliver(func(m *machine) { m.step(mind.DiskDone{Seq: e.Seq}) })
	})
}

// act runs an installed action: its effect comes once per key and try, as the
// driver's journal takes care of.
func (m *machine) act(e mind.DoStep) {
	k := e.Key
	key := fmt.Sprintf("%d/%d/%s/%s/%d/%d", k.Case, k.Attempt, k.Step, k.Slot, k.Epoch, e.Try)
	life := m.life
	end := func(d failover.StepDone) {
		if m.life == life && m.mind != nil {
			m.deliver(func(m *machine) { m.step(mind.StepEnded{Done: d}) })
		}
	}
	if d, ok := m.disk.done[key]; ok {
		m.w.after(time.Millisecond, func() { end(d) })
		return
	}
	m.w.checker.acts(m, e)
	m.w.note(m.i, "act "+key)
	if k.Step != failover.StepStop {
		m.disk.holding[k.Slot] = max(m.disk.holding[k.Slot], k.Epoch)
	}
	s := m.w.cfg.Action
	took := s.Min + time.Duration(m.w.chance.next(streamAction, m.i, 0)%uint64(max(1, s.Max-s.Min)))
	d := failover.StepDone{Key: k, Result: failover.ResultDone, Took: took}
	// The program lives on when the agent dies, and ends with the machine.
	m.w.after(took, func() {
		if !m.on {
			return
		}
		if k.Step == failover.StepStop {
			if r := m.running[k.Slot]; r != nil && r.epoch <= k.Epoch {
				delete(m.running, k.Slot)
			}
			if m.disk.holding[k.Slot] <= k.Epoch {
				delete(m.disk.holding, k.Slot)
			}
		} else {
			m.running[k.Slot] = &service{epoch: k.Epoch}
		}
		m.disk.done[key] = d
		end(d)
	})
}

// consensusFacts are the facts that this machine can feed to others.
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
