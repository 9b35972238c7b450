package sim

import (
	"slices"
	"time"

	"moonwatch/member"
	"moonwatch/mind"
)

// feed is a follower's place on the feed of facts: to whom it listens.
type feed struct {
	upstream  member.ID
	search    mind.Upstream
	listening mind.Listening
	sent      uint64        // the last fact that went over this connection: each goes once
	anew      []member.ID   // who is said to sit in a new council
	asOf      time.Duration // when the last word about the council was spoken, at its source
}

// mostFed is how many members an agent feeds, as in consensus/link.
const mostFed = 16

// tries is how many an agent asks for a place before it rests: there are no more
// branches below each other in any fleet.
const tries = 8

// listenTo changes the agent from which a member hears of facts.
func (m *machine) listenTo(id member.ID) {
	if up, ok := m.w.index[m.feed.upstream]; ok {
		x := m.w.machines[up]
		x.listeners = slices.DeleteFunc(x.listeners, func(i int) bool { return i == m.i })
	}
	m.feed.upstream = id
	if m.mind != nil {
		m.feed.sent = m.mind.Ledger().Head()
	}
	m.feed.listening.Begin(m.time())
}

// takePlace has a place on the feed of another agent, if there is one left.
func (m *machine) takePlace(x *machine) bool {
	at, has := slices.BinarySearch(x.listeners, m.i)
	if has {
		return true
	}
	if len(x.listeners) >= mostFed {
		x.dropLost()
		at, _ = slices.BinarySearch(x.listeners, m.i)
	}
	if len(x.listeners) >= mostFed {
		return false
	}
	x.listeners = slices.Insert(x.listeners, at, m.i)
	return true
}

// dropLost ends the connections of those that are gone or out of reach.
func (m *machine) dropLost() {
	for _, i := range slices.Clone(m.listeners) {
		if x := m.w.machines[i]; !x.up() || !x.reaches(m) {
			x.listenTo("")
		}
	}
}

// batching is how long a feeder collects facts before it sends them on.
const batching = 20 * time.Millisecond

// follow is the follower's heartbeat: once a second it makes sure that its
// upstream is there, asks for what it lacks, and hears whether the council has
// a quorum.
func (m *machine) follow(life uint64) {
	if m.life != life || m.mind == nil {
		return
	}
	m.hears()
	if m.up() && m.mind.Listens() {
		m.ask()
	}
	m.w.after(time.Second, func() { m.follow(life) })
}

func (m *machine) ask() {
	up, ok := m.w.index[m.feed.upstream]
	if !ok || !m.knows(m.w.machines[up]) || !m.reaches(m.w.machines[up]) || m.feed.listening.Over(m.time()) {
		m.seek()
		return
	}
	x := m.w.machines[up]
	if !m.takePlace(x) {
		m.full(x)
		m.seek()
		return
	}
	m.w.after(2*m.w.cfg.Net.Delay, func() { x.feedTo(m) })
}

// seek looks for an agent that has a place left.
func (m *machine) seek() {
	council := slices.DeleteFunc(m.feeders(), func(id member.ID) bool { return id == m.id })
	for range tries {
		id := m.feed.search.Next(council)
		m.listenTo(id)
		i, ok := m.w.index[id]
		if !ok || m.takePlace(m.w.machines[i]) || !m.reaches(m.w.machines[i]) {
			return
		}
		m.full(m.w.machines[i])
	}
}

// full hears from an agent that has no place left whom it feeds.
func (m *machine) full(x *machine) {
	ids := make([]member.ID, 0, len(x.listeners))
	for _, i := range x.listeners {
		ids = append(ids, m.w.machines[i].id)
	}
	m.feed.search.Full(m.id, ids)
}

// feeders are the councillors as far as this agent knows, and the founders if it
// knows none: those are the addresses in its file.
func (m *machine) feeders() []member.ID {
	ids := slices.Clone(m.mind.Ledger().Councillors())
	for _, id := range slices.Concat(m.feed.anew, m.w.cfg.Council) {
		if !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	return ids
}

// reaches reports whether a connection between the two would hold.
func (m *machine) reaches(x *machine) bool {
	return !m.w.severed(m.i, x.i) && !m.w.severed(x.i, m.i) && x.up()
}

// staleQuorum is how old a word about the council may be to count, as in the
// daemon: two followers that feed each other would else believe in it for ever.
const staleQuorum = 2 * time.Second

// feedTo sends a follower what it lacks, and the heartbeat.
func (m *machine) feedTo(x *machine) {
	if !m.up() || !x.up() || !x.reaches(m) || x.feed.upstream != m.id {
		return
	}
	if m.mind.Ledger().Refounded() < x.mind.Ledger().Refounded() {
		x.listenTo("") // of before the council was founded anew
		return
	}
	if !x.mind.Listens() {
		x.listenTo("") // it hears the council again
		return
	}
	m.feedFacts(x)
	if !x.up() || x.feed.upstream != m.id {
		return // what it heard was enough
	}
	asOf := m.feed.asOf
	if !m.mind.Listens() {
		asOf = m.w.now
	}
	if l := m.mind.Leading(); l.Feeds() && m.w.now-asOf < staleQuorum && x.up() {
		x.feed.asOf = asOf
		x.feed.listening.Quorum(x.time())
		x.step(mind.QuorumHeard{Leader: l.Leader, Term: l.Term, Head: m.mind.Ledger().Head(), Behind: !m.mind.Current()})
	}
}

// feedFacts sends what this connection has not brought yet.
func (m *machine) feedFacts(x *machine) {
	head, had := m.mind.Ledger().Head(), x.mind.Ledger().Head()
	if head <= x.feed.sent {
		return
	}
	facts, ok := m.factsFrom(x.feed.sent + 1)
	var bytes int
	var fed mind.Event
	switch {
	case ok && len(facts) == 0:
		return
	case ok:
		x.feed.sent = facts[len(facts)-1].Index
		bytes, fed = factBytes(facts), mind.FactsFed{Facts: facts}
	default:
		b, err := m.mind.Ledger().Snapshot()
		if err != nil {
			return
		}
		x.feed.sent = head
		bytes, fed = recordBytes+len(b), mind.LedgerFed{Snapshot: b}
	}
	m.count(bytes)
	x.step(fed)
	if x.mind != nil && x.mind.Ledger().Head() > had {
		m.sentNews += uint64(bytes)
	}
}

// push sends new facts to the followers that listen here.
func (m *machine) push() {
	for _, i := range m.listeners {
		x := m.w.machines[i]
		if x.mind == nil || x == m {
			continue
		}
		m.w.after(m.w.delay(m.i, x.i)+time.Duration(m.w.chance.next(streamDelay, x.i, m.i)%uint64(batching)), func() { m.feedTo(x) })
	}
}
