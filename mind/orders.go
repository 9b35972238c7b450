package mind

import (
	"slices"
	"time"

	"moonwatch/consensus"
	"moonwatch/failover"
	"moonwatch/member"
)

// orders are the holds that this agent has heard of and the council has not
// confirmed: given here, or gossiped by another agent. They bind this agent's own
// steps and, if it leads, what it proposes. PROTOCOL 8.
type orders struct {
	list []heardHold
	next time.Time // when they are passed on again
}

type heardHold struct {
	hold    *failover.Hold
	from    member.ID // whose datagram it is: only its own word counts for what nobody signed
	command []byte
	raw     []byte // the datagram as it came, nil: this agent's own
	until   time.Time
}

// Unconfirmed holds bind for unconfirmedFor at most, are passed on every
// passOnEvery, and there are never more than maxHeard of them: who can reach the
// gossip could invent some.
const (
	unconfirmedFor = time.Hour
	passOnEvery    = 5 * time.Second
	maxHeard       = 32
)

// hear takes a hold that was given here (raw is nil) or gossiped. It reports
// whether it is new and may bind.
func (m *Mind) hear(from member.ID, command, raw []byte) bool {
	c, err := consensus.DecodeCommand(command)
	if err != nil || c.Kind != failover.KindHold || m.ledger.Repeats(c.ID) || len(m.orders.list) >= maxHeard {
		return false
	}
	if slices.ContainsFunc(m.orders.list, func(h heardHold) bool { return h.hold.ID == c.ID }) {
		return false
	}
	p, err := consensus.DecodePayload[failover.HoldGiven](consensus.Fact{Command: c})
	signed := m.ledger.FromOperator(c) == nil
	switch {
	case err != nil, p.Check(m.now, signed) != nil:
		return false
	case !signed && (c.Warrant != nil || c.Proposer != from || m.ledger.Roster().Index(from) < 0):
		return false
	}
	by := p.By
	if c.Warrant != nil {
		by = c.Warrant.Operator
	}
	if p.By = by; by == "" {
		p.By = string(c.Proposer)
	}
	until := m.now.Add(unconfirmedFor)
	if !p.Until.IsZero() {
		until = earliest(p.Until, until)
	}
	h := &failover.Hold{HoldGiven: p, ID: c.ID, Given: m.now, Signed: c.Warrant != nil}
	h.Until = until
	m.orders.list = append(m.orders.list, heardHold{hold: h, from: from, command: command, raw: raw, until: until})
	m.orders.next = m.now
	m.bind()
	return true
}

// bind tells executor and conductor what binds them besides the ledger.
func (m *Mind) bind() {
	m.executor.Bound(m.Unconfirmed())
	if m.conduct != nil {
		m.conduct.Bound(m.Unconfirmed())
	}
}

// Unconfirmed lists the holds that bind here although the council has not
// confirmed them.
func (m *Mind) Unconfirmed() []*failover.Hold {
	var out []*failover.Hold
	for _, h := range m.orders.list {
		out = append(out, h.hold)
	}
	return out
}

// passOn forgets the holds that are facts now or have ended, and tells the others
// of the rest: everybody in a small fleet, those that it observes and that observe
// it in a large one, who pass them on in turn.
func (m *Mind) passOn() {
	if len(m.orders.list) == 0 {
		return
	}
	n := len(m.orders.list)
	m.orders.list = slices.DeleteFunc(m.orders.list, func(h heardHold) bool {
		return m.ledger.Repeats(h.hold.ID) || !m.now.Before(h.until)
	})
	if len(m.orders.list) < n {
		m.bind()
	}
	if m.now.Before(m.orders.next) || len(m.orders.list) == 0 {
		return
	}
	m.orders.next = m.now.Add(passOnEvery)
	overlay := m.ledger.Overlay()
	to := slices.Concat(overlay.SubjectsOf(m.cfg.Self), overlay.ObserversOf(m.cfg.Self))
	slices.Sort(to)
	to = m.others(slices.Compact(to))
	for _, h := range m.orders.list {
		m.out = append(m.out, SendHold{To: to, From: h.from, Command: h.command, Raw: h.raw})
	}
}

func (o *orders) wake() time.Time {
	if len(o.list) == 0 {
		return time.Time{}
	}
	return o.next
}
