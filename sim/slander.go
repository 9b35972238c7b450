package sim

import (
	"slices"
	"time"

	"moonwatch/agent"
	"moonwatch/member"
	"moonwatch/mind"
)

// A liar is an agent whose program or key is in wrong hands: its statements are
// signed, and not what it saw. It lies in what it says to the council, as an
// observer; a councillor among the liars still speaks raft's language truly.

// slanderSeq lifts a liar's statements above what its honest part has said and
// would say: the council takes the highest for the last.
const slanderSeq = 1 << 40

// against reports whether a machine lies about a subject.
func (m *machine) against(id member.ID) bool {
	return slices.ContainsFunc(m.lasting, func(f lastingFault) bool {
		return f.Do == Lie || f.Do == Defame && slices.Contains(f.Other, id)
	})
}

// slandered is a statement with every word turned against those that the
// machine lies about.
func (m *machine) slandered(st agent.Statement) agent.Statement {
	st.Seq = slanderSeq + uint64(m.w.now)
	st.Abstains, st.Unreachable = "", nil
	st.Votes = slices.Clone(st.Votes)
	for i, v := range st.Votes {
		if m.against(v.Subject) {
			v.Stance, v.Reason = agent.Down, agent.Silence
			v.Evidence.SilentFor = time.Minute
			st.Votes[i] = v
		}
	}
	return st
}

// slander lets a lying agent speak without being asked, twice a second.
func (m *machine) slander(life uint64) {
	if !m.lasting.holds(Lie) || m.life != life || m.mind == nil {
		return
	}
	st := agent.Statement{Observer: m.id, Incarnation: m.born, Life: 3 * time.Second}
	for _, x := range m.w.machines {
		if x != m && m.against(x.id) && len(st.Votes) < agent.MaxVotes {
			st.Votes = append(st.Votes, agent.Vote{
				Subject: x.id, Incarnation: x.born, Stance: agent.Down, Reason: agent.Silence,
				Evidence: agent.Evidence{SilentFor: time.Minute, LostRun: 9},
			})
		}
	}
	m.say(mind.SendStatement{Statement: st, To: m.mind.Ledger().Councillors()})
	m.w.after(500*time.Millisecond, func() { m.slander(life) })
}

// repent ends all lies: people install the true agent, and start it.
func (m *machine) repent() {
	m.endAgent()
	m.start(100 * time.Millisecond)
}
