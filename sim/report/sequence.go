package report

import (
	"cmp"
	"slices"
	"strings"
	"unicode"

	"moonwatch/member"
	"moonwatch/sim/scenario"
)

// sequence is what happened within a window as a list, with a column for each
// member that is concerned: a dot for who does it or to whom it happens, a line
// to those that its text names.
type sequence struct {
	Columns []string
	Width   int // of all columns, in pixels
	Heads   int // their names' height, in pixels
	Rows    []moment
	Before  int // rows that found no place: those furthest from what broke
}

// moment is one row of a sequence.
type moment struct {
	line
	Dots   []dot
	X1, X2 int // of the line; equal: none
}

type dot struct {
	X     int
	Class string
}

const (
	columnsShown = 9
	columnWidth  = 24
	momentsShown = 150
	fleetColumn  = "fleet"
)

// happenings are the events and the beginnings and ends of faults within a
// window, in the order of time. An event without a text only draws its lane: what
// it says has been told by another one, but for a case that is closed by a fact
// about something else.
func (t *tale) happenings(w window) []scenario.Event {
	var out []scenario.Event
	for _, e := range t.Events {
		if e.AtMS >= w.from && e.AtMS <= w.to && (e.Text != "" || e.Lane == laneCase) {
			out = append(out, e)
		}
	}
	for _, b := range t.Story.Faults {
		var who member.ID
		if len(b.Whom) == 1 {
			who = b.Whom[0]
		}
		if b.FromMS >= w.from && b.FromMS <= w.to {
			out = append(out, scenario.Event{AtMS: b.FromMS, Seq: b.Seq, Lane: laneFault, Member: who, Text: b.Text})
		}
		if b.ToMS >= w.from && b.ToMS <= w.to && b.End != "" {
			out = append(out, scenario.Event{AtMS: b.ToMS, Seq: b.EndSeq, Lane: laneFault, Member: who, Text: b.End})
		}
	}
	slices.SortStableFunc(out, inTime)
	return out
}

// concerned are the members that a happening is about: its own first, then
// those that its text names.
func (t *tale) concerned(e scenario.Event) []member.ID {
	var out []member.ID
	if e.Member != "" {
		out = append(out, e.Member)
	}
	for _, s := range strings.FieldsFunc(e.Text, func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && r != '-' && r != '_' && r != '.'
	}) {
		if id := member.ID(strings.TrimRight(s, ".")); t.named[id] && !slices.Contains(out, id) {
			out = append(out, id)
		}
	}
	return out
}

// sequence lists a window, those rows first that are nearest to the moment at
// which something broke.
func (t *tale) sequence(w window, broke int64) (sequence, []member.ID) {
	all := t.happenings(w)
	s := sequence{}
	if n := len(all) - momentsShown; n > 0 {
		after := 0
		for after < len(all) && all[len(all)-1-after].AtMS > broke {
			after++
		}
		tail := min(after, momentsShown/4)
		all = all[:len(all)-after+tail]
		all = all[max(0, len(all)-momentsShown):]
		s.Before = n
	}
	columns := t.columns(all)
	at := map[member.ID]int{}
	s.Columns = append(s.Columns, fleetColumn)
	for i, id := range columns {
		at[id] = i + 1
		s.Columns = append(s.Columns, string(id))
	}
	s.Width = len(s.Columns) * columnWidth
	for _, name := range s.Columns {
		s.Heads = max(s.Heads, 16+6*min(len(name), 40))
	}
	for _, e := range all {
		m := moment{line: lineOf(e)}
		m.Who = string(e.Member)
		for _, id := range t.concerned(e) {
			if c, ok := at[id]; ok {
				m.Dots = append(m.Dots, dot{c*columnWidth + columnWidth/2, "to"})
			}
		}
		if len(m.Dots) == 0 {
			m.Dots = []dot{{columnWidth / 2, ""}}
		}
		m.Dots[0].Class = "by " + e.Lane
		m.X1, m.X2 = m.Dots[0].X, m.Dots[0].X
		for _, d := range m.Dots {
			m.X1, m.X2 = min(m.X1, d.X), max(m.X2, d.X)
		}
		s.Rows = append(s.Rows, m)
	}
	return s, columns
}

// columns are the members that most of the happenings are about, by name.
func (t *tale) columns(all []scenario.Event) []member.ID {
	times := map[member.ID]int{}
	var ids []member.ID
	for _, e := range all {
		for _, id := range t.concerned(e) {
			if times[id]++; times[id] == 1 {
				ids = append(ids, id)
			}
		}
	}
	slices.SortStableFunc(ids, func(a, b member.ID) int { return cmp.Compare(times[b], times[a]) })
	ids = ids[:min(len(ids), columnsShown)]
	slices.SortFunc(ids, func(a, b member.ID) int { return naturally(string(a), string(b)) })
	return ids
}
