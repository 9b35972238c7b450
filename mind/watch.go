package mind

import (
	"hash/fnv"
	"slices"
	"time"

	"moonwatch/agent"
	"moonwatch/consensus"
	"moonwatch/failover"
	"moonwatch/member"
)

// rewatch tells the observer whom to observe when the ledger has moved.
func (m *Mind) rewatch() {
	if m.watched == m.ledger.Head() {
		return
	}
	m.watched = m.ledger.Head()
	overlay := m.ledger.Overlay()
	w := agent.Watch{Roster: m.ledger.Roster(), Councillors: m.ledger.Councillors()}
	if m.ledger.Roster().Index(m.cfg.Self) < 0 {
		// Unlisted: it probes nothing and votes nowhere.
		w.Councillors = nil
	}
	for _, id := range overlay.SubjectsOf(m.cfg.Self) {
		s := agent.Subject{ID: id, Service: m.state.Checked(id)}
		s.Calm = s.Service && m.checksInCalm(id)
		w.Subjects = append(w.Subjects, s)
	}
	m.observe(w)
}

// checksInCalm reports whether this agent is one of the few that check a
// service while nothing is wrong: the first observers, counted from a place
// that depends on the subject, that are not under a verdict themselves.
func (m *Mind) checksInCalm(subject member.ID) bool {
	observers := m.ledger.Overlay().ObserversOf(subject)
	if len(observers) == 0 {
		return false
	}
	h := fnv.New32a()
	h.Write([]byte(subject))
	at := int(h.Sum32() % uint32(len(observers)))
	n := 0
	for i := range observers {
		id := observers[(at+i)%len(observers)]
		if s, ok := m.ledger.Standing(id); ok && s.Kind.Silences() {
			continue
		}
		if id == m.cfg.Self {
			return true
		}
		if n++; n == m.cfg.Agent.Checkers {
			return false
		}
	}
	return false
}

// Ledger is the agent's copy of the ledger. It is read between Steps only.
func (m *Mind) Ledger() *consensus.Ledger { return m.ledger }

// State is the fold of slots, cases, spares and brake.
func (m *Mind) State() *failover.State { return m.state }

// Awaits reports whether this agent waits for a councillor to acknowledge its
// statement of this number.
func (m *Mind) Awaits(seq uint64) bool { return m.observer.Awaits(seq) }

// Leading reports who leads, and whether the council has a quorum, as far as
// this agent knows.
func (m *Mind) Leading() Led { return m.led }

// Councillor reports whether this agent sits in the council and votes there.
func (m *Mind) Councillor() bool {
	if m.council == nil {
		return false
	}
	id := m.council.Seat().ID
	return slices.ContainsFunc(m.ledger.Seats().Voters, func(s consensus.Seat) bool { return s.ID == id })
}

// Mode is how much is allowed now, as this agent sees it, and since when the
// council has been out of reach if it is.
func (m *Mind) Mode() (mode failover.Mode, since time.Time) {
	if !m.led.Quorum {
		return failover.Isolated, m.quorumAt
	}
	s := m.state.Brake().In(failover.Fleet)
	return s.Mode, s.Since
}

// Accused lists the members in trouble that no verdict covers yet, on the
// leader; nil elsewhere.
func (m *Mind) Accused() []member.ID { return slices.Clone(m.tally.Open(m.now)) }

// Wants is how many commands this agent wants to see in the ledger and does not
// yet: its own, and those that others handed in through it.
func (m *Mind) Wants() int { return len(m.wants.list) }

// TakeReplayed gives the facts that were found on the disk, with their
// outcomes, and forgets them: whoever shows facts begins with these.
func (m *Mind) TakeReplayed() []consensus.Fact {
	facts := m.replayed
	m.replayed = nil
	return facts
}
