package mind

import (
	"time"

	"moonwatch/consensus"
	"moonwatch/failover"
	"moonwatch/member"
)

// conducted steps the conductor and carries out what it says.
func (m *Mind) conducted(ev failover.ConductorEvent) {
	if !m.conducts() {
		return
	}
	for _, e := range m.conduct.Step(m.now, ev, m.tally.Open(m.now)) {
		switch e := e.(type) {
		case failover.ProposeFact:
			m.want(e.Kind, e.ID, e.Payload, 2*time.Second)
		case failover.LookAgain:
			m.tallied(consensus.Recall{Subject: e.Subject, All: e.All})
		}
	}
}

// conducts reports that this agent leads and may decide: not by a ledger that it does not
// understand, and not by a clock that is wrong or in doubt.
func (m *Mind) conducts() bool {
	return m.conduct != nil && m.ledger.Blocked() == "" && m.clock.right(m.cfg.ClockMax)
}

// execute carries out what the executor says.
func (m *Mind) execute(effects []failover.ExecutorEffect) {
	for _, e := range effects {
		switch e := e.(type) {
		case failover.DoStep:
			m.out = append(m.out, DoStep{DoStep: e})
		case failover.AbortStep:
			m.out = append(m.out, AbortStep{AbortStep: e})
		case failover.SendReport:
			if e.Report.Step == failover.StepTest {
				m.newest("self-test", failover.KindReport, e.ID, e.Report)
				continue
			}
			m.want(failover.KindReport, e.ID, e.Report, 0)
		case failover.SayFits:
			m.newest("fits/"+e.Fits.Pool, failover.KindFits, e.ID, e.Fits)
		}
	}
}

// tellDoors carries out what the teller says.
func (m *Mind) tellDoors(effects []failover.TellerEffect) {
	for _, e := range effects {
		switch e := e.(type) {
		case failover.TellDoor:
			m.out = append(m.out, TellDoor{TellDoor: e})
		case failover.SendTold:
			m.want(e.Kind, e.ID, e.Told, 0)
		}
	}
}

// councilStep steps the council and carries out what it says.
func (m *Mind) councilStep(ev consensus.CouncilEvent) {
	if m.council == nil {
		return
	}
	var reform *consensus.Committed
	for _, e := range m.council.Step(m.now, ev) {
		switch e := e.(type) {
		case consensus.Persist:
			m.out = append(m.out, Persist{Persist: e})
		case consensus.SendRaft:
			m.out = append(m.out, SendRaft{To: e.To, Message: e.Message})
		case consensus.Committed:
			m.commit(e)
			if e.Reforms {
				reform = &e
			}
		case consensus.Installed:
			m.installed(e.Ledger)
		case consensus.Led:
			m.elected(e)
		case consensus.Confirmed:
			if m.ledger.Blocked() == "" { // else it would not see a FENCING
				m.granted(m.lessor.Confirmed(m.now, e.Round))
			}
		case consensus.CameUp:
			m.cameUp(e.Round)
		case consensus.Noted:
			m.out = append(m.out, Noted{Text: e.Text})
		}
	}
	if reform != nil {
		m.reformed(*reform)
	}
}

// installed takes the whole ledger that raft brought.
func (m *Mind) installed(b []byte) {
	m.replaceLedger(b)
	if m.council != nil && !m.broken {
		m.council.Know(m.ledger.Seats())
	}
}

func (m *Mind) commit(c consensus.Committed) {
	f, fresh, err := m.ledger.Commit(c.Raft, c.Entry)
	if err != nil {
		// Agreed by all, readable by none: it has no effect on anybody.
		m.out = append(m.out, Noted{Text: err.Error()})
		return
	}
	if fresh {
		m.applied = append(m.applied, f)
		m.chronicle(f)
	}
}

// elected begins or ends this agent's leadership.
func (m *Mind) elected(l consensus.Led) {
	leads := l.Leader == m.cfg.Self
	was := m.conduct != nil
	switch {
	case leads && (!was || l.Term != m.led.Term):
		m.tally.Step(m.now, consensus.Elected{Term: l.Term})
		// Their clocks may be fast, and so less may have passed than this one says.
		m.lessor.Lead(m.now.Add(-member.Faster(m.council.Quiet())))
		m.conduct = failover.NewConductor(m.state, m.lessor, l.Term, m.now)
		m.conduct.Bound(m.Unconfirmed())
	case !leads && was:
		m.tally.Step(m.now, consensus.Deposed{})
		m.lessor.Depose()
		m.conduct = nil
	}
	if l.Leader != "" {
		m.touch()
	}
	m.lead(Led{Leader: l.Leader, Term: l.Term, Quorum: m.led.Quorum || l.Leader != "", Stuck: m.led.Stuck})
}

// touch notes that the council is known to have a quorum now. Who has not known for
// too long may have missed a lot, also if it was this agent that stood still.
func (m *Mind) touch() {
	if !m.led.Quorum || m.now.Sub(m.quorumAt) >= m.cfg.IsolatedAfter {
		m.touched = m.now
	}
	m.quorumAt = m.now
}

// lead tells of a change of leader.
func (m *Mind) lead(l Led) {
	if l != m.led {
		if l.Leader != "" && (l.Leader != m.led.Leader || l.Term != m.led.Term) {
			m.wants.anew(m.now)
			clear(m.passed)
		}
		m.led = l
		m.out = append(m.out, l)
		m.tenant()
	}
}

// stuckAfter is how long a councillor's write may take before those who follow it
// should follow another one. It applies what its disk has, and nothing else.
const stuckAfter = 2 * time.Second

// watchQuorum notices the loss of the council: a councillor by having no
// leader, another agent by hearing of none.
func (m *Mind) watchQuorum() {
	if m.council != nil {
		l := m.led
		l.Stuck = m.council.Writing(m.now) >= stuckAfter
		if m.forlorn() && !m.Councillor() {
			l.Leader = ""
		}
		m.lead(l)
	}
	if m.council != nil && m.led.Leader != "" {
		m.touch()
	}
	if m.led.Quorum && m.now.Sub(m.quorumAt) >= m.cfg.IsolatedAfter {
		l := m.led
		l.Quorum = false
		if m.council == nil {
			l.Leader = ""
		}
		m.lead(l)
	}
}
