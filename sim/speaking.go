package sim

import (
	"encoding/binary"
	"fmt"
	"time"

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
	if m.lies {
		st = slandered(st)
	}
	m.w.checker.said(m, st)
	raw := m.w.letters.write(st)
	for _, id := range e.To {
		m.w.datagram(m, id, func(x *machine) { x.step(mind.StatementCame{Statement: st, Raw: raw}) })
	}
}

func (m *machine) passOn(e mind.PassOn) {
	n := binary.BigEndian.Uint64(e.Raw)
	if st, ok := m.w.letters.open[n]; ok {
		m.w.datagram(m, e.To, func(x *machine) { x.step(mind.StatementCame{Statement: st, Raw: e.Raw, Forwarded: true}) })
	}
}

// slandered is a statement with every word turned against its subject.
func slandered(st agent.Statement) agent.Statement {
	st.Abstains, st.Unreachable = "", nil
	votes := make([]agent.Vote, len(st.Votes))
	for i, v := range st.Votes {
		v.Stance, v.Reason = agent.Down, agent.Silence
		v.Evidence.SilentFor = time.Minute
		votes[i] = v
	}
	st.Votes = votes
	return st
}

// slander lets a lying agent speak against everybody, without being asked,
// twice a second.
func (m *machine) slander(life uint64) {
	if !m.lies || m.life != life || m.mind == nil {
		return
	}
	st := agent.Statement{Observer: m.id, Incarnation: m.born, Seq: 1 << 40, Life: 3 * time.Second}
	for _, x := range m.w.machines {
		if x != m && len(st.Votes) < agent.MaxVotes {
			st.Votes = append(st.Votes, agent.Vote{
				Subject: x.id, Incarnation: x.born, Stance: agent.Down, Reason: agent.Silence,
				Evidence: agent.Evidence{SilentFor: time.Minute, LostRun: 9},
			})
		}
	}
	st.Seq += uint64(m.w.now)
	m.say(mind.SendStatement{Statement: st, To: m.mind.Ledger().Founders()})
	m.w.after(500*time.Millisecond, func() { m.slander(life) })
}

func (w *World) noteLed(m *machine, l mind.Led) {
	w.note(m.i, fmt.Sprintf("led by %q in term %d, quorum %v", l.Leader, l.Term, l.Quorum))
	w.tell(Happening{What: LedBy, Member: m.id, Led: &l})
}
