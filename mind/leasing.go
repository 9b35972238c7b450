package mind

import (
	"slices"
	"time"

	"moonwatch/agent"
	"moonwatch/consensus"
	"moonwatch/failover"
	"moonwatch/member"
)

// lend makes the two sides of leases: this member's own, and that of the council.
func (m *Mind) lend() {
	m.holder = agent.NewHolder(m.cfg.Self, m.cfg.Incarnation)
	m.lessor = failover.NewLessor(m.state)
	m.lessor.Noticed(m.now)
	m.relayed = relayed{}
	m.executor.Leased(func(now time.Time, slot member.SlotID, epoch member.SlotEpoch) bool {
		return m.holder.Left(now, slot, epoch) >= m.state.Terms().Stop/2
	})
	m.tenant()
}

// tenant tells the holder what this member may run now.
func (m *Mind) tenant() {
	var t agent.Tenancy
	if slot, epoch, ok := m.state.Tenure(m.cfg.Self); ok && m.ledger.Blocked() == "" {
		t = agent.Tenancy{Slot: slot, Epoch: epoch, Terms: m.state.Terms(), Councillors: m.ledger.Councillors(), Leader: m.led.Leader}
	}
	m.held(m.holder.Tell(m.now, t))
}

func (m *Mind) renew() {
	if w := m.holder.Wake(); !w.IsZero() && !m.now.Before(w) {
		m.held(m.holder.Woken(m.now))
	}
}

// held carries out what the holder says.
func (m *Mind) held(effects []agent.HolderEffect) {
	for _, e := range effects {
		switch e := e.(type) {
		case agent.SendRenewal:
			m.out = append(m.out, SendRenewal{SendRenewal: e})
		case agent.HandLease:
			m.out = append(m.out, HandLease{Lease: e.Lease})
			// What waited for a lease may begin.
			m.execute(m.executor.Step(m.now, failover.ExecutorWoken{}))
		}
	}
}

// renewal is granted by the leader and passed on to it by the other councillors,
// each one once: two who take each other for the leader must not play ball.
func (m *Mind) renewal(ev RenewalCame) {
	r := ev.Renewal
	switch {
	case m.council == nil:
	case m.conduct != nil:
		if m.ledger.Blocked() == "" {
			m.granted(m.lessor.Renewed(m.now, r))
		}
	case m.led.Leader != "" && m.led.Leader != m.cfg.Self && len(ev.Raw) > 0 && m.relayed.first(&r):
		m.out = append(m.out, PassLease{To: m.led.Leader, Raw: ev.Raw})
	}
}

// granted carries out what the lessor says.
func (m *Mind) granted(effects []failover.LessorEffect) {
	for _, e := range effects {
		switch e := e.(type) {
		case failover.Confirm:
			m.asks = e.Round
		case failover.SendGrant:
			m.sendGrant(e.Grant)
		}
	}
}

// confirm asks the council what the lessor wants confirmed. A lone councillor answers
// at once, and then the next ones may be asked for.
func (m *Mind) confirm() {
	if m.ledger.Blocked() == "" {
		m.granted(m.lessor.Woken(m.now))
	}
	for m.asks != 0 && m.council != nil {
		round := m.asks
		m.asks = 0
		m.councilStep(consensus.Confirm{Round: round})
	}
}

// sendGrant sends a grant straight, and through the other councillors as well if the
// renewal had to be sent to all of them.
func (m *Mind) sendGrant(g agent.Grant) {
	to := []member.ID{g.Renewal.Holder}
	if g.Renewal.Wide {
		for _, id := range m.ledger.Councillors() {
			if id != g.Renewal.Holder {
				to = append(to, id)
			}
		}
	}
	m.out = append(m.out, SendGrant{Grant: g, To: m.others(to)})
	if slices.Contains(to, m.cfg.Self) && g.Renewal.Holder == m.cfg.Self {
		m.held(m.holder.Granted(g))
	}
}

// grant takes a grant of the leader for this member, or passes on one for another.
func (m *Mind) grant(ev GrantCame) {
	holder := ev.Grant.Renewal.Holder
	switch {
	case !m.ledger.Councillor(ev.From):
	case holder == m.cfg.Self:
		m.held(m.holder.Granted(ev.Grant))
	case m.council != nil && m.ledger.Roster().Index(holder) >= 0 && len(ev.Raw) > 0:
		m.out = append(m.out, PassLease{To: holder, Raw: ev.Raw})
	}
}

// relayed remembers the newest renewal of each holder that went on to the leader.
type relayed map[member.ID]relay

type relay struct {
	life member.Incarnation
	seq  uint64
}

func (x relayed) first(r *agent.Renewal) bool {
	old := x[r.Holder]
	if r.Life < old.life || r.Life == old.life && r.Seq <= old.seq {
		return false
	}
	x[r.Holder] = relay{r.Life, r.Seq}
	return true
}
