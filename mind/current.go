package mind

import (
	"time"

	"moonwatch/consensus"
)

// What is told to this very machine (an address of a slot) has nobody behind it who
// refuses an old slot epoch: so it is told by a ledger that is current, and an agent that
// comes back has an old one. A follower's is current when that of whoever feeds it is, and
// it has all that that one has. A councillor's is when it has applied whatever was agreed
// when it asked, which it does once it is in touch again: that it hears a leader says
// nothing about what its log still lacks.

// catchUp is how long an agent that comes back into touch takes its ledger for an old
// one: facts that it missed arrive within it, from a feeder or from raft.
const catchUp = time.Second

// current is what an agent knows of that.
type current struct {
	known  uint64    // ledger head of whoever spoke of the quorum last
	behind bool      // whose own ledger is not current
	round  uint64    // of the last question to the council
	asked  time.Time // when it was asked
	caught time.Time // the touch in which a question was answered
}

// Current reports that this agent's ledger is as new as it can know: it is in touch
// with a quorum of the council, has been for a while, and has what the council, or
// whoever feeds it, had then.
func (m *Mind) Current() bool {
	switch {
	case !m.led.Quorum || m.led.Stuck, m.now.Sub(m.quorumAt) >= m.cfg.IsolatedAfter, m.now.Sub(m.touched) < catchUp:
		return false
	case m.council != nil:
		return m.current.caught.Equal(m.touched) || !m.state.Carries()
	default:
		return !m.current.behind && m.ledger.Head() >= m.current.known
	}
}

// askAhead asks the council for whatever is agreed now, where something hangs on it. The
// question may be lost with a leader, and is asked again.
func (m *Mind) askAhead() {
	c := &m.current
	if m.council == nil || !m.led.Quorum || c.caught.Equal(m.touched) || !m.state.Carries() || m.now.Sub(c.asked) < m.cfg.Repropose {
		return
	}
	if c.asked.Before(m.touched) || c.round == 0 {
		c.round++ // what an older question brings was agreed before it was in touch
	}
	c.asked = m.now
	m.councilStep(consensus.AskAhead{Round: c.round})
}

// cameUp takes the answer: this ledger has all that was agreed at the question.
func (m *Mind) cameUp(round uint64) {
	if c := &m.current; round == c.round && !c.asked.Before(m.touched) {
		c.caught = m.touched
	}
}
