package web

import (
	"net/http"
	"slices"
	"sync"
	"time"

	"moonwatch/member"
	"moonwatch/status"
)

// Sizes of the page of the past: with them it stays below 30 KB in a fleet of 200.
const (
	shownOutages = 30
	shownDays    = 20 // on which something was lost
	rowsInSight  = 12 // of one pool
)

// frame is what every page of this kind has around its content.
type frame struct {
	L     *tongue
	Base  string
	Title string
	Here  string // the page's path
	Keep  string // of its query, without the language
	Other []*tongue
	Of    string // the cluster
	JSON  string // where the same is for programs

	Banner *banner // nil: the content begins with the mode, or nothing is known of it
	Script string  // that keeps it up to date, if it changes while it is looked at
	Still  bool    // without a script it is not loaded anew by itself: somebody is choosing something
	Seen   string  // what that script has been told already
}

// Places are the pages that there are.
func (f frame) Places() []choice {
	var out []choice
	for _, x := range []struct{ words, path string }{
		{"Now", "/"}, {"History", "/history"}, {"Observers", "/observers"}, {"Shield", "/shield"},
	} {
		out = append(out, choice{f.L.Say(x.words), f.To(x.path), f.Here == x.path})
	}
	return out
}

// To leads to a page in the language of this one.
func (f frame) To(path string) string { return path + "?lang=" + f.L.Code }

// In leads to this page in another language.
func (f frame) In(t *tongue) string {
	q := "?lang=" + t.Code
	if f.Keep != "" {
		q += "&" + f.Keep
	}
	return f.Here + q
}

func frameOf(t *tongue, title, here, keep, cluster string) frame {
	f := frame{L: t, Base: base, Title: title, Here: here, Keep: keep, Of: cluster, JSON: "/api/v1" + here}
	for _, x := range tongues {
		if x != t {
			f.Other = append(f.Other, x)
		}
	}
	return f
}

// spans are the whiles that the page of the past can show.
var spans = []struct {
	Name  string // in its address
	Words string
	Grain status.Grain
}{
	{"90d", "90 days", status.Day},
	{"48h", "48 hours", status.Hour},
	{"60m", "60 minutes", status.Minute},
}

// choice is one of several links to the same page.
type choice struct {
	Words, Link string
	Chosen      bool
}

// historyModel is a Past arranged for the eye.
type historyModel struct {
	frame
	status.Past
	Spans     []choice
	Available float64
	Sum       status.Share
	Below     int // slots
	Counted   int
	Lasted    lasted
	Cascade   time.Duration
	Fleet     barRow
	Shapes    []barShape
	Pools     []poolRows
	Shown     []status.Outage
	More      int
	Lost      []lostCell
	LostMore  int
	Told      latest // of 90 days; the other spans show none: what began before them would have another number
	Goal      float64
}

type poolRows struct {
	Name      string
	Available float64
	Below     bool
	Bars      barRow
	Rows      []slotRow // in sight
	Folded    []slotRow
}

// lostCell is a roll-up in which something was lost: the bars once more, in words.
type lostCell struct {
	Name  string
	Lost  time.Duration
	Slots string
}

// lasted says how long recoveries took.
type lasted struct {
	Count, Within   int
	Median, Longest time.Duration
}

func lastedOf(outages []status.Outage) lasted {
	var took []time.Duration
	x := lasted{Count: len(outages)}
	for _, o := range outages {
		d := o.Took(o.To)
		took = append(took, d)
		if d <= status.RecoveryGoal {
			x.Within++
		}
	}
	if len(took) > 0 {
		slices.Sort(took)
		x.Median, x.Longest = took[(len(took)-1)/2], took[len(took)-1]
	}
	return x
}

func historyOf(t *tongue, p status.Past) historyModel {
	m := historyModel{Past: p, Goal: status.AvailabilityGoal, Lasted: lastedOf(p.Recovered())}
	for _, x := range spans {
		if x.Grain == p.Grain {
			m.frame = frameOf(t, t.Say("History"), "/history", "span="+x.Name, p.Cluster)
			m.JSON = "/api/v1/history/" + string(p.Grain)
		}
	}
	for _, x := range spans {
		m.Spans = append(m.Spans, choice{t.Say(x.Words), m.To("/history") + "&span=" + x.Name, x.Grain == p.Grain})
	}
	there, sum := sumOf(p.Slots)
	m.Available, m.Sum = status.Availability(there, sum), sum
	for _, c := range p.Cells {
		m.Cascade += c.Cascade.Duration()
	}
	shapes := &barShapes{}
	m.Fleet = fleetBars(t, shapes, p)
	for _, name := range p.Pools() {
		slots := ofPool(p.Slots, name)
		there, sum := sumOf(slots)
		x := poolRows{Name: name, Available: status.Availability(there, sum), Bars: shapes.rowOf(t, p, slots)}
		x.Below = x.Available < status.AvailabilityGoal
		x.Bars.Words = t.Say("%s: %s served", t.Say("Pool %s", name), t.Percent(x.Available))
		rows := shapes.rows(t, p, slots)
		x.Rows, x.Folded = rows[:min(len(rows), rowsInSight)], rows[min(len(rows), rowsInSight):]
		for _, r := range rows {
			if r.There > 0 {
				m.Counted++
			}
			if r.Below {
				m.Below++
			}
		}
		m.Pools = append(m.Pools, x)
	}
	m.Shapes = shapes.List
	m.Shown = p.Outages[:min(len(p.Outages), shownOutages)]
	m.More = len(p.Outages) - len(m.Shown)
	lost := lostCells(t, p)
	m.Lost = lost[:min(len(lost), shownDays)]
	m.LostMore = len(lost) - len(m.Lost)
	return m
}

