package demo

import (
	"time"

	"moonwatch/consensus"
	"moonwatch/shield/gateway"
	"moonwatch/status"
)

// ears are called by the console's agent: in the ledger's order, and they must
// not block.
type ears struct {
	fact  func(time.Time, consensus.Fact)
	page  func(time.Time, status.Page)
	table func(time.Time, gateway.Table)
}

// present is the newest page of the launcher's agent.
func (l *launcher) present() status.Page {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.page
}

func (l *launcher) tellChange() {
	select {
	case l.changed <- struct{}{}:
	default:
	}
}

func (l *launcher) heardFact(at time.Time, f consensus.Fact) {
	l.mu.Lock()
	if l.story != nil {
		l.story.Fact(at, f)
	}
	tell := l.onFact
	l.mu.Unlock()
	if tell != nil {
		tell(f)
	}
	l.tellChange()
}

func (l *launcher) heardPage(at time.Time, p status.Page) {
	l.mu.Lock()
	l.page = p
	if l.story != nil {
		l.story.Page(at, p)
	}
	l.mu.Unlock()
	l.tellChange()
}

func (l *launcher) heardTable(at time.Time, t gateway.Table) {
	l.mu.Lock()
	l.table = t
	if l.story != nil {
		l.story.Table(at, t)
	}
	l.mu.Unlock()
	l.tellChange()
}

func (l *launcher) heardAnswer(start, at time.Time, a answer) {
	l.mu.Lock()
	news := l.answers[a.Slot] != a
	l.answers[a.Slot] = a
	if l.story != nil {
		l.story.Answer(start, at, a)
	}
	l.mu.Unlock()
	if news {
		l.tellChange()
	}
}
