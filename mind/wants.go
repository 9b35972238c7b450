package mind

import (
	"slices"
	"time"

	"moonwatch/consensus"
	"moonwatch/failover"
	"moonwatch/member"
)

// wants are the commands that this agent wants to see in the ledger. Each is
// handed in again until it stands there; its id makes that harmless.
type wants struct {
	list []want
	turn int // which councillor is asked next
}

type want struct {
	id      string
	command []byte
	next    time.Time
	pause   time.Duration // after the next time
	until   time.Time     // zero: until it stands
	term    uint64        // of the leadership that worked it out; 0: anybody may want it
	reforms bool          // the council
	about   string        // empty: it stands for itself; else a newer one about the same takes its place
}

// handed notes that the want was handed in, and when it is next: each time twice
// as late, for most of what does not stand yet is on a slow way and not lost.
func (w *want) handed(now time.Time, first, most time.Duration) {
	w.pause = min(max(first, 2*w.pause), most)
	w.next = now.Add(w.pause)
}

// anew makes everything due at once: what a leader had may be gone with it.
func (w *wants) anew(now time.Time) {
	for i := range w.list {
		w.list[i].next, w.list[i].pause = now, 0
	}
}

// want puts a command on the list. It is given up after life, 0 never: what a
// leader proposes is worked out anew when it is lost, and dies with its
// leadership.
func (m *Mind) want(kind consensus.FactKind, id string, payload any, life time.Duration) {
	if m.ledger.Repeats(id) {
		return // it stands there already, and would never be told as a new fact
	}
	if slices.ContainsFunc(m.wants.list, func(w want) bool { return w.id == id }) {
		return
	}
	c, err := consensus.NewCommand(kind, id, m.cfg.Self, m.now, payload)
	if err != nil {
		m.fail(err)
		return
	}
	b, err := c.Encode()
	if err != nil {
		m.out = append(m.out, Noted{Text: err.Error()})
		return
	}
	w := want{id: id, command: b, next: m.now}
	if life > 0 {
		w.until, w.term = m.now.Add(life), m.led.Term
	}
	m.wants.list = append(m.wants.list, w)
}

// newest wants this agent's newest word about something, in place of the one before: a
// state that is told again and again is one command, however long no council takes it.
// An older word that was handed in already may be agreed on nevertheless, and even after
// a newer one if another councillor had it: who says so looks at what stands, and says it
// once more where that is not what it found.
func (m *Mind) newest(about string, kind consensus.FactKind, id string, payload any) {
	m.wants.list = slices.DeleteFunc(m.wants.list, func(w want) bool { return w.about == about })
	n := len(m.wants.list)
	if m.want(kind, id, payload, 0); len(m.wants.list) > n {
		m.wants.list[n].about = about
	}
}

// maxWants bounds what is kept for others; they keep it themselves and come
// again.
const maxWants = 1024

// submitted takes a command of somebody else and keeps it until it stands in the
// ledger: a proposal may be lost with a leader, and who handed it in may be gone.
func (m *Mind) submitted(b []byte) {
	c, err := consensus.DecodeCommand(b)
	if err != nil {
		m.out = append(m.out, Noted{Text: err.Error()})
		return
	}
	if m.ledger.Repeats(c.ID) {
		return // who asks again has not heard yet
	}
	if len(m.wants.list) >= maxWants || slices.ContainsFunc(m.wants.list, func(w want) bool { return w.id == c.ID }) {
		return
	}
	until := m.now.Add(submittedFor)
	if c.Kind == failover.KindHold {
		m.hear(m.cfg.Self, b, nil)
		until = m.now.Add(unconfirmedFor) // it binds here as long
		if c.Warrant == nil && c.Proposer != m.cfg.Self && m.council == nil {
			return // nobody takes it from anybody but its proposer
		}
	}
	m.wants.list = append(m.wants.list, want{id: c.ID, command: b, next: m.now, until: until})
}

// submittedFor is how long somebody else's command is handed in again.
const submittedFor = 15 * time.Second

// handIn hands in what is due.
func (m *Mind) handIn() {
	if len(m.wants.list) == 0 {
		return
	}
	keep := m.wants.list[:0:0]
	due := m.wants.list
	m.wants.list = nil
	for _, w := range due {
		if !w.until.IsZero() && !m.now.Before(w.until) {
			continue
		}
		if w.term != 0 && (m.conduct == nil || m.led.Term != w.term) {
			continue // raft would forward it to the new leader, who knows better
		}
		if !m.now.Before(w.next) {
			w.handed(m.now, m.cfg.Repropose, m.cfg.ReproposeMax)
			if m.council != nil {
				m.councilStep(consensus.Propose{Command: w.command})
			} else if to := m.councillor(); to != "" {
				m.out = append(m.out, Submit{To: to, Command: w.command})
			}
		}
		keep = append(keep, w)
	}
	// A proposal may have led to facts and new wants already.
	m.wants.list = append(keep, m.wants.list...)
	m.wants.settled(m.applied)
}

// councillor is whom to hand a command to: the leader, or one after the other.
func (m *Mind) councillor() member.ID {
	if m.led.Leader != "" && m.wants.turn%2 == 0 {
		m.wants.turn++
		return m.led.Leader
	}
	all := m.ledger.Councillors()
	if len(all) == 0 {
		return ""
	}
	m.wants.turn++
	return all[m.wants.turn%len(all)]
}

// settled drops the commands that stand in the ledger now.
func (w *wants) settled(facts []consensus.Fact) {
	for _, f := range facts {
		w.list = slices.DeleteFunc(w.list, func(x want) bool { return x.id == f.Command.ID })
	}
}

func (w *wants) wake() time.Time {
	var t time.Time
	for _, x := range w.list {
		if t.IsZero() || x.next.Before(t) {
			t = x.next
		}
	}
	return t
}
