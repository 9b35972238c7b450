package report

import (
	"fmt"
	"strconv"
	"strings"

	"moonwatch/sim/scenario"
)

// window is the time that a drawing shows, in ms.
type window struct{ from, to int64 }

// Width is the width of the drawing in its own units, which are ms.
func (w window) Width() int64 { return w.to - w.from }

// clip cuts a span to the window.
func (w window) clip(from, to int64) (x, width int64, seen bool) {
	from, to = max(from, w.from), min(to, w.to)
	return from - w.from, to - from, to > from
}

// percent is a time's place from left to right.
func (w window) percent(ms int64) float64 { return share(ms-w.from, w.Width()) }

// shape is all that is drawn alike in a strip: one path of boxes.
type shape struct{ Class, D string }

// box is a piece of a path, from x for width ms and from y for h units.
func box(b *strings.Builder, x, width int64, y, h int) {
	fmt.Fprintf(b, "M%d %dh%dv%dh-%dz", x, y, width, h, width)
}

// strip collects the boxes of one lane by class, in the order in which the
// classes came.
type strip struct {
	window
	order []string
	paths map[string]*strings.Builder
}

func (s *strip) path(class string) *strings.Builder {
	if s.paths == nil {
		s.paths = map[string]*strings.Builder{}
	}
	b, ok := s.paths[class]
	if !ok {
		b = &strings.Builder{}
		s.paths[class] = b
		s.order = append(s.order, class)
	}
	return b
}

// add draws one state for its time.
func (s *strip) add(l look, from, to int64) {
	if x, width, seen := s.clip(from, to); seen && l.H > 0 {
		box(s.path(l.Class), x, width, l.Y, l.H)
	}
}

func (s *strip) shapes() []shape {
	out := make([]shape, 0, len(s.order))
	for _, class := range s.order {
		out = append(out, shape{class, s.paths[class].String()})
	}
	return out
}

// word is a text within a lane, from left for width percent.
type word struct {
	Left, Width float64
	Text, More  string
	Class       string
	Narrow      bool // it would not fit
}

// pixels is how wide a drawing is taken to be where a text has to fit into it
// before anybody has seen it.
const pixels = 900

// within is a text in a piece of a lane.
func (w window) within(x, width int64, text, class string) word {
	t := word{Left: share(x, w.Width()), Width: share(width, w.Width()), Text: text, Class: class}
	t.Narrow = t.Width*pixels/100 < 8+6.2*float64(len(text))
	return t
}

// changesTold is how many changes of state a text alternative tells.
const changesTold = 12

// inWords is a lane's text alternative: what began when.
func inWords(name string, ss []span, w window) string {
	var parts []string
	more := 0
	for _, s := range ss {
		if _, _, seen := w.clip(s.from, s.to); !seen {
			continue
		}
		if len(parts) == changesTold {
			more++
			continue
		}
		parts = append(parts, s.state+" from "+clock(max(s.from, w.from)))
	}
	if more > 0 {
		parts = append(parts, strconv.Itoa(more)+" more changes")
	}
	if len(parts) == 0 {
		return name + ": nothing"
	}
	return name + ": " + strings.Join(parts, "; ")
}

// line is one line of a list of what happened.
type line struct {
	At, Who, Text, Lane string
	Tone                string
}

func lineOf(e scenario.Event) line {
	l := line{At: clock(e.AtMS), Who: string(e.Member), Text: e.Text, Lane: e.Lane}
	if l.Who == "" {
		l.Who = e.Lane
	}
	if l.Text == "" && e.State != "" {
		l.Text = "now " + strings.ToLower(e.State)
		if e.Case > 0 {
			l.Text = fmt.Sprintf("C-%d is %s", e.Case, strings.ToLower(e.State))
		}
	}
	if e.Lane == laneChecker {
		l.Tone = "bad"
	}
	return l
}

// lines are those of the events within a window, and how many found no place.
func lines(events []scenario.Event, w window) (out []line, more int) {
	for _, e := range events {
		switch {
		case e.AtMS < w.from || e.AtMS > w.to:
		case len(out) == linesShown:
			more++
		default:
			out = append(out, lineOf(e))
		}
	}
	return out, more
}
