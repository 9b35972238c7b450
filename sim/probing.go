package sim

import (
	"time"

	"moonwatch/agent"
	"moonwatch/member"
	"moonwatch/mind"
)

// What becomes of a probe is worked out when it is sent, if its round trip is
// quick; nothing that matters begins on the way. Such answers to the probes of
// one instant that come close together come as one event: by far most events
// would be answers else.
const (
	quick    = 30 * time.Millisecond
	together = 5 * time.Millisecond
)

// probe sends probes and brings back the answers.
func (m *machine) probe(probes []agent.Probe) {
	w := m.w
	w.probes += uint64(len(probes))
	var batches [quick/together + 1]batch
	for _, p := range probes {
		x := w.machines[w.index[p.Subject]]
		a, ok := m.reply(x, p)
		if w.baseline != nil {
			w.baseline.Probed(Probed{Observer: m.id, Subject: x.id, At: w.now, Answered: ok, RoundTrip: a.RTT})
		}
		switch {
		case !ok:
		case a.RTT > quick:
			m.answerLate(x, a)
		default:
			a.Incarnation, a.Report = x.born, x.report()
			batches[a.RTT/together].add(a, len(probes))
		}
	}
	for _, b := range batches {
		if len(b.answers) > 0 {
			w.after(b.last, func() { m.deliver(func(m *machine) { m.answered(b.answers) }) })
		}
	}
}

// batch is the answers that come together, with the last of them.
type batch struct {
	answers []agent.Answer
	last    time.Duration
}

func (b *batch) add(a agent.Answer, atMost int) {
	if b.answers == nil {
		b.answers = make([]agent.Answer, 0, atMost)
	}
	b.answers, b.last = append(b.answers, a), max(b.last, a.RTT)
}

// reply is what becomes of one probe: its answer, or false if it is lost. A
// member that stands still answers when it goes on.
func (m *machine) reply(x *machine, p agent.Probe) (agent.Answer, bool) {
	w := m.w
	if !m.knows(x) {
		return agent.Answer{}, false
	}
	m.count(probeBytes(m))
	there, ok := w.way(m.i, x.i)
	if !ok || !x.on || x.mind == nil {
		return agent.Answer{}, false
	}
	x.count(answerBytes(x))
	held := max(0, x.lag()-there)
	back, ok := w.way(x.i, m.i)
	return agent.Answer{Subject: p.Subject, Seq: p.Seq, RTT: there + held + back}, ok
}

// answerLate brings an answer that takes long: its sender stands still, or may
// be dead by then.
func (m *machine) answerLate(x *machine, a agent.Answer) {
	life := x.life
	m.w.after(a.RTT, func() {
		if x.life != life || x.mind == nil || m.w.severed(x.i, m.i) {
			return
		}
		a.Incarnation, a.Report = x.born, x.report()
		m.deliver(func(m *machine) { m.answered([]agent.Answer{a}) })
	})
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

// report is the member's own word about its services. It is asked for by every
// probe, so which slot is meant is worked out once per fact.
func (m *machine) report() agent.Report {
	if head := m.mind.Ledger().Head(); head != m.duty.head {
		_, slot, _, ok := m.mind.State().Serves(m.id)
		m.duty = duty{head: head, slot: slot, has: ok}
	}
	switch {
	case !m.duty.has:
		return agent.NoService
	case m.serves(m.duty.slot):
		return agent.ServiceGood
	default:
		return agent.ServiceBad
	}
}

// duty is the slot that a machine should serve, as of one fact.
type duty struct {
	head uint64
	slot member.SlotID
	has  bool
}

// check asks another member's service from outside.
func (m *machine) check(e mind.RunCheck) {
	w := m.w
	x := w.machines[w.index[e.Subject]]
	timeout := min(e.Timeout, e.Checks.Timeout())
	c := agent.Checked{Subject: e.Subject, Seq: e.Seq}
	there, ok1 := w.connect(m.i, x.i)
	back, ok2 := w.connect(x.i, m.i)
	took := there + back + time.Millisecond + x.slow.more
	switch s := x.running[e.Slot]; {
	case !ok1 || !ok2 || !x.on || !m.knows(x) || w.now < x.halted || took > timeout:
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
