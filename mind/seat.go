package mind

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"moonwatch/consensus"
	"moonwatch/member"
)

// takeSeat makes this agent a part of the council if the ledger has a seat for its
// disk.
func (m *Mind) takeSeat() error {
	seat, ok := m.seatIn(m.ledger)
	if !ok {
		return nil
	}
	c, err := consensus.NewCouncil(m.cfg.Council, seat, m.ledger.Founders(), m.ledger.Seats(), m.saved, m.ledger.Raft(), m.now)
	if err != nil {
		return err
	}
	c.Admits = m.admits
	c.Clock = func() time.Time { return m.clock.time(m.now, m.cfg.ClockMax) }
	m.council, m.raftAt = c, m.now
	return nil
}

// isForMe reports that a message is for this agent's seat, and from the member that
// holds the seat in whose name it speaks: as its own ledger has it, or, where that is
// behind, as others say.
func (m *Mind) isForMe(ev RaftCame) bool {
	if m.council == nil || ev.Message.GetTo() != m.council.Seat().ID {
		return false
	}
	from := ev.Message.GetFrom()
	return m.ledger.SpeaksAs(ev.From, from) || m.aside != nil && m.aside.SpeaksAs(ev.From, from)
}

// forlorn reports that raft has heard nothing at all for a while. A learner's never
// looks for another leader, so it would believe in the last one for ever.
func (m *Mind) forlorn() bool {
	return m.council != nil && m.conduct == nil && m.now.Sub(m.raftAt) >= m.cfg.IsolatedAfter
}

// hears tells of a leader that a learner had given up.
func (m *Mind) hears() {
	if m.council != nil && m.led.Leader == "" {
		if l := m.council.Leader(); l.Leader != "" {
			m.elected(l)
		}
	}
}

// seatIn is the seat that a ledger has for this agent. One that it has left it does
// not take again, although its own ledger may still have to catch up with that.
func (m *Mind) seatIn(l *consensus.Ledger) (consensus.Seat, bool) {
	s, ok := l.SeatOf(m.cfg.Self, m.cfg.Disk, m.founder)
	return s, ok && s.ID > m.left
}

// reseat follows what the ledger says about this agent's seat: a follower that was
// given one takes it, whoever has lost it follows from now on.
func (m *Mind) reseat() {
	if m.broken {
		return
	}
	seat, ok := m.seatIn(m.ledger)
	switch {
	case m.council == nil && ok && seat.Disk != "": // a founder has its first seat from the start, or never again
		if err := m.takeSeat(); err != nil {
			m.fail(err)
		}
	case m.council != nil && (!ok || seat.ID != m.council.Seat().ID):
		m.rise()
	}
}

// rise leaves the council: this agent follows the feed from now on.
func (m *Mind) rise() {
	m.elected(consensus.Led{Term: m.led.Term}) // by nobody that this agent hears
	m.left = m.council.Seat().ID
	m.council, m.aside = nil, nil
}

// superseded gives way to a council that two operators have founded anew: whoever sits
// in the old one leaves it at once and follows, if its ledger can. One that went
// another way must not decide any more, and is left as it is for people to look at.
func (m *Mind) superseded(r consensus.Refounding) {
	_, anew, err := m.ledger.Superseded(r)
	switch {
	case err != nil:
		m.fail(err)
	case anew && m.council != nil:
		m.rise()
	}
}

// Listens reports that this agent wants to be fed: it has no seat in the council, or
// it hears no leader there. Then others may know that its seat is gone, which nobody
// in the council tells it.
func (m *Mind) Listens() bool {
	return m.council == nil || m.led.Leader == "" && m.now.Sub(m.quorumAt) >= m.cfg.IsolatedAfter || m.forlorn()
}

// overhear reads facts that the feed brings to a councillor without a leader. They
// do not become part of its ledger, which follows raft's log alone; only if they say
// that its seat is gone it leaves, and follows.
func (m *Mind) overhear(facts []consensus.Fact, whole []byte) bool {
	if !m.Listens() {
		return false
	}
	if m.aside == nil || m.aside.Head() < m.ledger.Head() { // of an outage before
		b, err := m.ledger.Snapshot()
		if err != nil {
			return false
		}
		l := NewFold().Ledger
		if l.Restore(b) != nil {
			return false
		}
		m.aside = l
	}
	if head, err := consensus.SnapshotHead(whole); len(whole) > 0 && err == nil && head > m.aside.Head() {
		if m.aside.Restore(whole) != nil {
			m.aside = nil
			return false
		}
	}
	for _, f := range facts {
		_, _, err := m.aside.Follow(f)
		if errors.Is(err, consensus.ErrGap) {
			m.gap()
		}
		if err != nil {
			m.aside = nil // it is no word about our cluster, or it has a gap
			return false
		}
	}
	seat, ok := m.seatIn(m.aside)
	if ok && seat.ID == m.council.Seat().ID {
		m.council.Know(m.aside.Seats()) // those who came meanwhile are answered
		return false
	}
	m.rise()
	return true
}

