package mind

import "time"

// anew is the wish for a feed that begins again. A feed brings each fact once, and
// this agent may have let one go: a councillor puts aside what it overhears, and has
// nothing of it when its seat turns out to be gone.
type anew struct {
	wanted bool
	next   time.Time // not before
}

// anewEvery is how soon a feed is asked for once more. Whoever tells another story
// than ours leaves a gap with every fact, and would be asked for all of it each time.
const anewEvery = time.Second

// gap notes that a fact came which does not follow what this agent has.
func (m *Mind) gap() { m.anew.wanted = true }

// feedAnew asks for the feed from where this agent's ledger ends.
func (m *Mind) feedAnew() {
	if !m.anew.wanted || m.now.Before(m.anew.next) {
		return
	}
	m.anew = anew{next: m.now.Add(anewEvery)}
	if m.Listens() {
		m.out = append(m.out, FeedAnew{})
	}
}

// wake is when a feed that begins again is due.
func (a anew) wake() time.Time {
	if !a.wanted {
		return time.Time{}
	}
	return a.next
}
