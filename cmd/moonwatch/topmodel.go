package main

import (
	"cmp"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"moonwatch/member"
	"moonwatch/status"
)

// topModel is all that 'moonwatch top' shows at one moment, and how people want it shown.
// It is a plain value: step makes the next one of it, frame draws it, and neither looks at
// a clock, a terminal or an agent.
type topModel struct {
	width, height int
	now           time.Time // of this machine

	page   *status.Page // nil: nothing was heard yet
	shield *status.ShieldDocument
	got    time.Time // when the page came
	stuck  string    // why the agent has not answered since

	order   topOrder
	back    bool // the other way round
	filter  string
	typing  bool // what is typed goes into the filter
	paused  bool
	help    bool
	cursor  member.ID // empty: the first one
	scroll  int       // how many members are above the first that is shown
	explain *topExplained
}

// topOrder is one way to sort members.
type topOrder int

const (
	byTrouble topOrder = iota
	byName
	byDomain
	byPool
	bySince
	topOrders
)

func (o topOrder) String() string {
	return [...]string{"trouble", "name", "failure domain", "pool", "since"}[o]
}

// What comes to the view from outside.
type (
	topKey     string // "q", "up", "enter"; any other letter is itself
	topResized struct{ width, height int }
	topTick    struct{ now time.Time }
	topHeard   struct {
		now    time.Time
		page   *status.Page
		shield *status.ShieldDocument // nil: the agent has no door
		err    error
	}
	topExplained struct {
		id     string
		lines  []string
		see    []string
		scroll int
	}
)

// topDo is what a step wants done.
type topDo struct {
	quit    bool
	ask     bool   // for the page, now
	explain string // an id
}

// step takes one event in.
func (m topModel) step(event any) (topModel, topDo) {
	switch ev := event.(type) {
	case topResized:
		m.width, m.height = ev.width, ev.height
	case topTick:
		m.now = ev.now
		return m, topDo{ask: !m.paused}
	case topHeard:
		m.now = ev.now
		switch {
		case m.paused:
		case ev.err != nil:
			m.stuck = ev.err.Error()
		default:
			m.page, m.shield, m.got, m.stuck = ev.page, ev.shield, ev.now, ""
		}
	case topExplained:
		m.explain = &ev
	case topKey:
		return m.key(string(ev))
	}
	return m.settled(), topDo{}
}

func (m topModel) key(key string) (topModel, topDo) {
	if key == "ctrl-c" {
		return m, topDo{quit: true}
	}
	switch {
	case m.typing:
		m = m.typed(key)
	case m.help:
		if key == "q" {
			return m, topDo{quit: true}
		}
		m.help = false
	case m.explain != nil:
		return m.inExplanation(key)
	default:
		return m.command(key)
	}
	return m.settled(), topDo{}
}

// typed takes a key into the filter.
func (m topModel) typed(key string) topModel {
	switch key {
	case "enter":
		m.typing = false
	case "esc":
		m.typing, m.filter = false, ""
	case "backspace":
		_, size := utf8.DecodeLastRuneInString(m.filter)
		m.filter = m.filter[:len(m.filter)-size]
	default:
		if r, size := utf8.DecodeRuneInString(key); size == len(key) && unicode.IsPrint(r) && len(m.filter) < 64 {
			m.filter += key
		}
	}
	return m
}

func (m topModel) inExplanation(key string) (topModel, topDo) {
	e := *m.explain
	last := max(0, len(m.explanation())-m.explainRows())
	switch key {
	case "q":
		return m, topDo{quit: true}
	case "esc", "enter", "backspace":
		m.explain = nil
		return m, topDo{}
	case "up", "k":
		e.scroll--
	case "down", "j":
		e.scroll++
	case "pgup":
		e.scroll -= m.explainRows()
	case "pgdn", " ":
		e.scroll += m.explainRows()
	case "home", "g":
		e.scroll = 0
	case "end", "G":
		e.scroll = last
	default:
		if i := strings.Index("123456789", key); i >= 0 && len(key) == 1 && i < len(e.see) {
			return m, topDo{explain: e.see[i]}
		}
	}
	e.scroll = min(max(0, e.scroll), last)
	m.explain = &e
	return m, topDo{}
}

func (m topModel) command(key string) (topModel, topDo) {
	var do topDo
	switch key {
	case "q":
		do.quit = true
	case "?", "h":
		m.help = true
	case "up", "k":
		m = m.move(-1)
	case "down", "j":
		m = m.move(1)
	case "pgup":
		m = m.move(-max(1, m.memberRows()))
	case "pgdn", " ":
		m = m.move(max(1, m.memberRows()))
	case "home", "g":
		m = m.move(-len(m.members()))
	case "end", "G":
		m = m.move(len(m.members()))
	case "s":
		m.order = (m.order + 1) % topOrders
	case "S":
		m.order = (m.order + topOrders - 1) % topOrders
	case "r":
		m.back = !m.back
	case "/":
		m.typing = true
	case "esc":
		m.filter = ""
	case "p":
		m.paused = !m.paused
		do.ask = !m.paused
	case "enter":
		if at, list := m.at(), m.members(); at < len(list) {
			do.explain = string(list[at].ID)
		}
	case "c":
		if m.page != nil {
			if open := openCases(*m.page); len(open) > 0 {
				do.explain = open[0].ID
			}
		}
	}
	return m.settled(), do
}

// members are those that the filter leaves, in the order that is wanted.
func (m topModel) members() []status.Member {
	if m.page == nil {
		return nil
	}
	words := strings.Fields(strings.ToLower(m.filter))
	var out []status.Member
	for _, x := range m.page.Members {
		about := strings.ToLower(strings.Join([]string{
			string(x.ID), string(x.Domain), x.Pool, string(x.Slot), string(x.Duty), stateOf(x).text, x.VerdictID, x.Case, seatOf(x).text,
		}, " "))
		if !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(about, w) }) {
			out = append(out, x)
		}
	}
	slices.SortStableFunc(out, func(a, b status.Member) int { // byTrouble is the order in which they came
		switch m.order {
		case byName:
			return cmp.Compare(a.ID, b.ID)
		case byDomain:
			return cmp.Compare(a.Domain, b.Domain)
		case byPool:
			return cmp.Or(cmp.Compare(a.Pool, b.Pool), cmp.Compare(a.Slot, b.Slot))
		case bySince:
			return b.Since.Compare(a.Since)
		default:
			return 0
		}
	})
	if m.back {
		slices.Reverse(out)
	}
	return out
}

// at is the place of the cursor. It stays with its member, wherever that one goes.
func (m topModel) at() int {
	return max(0, slices.IndexFunc(m.members(), func(x status.Member) bool { return x.ID == m.cursor }))
}

func (m topModel) move(by int) topModel {
	if list := m.members(); len(list) > 0 {
		m.cursor = list[min(max(0, m.at()+by), len(list)-1)].ID
	}
	return m
}

// settled scrolls so that the cursor is seen, if anybody has moved it.
func (m topModel) settled() topModel {
	rows, list := m.memberRows(), m.members()
	at := m.at()
	if m.cursor != "" && rows > 0 {
		m.scroll = min(m.scroll, at)
		m.scroll = max(m.scroll, at-rows+1)
	}
	m.scroll = max(0, min(m.scroll, len(list)-rows))
	return m
}

// clock is the agent's time now: while nothing new is asked for, that of the page.
func (m topModel) clock() time.Time {
	switch {
	case m.page == nil:
		return m.now
	case m.paused:
		return m.page.Now
	default:
		return m.page.Now.Add(max(0, m.now.Sub(m.got)))
	}
}