// volunteer tells the council once that this agent may sit in it, and with which
// disk. The first seat of a founder needs no such word.
func (m *Mind) volunteer() {
	if !m.ledger.MaySit(m.cfg.Self, m.cfg.Disk) {
		return
	}
	id := fmt.Sprintf("disk/%s/%s", m.cfg.Self, m.cfg.Disk)
	m.want(consensus.KindDisk, id, consensus.Disk{ID: m.cfg.Disk}, 0)
}

// care is what the leader knows about its council.
type care struct {
	next time.Time
	why  string               // nothing is done now, empty: nothing is to be done
	seen map[uint64]time.Time // when a seat last had everything that was agreed
}

// goneAfter is how long a seat must have lacked something before its holder is taken
// for gone: a councillor that is back from an outage has its log long before the
// verdict on it is lifted.
const goneAfter = 10 * time.Second

// warmth notes which seats are with the leader, and tells of those that were lately.
func (c *care) warmth(now time.Time, w consensus.Warmth) consensus.Warmth {
	if c.seen == nil {
		c.seen = map[uint64]time.Time{}
	}
	w.Here = map[uint64]bool{}
	for id, has := range w.Has {
		if has >= w.Agreed {
			c.seen[id] = now
		}
		w.Here[id] = !c.seen[id].IsZero() && now.Sub(c.seen[id]) < goneAfter
	}
	return w
}

// careEvery is how often the leader looks after the council.
const careEvery = time.Second

// lookAfterCouncil proposes the next change of the council, if there is one.
func (m *Mind) lookAfterCouncil() {
	if m.conduct == nil || m.council == nil || m.ledger.Blocked() != "" || m.now.Before(m.care.next) {
		return
	}
	m.care.next = m.now.Add(careEvery)
	if slices.ContainsFunc(m.wants.list, func(w want) bool { return w.reforms }) {
		return
	}
	r, why := m.ledger.Care(m.now, m.care.warmth(m.now, m.council.Warmth()), func(out member.ID) string { return m.state.SwapHold(m.now, out) })
	m.care.why = why
	if r == nil {
		return
	}
	id := fmt.Sprintf("council/%d/%d", m.led.Term, m.now.UnixNano())
	m.want(consensus.KindCouncil, id, r, 2*time.Second)
	if n := len(m.wants.list); n > 0 && m.wants.list[n-1].id == id {
		m.wants.list[n-1].reforms = true
	}
}

// reformed tells the council what became of a reform.
func (m *Mind) reformed(c consensus.Committed) {
	accepted := m.ledger.Reformed(c.Raft)
	seats := m.ledger.Seats()
	var r consensus.Reform
	for _, d := range seats.Reforms {
		if d.Raft == c.Raft {
			r = d.Reform
		}
	}
	if m.council == nil {
		return
	}
	m.councilStep(consensus.Reformed{Accepted: accepted, Reform: r, Seats: seats})
	if accepted && r.Do == consensus.Learn && m.council != nil {
		// The new learner has nothing, and what it needs is no longer in anybody's
		// log: it is sent the ledger as of now.
		m.snapshotNow()
	}
}

// Seat is this agent's seat in the council.
func (m *Mind) Seat() (consensus.Seat, bool) {
	if m.council == nil {
		return consensus.Seat{}, false
	}
	return m.council.Seat(), true
}

// CouncilWaits says why a councillor that is lost is not swapped yet, on the leader.
func (m *Mind) CouncilWaits() string { return m.care.why }

// Warmth is how far the seats are with raft's log, on the leader; nil elsewhere.
func (m *Mind) Warmth() map[member.ID]uint64 {
	if m.conduct == nil || m.council == nil {
		return nil
	}
	w, out := m.council.Warmth(), map[member.ID]uint64{}
	for _, s := range m.ledger.Seats().All() {
		out[s.Member] = max(out[s.Member], w.Has[s.ID])
	}
	return out
}
