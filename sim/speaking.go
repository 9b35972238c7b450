package sim

import (
	"encoding/binary"
	"fmt"

	"moonwatch/agent"
	"moonwatch/mind"
)

// letters remembers what the raw bytes of statements stand for, so that a
// councillor can pass one on unchanged.
type letters struct {
	ring []letter // the n-th stands at n modulo its full length
	n    uint64   // of the next one
}

// letter is a statement on its way: as it comes from its observer, and as it
// comes from a councillor that passes it on. Each is the same event for all who
// hear it.
type letter struct {
	bytes    int // of the statement
	straight mind.Event
	passedOn mind.Event
}

// remembered is how many statements can be passed on: far more than are under
// way at any moment.
const remembered = 1 << 14

func (l *letters) write(s agent.Statement) *letter {
	if len(l.ring) < remembered {
		l.ring = append(l.ring, letter{})
	}
	x := &l.ring[l.n%remembered]
	raw := binary.BigEndian.AppendUint64(nil, l.n)
	*x = letter{bytes: statementBytes(&s), straight: mind.StatementCame{Statement: s, Raw: raw}}
	l.n++
	return x
}

// read is the letter that the bytes stand for, nil if it was forgotten.
func (l *letters) read(raw []byte) *letter {
	n := binary.BigEndian.Uint64(raw)
	if n >= l.n || n+remembered < l.n {
		return nil
	}
	return &l.ring[n%remembered]
}

// forwarded is the letter as a councillor passes it on.
func (x *letter) forwarded() mind.Event {
	if x.passedOn == nil {
		came := x.straight.(mind.StatementCame)
		came.Forwarded = true
		x.passedOn = came
	}
	return x.passedOn
}

// say sends a statement to the councillors.
func (m *machine) say(e mind.SendStatement) {
	st := e.Statement
	if m.lasting.holds(Lie) {
		st = m.slandered(st)
	}
	m.w.checker.said(m, st)
	m.w.checker.polls.hears(m, e.Statement) // its own word, if it leads: it hears itself truly
	letter := m.w.letters.write(st)
	came := letter.straight
	for _, id := range e.To {
		m.w.datagram(m, id, letter.bytes, func(x *machine) {
			if x.met(m) {
				x.step(came)
			}
		})
	}
}

func (m *machine) passOn(e mind.PassOn) {
	if letter := m.w.letters.read(e.Raw); letter != nil {
		came := letter.forwarded()
		m.w.datagram(m, e.To, letter.bytes+headBytes+len(m.id), func(x *machine) { x.step(came) })
	}
}

// acknowledge tells an observer that its statement has come. Most statements are
// renewals that wait for no acknowledgement; theirs are sent, and cost what they
// cost, and are not carried: at the other end they would change nothing.
func (m *machine) acknowledge(e mind.Acknowledge) {
	var do func(*machine)
	if x, ok := m.w.index[e.To]; ok && m.w.machines[x].awaits(e.Seq) {
		ack := agent.Acknowledged{By: m.id, Seq: e.Seq}
		do = func(x *machine) { x.step(mind.Observed{Event: ack}) }
	}
	m.w.datagram(m, e.To, sealBytes+headBytes+len(m.id)+seqBytes, do)
}

func (m *machine) awaits(seq uint64) bool { return m.mind != nil && m.mind.Awaits(seq) }

func (w *World) noteLed(m *machine, l mind.Led) {
	w.checker.led(m, l)
	w.note(m.i, fmt.Sprintf("led by %q in term %d, quorum %v", l.Leader, l.Term, l.Quorum))
	w.tell(Happening{What: LedBy, Member: m.id, Led: &l})
}
