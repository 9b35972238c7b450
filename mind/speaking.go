package mind

import (
	"fmt"
	"slices"
	"time"

	"moonwatch/agent"
	"moonwatch/consensus"
	"moonwatch/failover"
	"moonwatch/member"
)

// observe steps the observer and carries out what it says.
func (m *Mind) observe(ev agent.Event) {
	for _, e := range m.observer.Step(m.now, ev) {
		switch e := e.(type) {
		case agent.SendProbes:
			m.out = append(m.out, SendProbes{Probes: e.Probes})
		case agent.RunCheck:
			pool, slot, epoch, ok := m.state.Serves(e.Subject)
			if !ok {
				continue // it stopped serving in this very moment; a new watch comes
			}
			m.out = append(m.out, RunCheck{RunCheck: e, Checks: pool.Checks, Slot: slot, Epoch: epoch})
		case agent.Publish:
			m.publish(e)
		}
	}
}

// Measured is what this agent has seen of its ways and of its own machine.
func (m *Mind) Measured() agent.Measured { return m.observer.Measured() }

// Sightings is what this agent's observer sees of its subjects.
func (m *Mind) Sightings(now time.Time) agent.Sighted { return m.observer.Sightings(now) }

// publish sends a statement, and hears it at once if this agent sits in the
// council itself.
func (m *Mind) publish(p agent.Publish) {
	to := m.others(p.To)
	if len(to) > 0 {
		m.out = append(m.out, SendStatement{Statement: p.Statement, To: to})
	}
	if len(to) < len(p.To) {
		m.tallied(consensus.Heard{Statement: p.Statement})
		if p.Statement.Acknowledge {
			m.observe(agent.Acknowledged{By: m.cfg.Self, Seq: p.Statement.Seq})
		}
	}
}

// others is a list without this agent; the same list if it is not on it.
func (m *Mind) others(ids []member.ID) []member.ID {
	at := slices.Index(ids, m.cfg.Self)
	if at < 0 {
		return ids
	}
	return slices.Concat(ids[:at], ids[at+1:])
}

// statement acknowledges if it is asked to, tallies or passes on what an observer says.
func (m *Mind) statement(ev StatementCame) {
	if m.council == nil {
		return // meant for a councillor: an old address, perhaps
	}
	if ev.Statement.Acknowledge && !ev.Forwarded {
		m.out = append(m.out, Acknowledge{To: ev.Statement.Observer, Seq: ev.Statement.Seq})
	}
	if m.conduct != nil {
		m.tallied(consensus.Heard{Statement: ev.Statement})
		return
	}
	m.heard = append(m.heard, ev.Statement.Observer)
	// A bare sign of life goes on with the next presence: else the leader of a
	// thousand members would hear each of them once per councillor.
	says := len(ev.Statement.Votes) > 0 || ev.Statement.Abstains != ""
	if l := m.led.Leader; l != "" && says && !ev.Forwarded && len(ev.Raw) > 0 && m.passed.first(&ev.Statement) {
		m.out = append(m.out, PassOn{To: l, Raw: ev.Raw})
	}
}

// present notes who was heard; the leader counts, the others tell it twice a
// second.
func (m *Mind) present(ev PresenceCame) {
	if m.conduct != nil {
		m.tallied(consensus.Present{Members: ev.Members})
		return
	}
	if m.council != nil {
		m.heard = append(m.heard, ev.Members...)
	}
}

func (m *Mind) tellPresence() {
	if m.council == nil || m.now.Sub(m.presence) < m.cfg.PresenceEvery {
		return
	}
	m.presence = m.now
	heard := append(m.heard, m.cfg.Self)
	m.heard = nil
	if m.conduct != nil {
		m.tallied(consensus.Present{Members: []member.ID{m.cfg.Self}})
		return
	}
	if m.led.Leader != "" {
		m.out = append(m.out, TellPresence{To: m.led.Leader, Members: m.ledger.Roster().Places(heard)})
	}
}

// tallied steps the tally and carries out what it says.
func (m *Mind) tallied(ev consensus.TallyEvent) {
	if m.ledger.Blocked() != "" {
		return
	}
	for _, e := range m.tally.Step(m.now, ev) {
		switch e := e.(type) {
		case consensus.CallRoll:
			to := m.others(e.To)
			if len(to) > 0 {
				m.out = append(m.out, SendRollCall{Call: e.Call, To: to})
			}
			if len(to) < len(e.To) {
				m.observe(agent.RollCalled{Call: e.Call})
			}
		case consensus.Decided:
			// The brake first: it counts who is in trouble and not yet condemned, and
			// between its looks a quick verdict could settle those who hold no slot.
			m.conducted(failover.ConductorWoken{})
			id := fmt.Sprintf("verdict/%d/%d", e.Verdict.Term, m.now.UnixNano())
			m.want(consensus.KindVerdict, id, e.Verdict, 2*time.Second)
		case consensus.Looked:
			m.conducted(failover.SecondLook{
				Subject: e.Subject, Agent: e.Agent, Service: e.Service, Called: e.At, SilentSince: e.SilentSince,
				Alone: e.Alone, Agreed: e.Agreed,
			})
		}
	}
}
