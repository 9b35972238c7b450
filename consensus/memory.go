package consensus

import (
	"slices"
	"time"

	"moonwatch/member"
)

// memory is where the tally keeps what it knows about each member, at the
// member's place in the roster. Counting asks about sixteen observers per
// subject, again and again, so it asks by place and not by name.
type memory struct {
	roster   *member.Roster
	entries  []entry
	spoken   []int // places of the members about which something was said, sorted
	domains  []domain
	head     uint64 // of the ledger, as of which the entries show who stands condemned
	followed bool   // whether it was followed at all
	cuts     bool   // some failure domain is under a domain-cut
}

// entry is what the leader knows about one member: what it says, what is said
// about it, and what the ledger says.
type entry struct {
	voice
	id       member.ID
	domain   member.FailureDomain
	verdict  VerdictKind // under which it stands, empty for none
	silenced bool        // by that verdict: its word is not asked for
	subject  *subject    // nil: nothing was said about it
}

// domain is one failure domain of the roster.
type domain struct {
	name    member.FailureDomain
	members int
}

// place is a member's entry, -1 for a stranger.
func (m *memory) place(id member.ID) int { return m.roster.Index(id) }

// follow keeps the entries in line with the ledger. Its roster changes with a
// fact and verdicts come with facts, so as long as the head is the same there is
// nothing to do.
func (m *memory) follow(now time.Time, l *Ledger) {
	if m.followed && m.head == l.Head() && m.roster == l.Roster() {
		return
	}
	if m.roster != l.Roster() || !m.followed {
		m.arrange(now, l.Roster())
	}
	m.head, m.followed, m.cuts = l.Head(), true, false
	for i := range m.entries {
		m.entries[i].verdict, m.entries[i].silenced = "", false
	}
	for id, st := range l.s.Standing {
		m.cuts = m.cuts || st.Kind == VerdictDomainCut
		at := m.place(id)
		if at < 0 {
			continue
		}
		m.entries[at].verdict, m.entries[at].silenced = st.Kind, st.Kind.Silences()
		m.about(at) // somebody has to lift it one day
	}
}

// arrange gives everybody of a new roster an entry. Who stays keeps what is
// known about it, and the votes of those that left go with them.
func (m *memory) arrange(now time.Time, roster *member.Roster) {
	was := *m
	*m = memory{roster: roster, entries: make([]entry, roster.Len())}
	moved := make([]int, len(was.entries)) // from place to place, -1: gone
	for i := range was.entries {
		moved[i] = roster.Index(was.entries[i].id)
	}
	known := map[member.FailureDomain]int{} // where it stands in domains
	for i, x := range roster.Members {
		e := &m.entries[i]
		if at := was.place(x.ID); at >= 0 {
			*e = was.entries[at]
		} else {
			e.heard = now // a new leader gives everybody the time to speak
		}
		e.id, e.domain = x.ID, x.Domain
		if e.subject != nil {
			e.subject.move(i, moved)
			m.spoken = append(m.spoken, i)
		}
		at, ok := known[x.Domain]
		if !ok {
			at = len(m.domains)
			known[x.Domain] = at
			m.domains = append(m.domains, domain{name: x.Domain})
		}
		m.domains[at].members++
	}
}

// excuse takes everybody for heard just now.
func (m *memory) excuse(now time.Time) {
	for i := range m.entries {
		m.entries[i].heard = now
	}
}

// subject is what is known about a member of which somebody speaks now, nil for
// a stranger.
func (m *memory) subject(id member.ID) *subject {
	at := m.place(id)
	if at < 0 {
		return nil
	}
	return m.about(at)
}

// about is what is known about the member at a place, begun if nothing is.
func (m *memory) about(at int) *subject {
	e := &m.entries[at]
	if e.subject == nil {
		e.subject = &subject{id: e.id, place: at}
		i, _ := slices.BinarySearch(m.spoken, at)
		m.spoken = slices.Insert(m.spoken, i, at)
	}
	return e.subject
}

// subjects lists those about which something was said, in the order of the
// roster.
func (m *memory) subjects() []*subject {
	list := make([]*subject, len(m.spoken))
	for i, at := range m.spoken {
		list[i] = m.entries[at].subject
	}
	return list
}

func (m *memory) forget(s *subject) {
	m.entries[s.place].subject = nil
	i, _ := slices.BinarySearch(m.spoken, s.place)
	m.spoken = slices.Delete(m.spoken, i, i+1)
}
