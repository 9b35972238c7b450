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
	ring []agent.Statement // the n-th stands at n modulo its full length
	n    uint64            // of the next one
}

// remembered is how many statements can be passed on: far more than are under
// way at any moment.
const remembered = 1 << 14

func (l *letters) write(s agent.Statement) []byte {
	if len(l.ring) < remembered {
		l.ring = append(l.ring, s)
	} else {
		l.ring[l.n%remembered] = s
	}
	l.n++
	return binary.BigEndian.AppendUint64(nil, l.n-1)
}

// read is the statement that the bytes stand for; false if it was forgotten.
func (l *letters) read(raw []byte) (agent.Statement, bool) {
	n := binary.BigEndian.Uint64(raw)
	if n >= l.n || n+remembered < l.n {
		return agent.Statement{}, false
	}
	return l.ring[n%remembered], true
}

// say sends a statement to the councillors.
func (m *machine) say(e mind.SendStatement) {
	st := e.Statement
	if len(m.lies) > 0 {
		st = m.slandered(st)
	}
	m.w.checker.said(m, st)
	size := statementBytes(&st)
	var came mind.Event = mind.StatementCame{Statement: st, Raw: m.w.letters.write(st)}
	for _, id := range e.To {
		m.w.datagram(m, id, size, func(x *machine) {
			if x.met(m) {
				x.step(came)
			}
		})
	}
}

func (m *machine) passOn(e mind.PassOn) {
	if st, ok := m.w.letters.read(e.Raw); ok {
		size := statementBytes(&st) + headBytes + len(m.id)
		m.w.datagram(m, e.To, size, func(x *machine) { x.step(mind.StatementCame{Statement: st, Raw: e.Raw, Forwarded: true}) })
	}
}

func (w *World) noteLed(m *machine, l mind.Led) {
	w.checker.led(m, l)
	w.note(m.i, fmt.Sprintf("led by %q in term %d, quorum %v", l.Leader, l.Term, l.Quorum))
	w.tell(Happening{What: LedBy, Member: m.id, Led: &l})
}