// fleetBars draws the mode that the whole fleet was in.
func fleetBars(t *tongue, shapes *barShapes, p status.Past) barRow {
	row := barRow{Width: len(p.Cells)*barStep - 2, Height: barHeight}
	var calm, none []int
	var cascade, guarded time.Duration
	for i, c := range p.Cells {
		cascade += c.Cascade.Duration()
		guarded += c.Guarded.Duration()
		name := cellName(t, p.Grain, c.Begin)
		switch {
		case c.Cascade > 0:
			row.Marks = append(row.Marks, barMark{"bad", barPath("bad", []int{i}), t.Say("%s: in cascade for %s", name, t.Span(c.Cascade.Duration()))})
		case c.Guarded > 0:
			row.Marks = append(row.Marks, barMark{"mind", barPath("mind", []int{i}), t.Say("%s: guarded for %s", name, t.Span(c.Guarded.Duration()))})
		case c.Known == 0:
			none = append(none, i)
		default:
			calm = append(calm, i)
		}
	}
	row.Calm, row.None = shapes.id("good", barPath("good", calm)), shapes.id("none", barPath("none", none))
	row.Words = t.Say("In cascade for %s, guarded for %s", t.Span(cascade), t.Span(guarded))
	return row
}

// lostCells lists what was lost, the newest first.
func lostCells(t *tongue, p status.Past) []lostCell {
	ids := make([][]member.SlotID, len(p.Cells))
	for _, s := range p.Slots {
		for _, m := range s.Marks {
			if m.Lost > 0 {
				ids[m.Cell] = append(ids[m.Cell], s.ID)
			}
		}
	}
	var out []lostCell
	for i, c := range slices.Backward(p.Cells) {
		if c.Lost > 0 {
			out = append(out, lostCell{cellName(t, p.Grain, c.Begin), c.Lost.Duration(), fewNames(ids[i], 6)})
		}
	}
	return out
}

// historyPage answers with the past.
func (s *Server) historyPage(w http.ResponseWriter, r *http.Request) {
	g := status.Day
	for _, x := range spans {
		if x.Name == r.URL.Query().Get("span") {
			g = x.Grain
		}
	}
	p := s.past(g)
	if p == nil {
		s.notYet(w, r, "/history")
		return
	}
	answerIn(w, r, p.page(tongueOf(r), s.current().banner()))
}

// say answers in the language that is asked for.
func (s *Server) say(w http.ResponseWriter, r *http.Request, in map[*tongue]func() content) {
	answerIn(w, r, in[tongueOf(r)]())
}

// answerIn is answer for what there is in several languages.
func answerIn(w http.ResponseWriter, r *http.Request, c content) {
	w.Header().Add("Vary", "Accept-Language")
	answer(w, r, c)
}

// inEach makes a page in each language when it is first asked for in it.
func inEach(write func(*tongue) []byte) map[*tongue]func() content {
	out := map[*tongue]func() content{}
	for _, t := range tongues {
		out[t] = sync.OnceValue(func() content { return newContent("text/html; charset=utf-8", squeeze(write(t))) })
	}
	return out
}

// SpanWords says how long the bars go back.
func (m historyModel) SpanWords() string {
	for _, x := range m.Spans {
		if x.Chosen {
			return x.Words
		}
	}
	return ""
}

// First names the oldest bar.
func (m historyModel) First() string { return cellName(m.L, m.Grain, m.Cells[0].Begin) }

// Tone is how an outage stands against what was wanted.
func (m historyModel) Tone(o status.Outage) string {
	switch {
	case o.Took(m.Now) > status.RecoveryGoal:
		return "bad"
	case o.Open():
		return "mind"
	default:
		return "good"
	}
}

// Ending says how an outage ended.
func (m historyModel) Ending(o status.Outage) string {
	took := m.L.Span(o.Took(m.Now))
	switch {
	case o.Open():
		return m.L.Say("goes on, for %s", took)
	case o.Removed:
		return m.L.Say("the slot left the fleet after %s", took)
	default:
		return took
	}
}

// Forms is the key to the bars.
func (f frame) Forms() []barMark {
	var out []barMark
	for _, x := range []struct{ tone, words string }{
		{"good", "served"}, {"mind", "not served, at most 10 min"}, {"bad", "longer"}, {"busy", "taken away by people"}, {"none", "not known"},
	} {
		out = append(out, barMark{x.tone, barPath(x.tone, []int{0}), f.L.Say(x.words)})
	}
	return out
}
