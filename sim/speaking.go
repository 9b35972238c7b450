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
	open map[uint64]agent.Statement
	n    uint64
}

// remembered is how many statements can be passed on: far more than are under
// way at any moment.
const remembered = 1 << 14

func (l *letters) write(s agent.Statement) []byte {
	l.n++
	l.open[l.n] = s
	delete(l.open, l.n-remembered)
	return binary.BigEndian.AppendUint64(nil, l.n)
}

// say sends a statement to the councillors.
func (m *machine) say(e mind.SendStatement) {
	st := e.Statement
	if len(m.lies) > 0 {
		st = m.slandered(st)
	}
	m.w.checker.said(m, st)
	raw, size := m.w.letters.write(st), statementBytes(&st)
	for _, id := range e.To {
		m.w.datagram(m, id, size, func(x *machine) {
			if x.met(m) {
				x.step(mind.StatementCame{Statement: st, Raw: raw})
			}
		})
	}
}

func (m *machine) passOn(e mind.PassOn) {
	n := binary.BigEndian.Uint64(e.Raw)
	if st, ok := m.w.letters.open[n]; ok {
		size := statementBytes(&st) + headBytes + len(m.id)
		m.w.datagram(m, e.To, size, func(x *machine) { x.step(mind.StatementCame{Statement: st, Raw: e.Raw, Forwarded: true}) })
	}
}

func (w *World) noteLed(m *machine, l mind.Led) {
	w.checker.led(m, l)
	w.note(m.i, fmt.Sprintf("led by %q in term %d, quorum %v", l.Leader, l.Term, l.Quorum))
	w.tell(Happening{What: LedBy, Member: m.id, Led: &l})
}
