package web

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"moonwatch/member"
	"moonwatch/status"
)

// The matrix: a column for each observer, a row for each subject, both by failure domain
// and name. Up to labelled members have their names beside it; of more the drawing shows
// where trouble is, and the words below say who.
const (
	labelled   = 40
	told       = 12 // subjects whose observers are all named
	toldLine   = 60 // further ones, a line each
	shownTurns = 12 // moments in which something changed
)

// matrix is the drawing.
type matrix struct {
	Words  string // instead of it
	Size   int    // of its square, in units
	Left   int    // room for names, likewise above and to the right
	Top    int
	Right  int
	Labels []matrixLabel
	Lines  string // between failure domains
	Paths  []barShape
}

type matrixLabel struct {
	Name string
	X, Y int
}

// cellForms are the forms of a cell, 10 units wide: a dot for an edge that is calm, a
// full square for down, a ring for one who still reaches a subject that others call down,
// a wedge for one that loses probes and accuses nobody, a bar for one who says nothing.
var cellForms = map[string]string{
	"none": "M%d %dm-1-1h4v4h-4z",
	"bad":  "M%d %dm-3-3h8v8h-8z",
	"mind": "M%d %dm-3-3h8v8h-8zm2 2v4h4v-4z",
	"busy": "M%d %dm1-3l4 8h-8z",
	"calm": "M%d %dm-3 0h8v2h-8z",
}

// observersModel is what observers said at a moment, arranged for the eye.
type observersModel struct {
	frame
	AsOf, At time.Time
	Past     bool // At is not now
	Begun    time.Time
	Times    []choice
	Turns    []choice
	Matrix   matrix
	Told     []regarded
	Line     []regarded
	More     int
	Members  int
	Edges    int
	Accusers []accuser
	Counted  time.Time // the last count before At
	Slider   slider
	Live     *liveModel // what observers see, or saw At; nil: nobody was asked
	Busy     bool       // for others look back at this time
	Here     string     // the address of this page
}

type regarded struct {
	status.Regarded
	Look string
}

// accuser is an observer with all whom it calls down: one that calls many down may be
// what is wrong.
type accuser struct {
	Observer member.ID
	Count    int
	Of       string
}

func observersOf(t *tongue, p status.Page, s status.Sights, seen seen, at time.Time, chosen string) observersModel {
	keep := ""
	if chosen != "" {
		keep = "at=" + chosen
	}
	m := observersModel{
		frame: frameOf(t, t.Say("Observers"), "/observers", keep, p.Cluster),
		AsOf:  s.AsOf, At: at, Past: chosen != "", Begun: s.Begun, Members: len(p.Members),
		Slider: sliderAt(t, s.AsOf, at, chosen != ""),
	}
	m.Script, m.Still = "observers.js", true
	m.Live, m.Busy, m.Here = liveOf(seen.Live), seen.busy, m.To("/observers")
	if m.Past {
		m.Here += "&at=" + chosen
	}
	for _, x := range ago {
		link := m.To("/observers")
		if x.name != "" {
			link += "&at=" + x.name
		}
		m.Times = append(m.Times, choice{t.Say(x.words), link, x.name == chosen})
	}
	for _, v := range slices.Backward(s.Verdicts) {
		if !v.At.After(at) && m.Counted.IsZero() {
			m.Counted = v.At
		}
		if len(m.Turns) < shownTurns && s.AsOf.Sub(v.At) <= 24*time.Hour {
			name := v.At.UTC().Format(time.RFC3339Nano)
			m.Turns = append(m.Turns, choice{v.ID + " " + v.At.UTC().Format("15:04:05"), m.To("/observers") + "&at=" + name, name == chosen})
		}
	}
	all := s.At(at)
	for i, r := range all {
		x := regarded{r, tone(r.Kind)}
		switch {
		case i < told:
			m.Told = append(m.Told, x)
		case i < told+toldLine:
			m.Line = append(m.Line, x)
		default:
			m.More++
		}
	}
	m.Accusers = accusers(all)
	m.draw(p.Members, all)
	return m
}

// accusers lists who calls most down, if anybody calls two.
func accusers(all []status.Regarded) []accuser {
	of := map[member.ID][]string{}
	for _, r := range all {
		for _, s := range r.By {
			if s.Regard == status.RegardDown {
				of[s.Observer] = append(of[s.Observer], string(r.Subject))
			}
		}
	}
	var out []accuser
	for id, subjects := range of {
		if len(subjects) < 2 {
			continue
		}
		text := strings.Join(subjects[:min(len(subjects), 6)], ", ")
		if more := len(subjects) - 6; more > 0 {
			text += fmt.Sprintf(" +%d", more)
		}
		out = append(out, accuser{id, len(subjects), text})
	}
	slices.SortFunc(out, func(a, b accuser) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Observer, b.Observer))
	})
	return out[:min(len(out), told)]
}

// draw fills the matrix: the edges of today's overlay, or of then where observers remember
// them, and over them what was said.
func (m *observersModel) draw(members []status.Member, all []status.Regarded) {
	order := slices.Clone(members)
	slices.SortFunc(order, func(a, b status.Member) int {
		return cmp.Or(cmp.Compare(a.Domain, b.Domain), cmp.Compare(a.ID, b.ID))
	})
	place := map[member.ID]int{}
	for i, x := range order {
		place[x.ID] = i
	}
	x := &m.Matrix
	x.Size = max(1, len(order)) * 10
	cells := map[string]*strings.Builder{"none": {}, "calm": {}, "busy": {}, "mind": {}, "bad": {}}
	put := func(form string, observer, subject int) {
		fmt.Fprintf(cells[form], cellForms[form], observer*10+4, subject*10+4)
	}
	drawn := map[[2]int]bool{}
	for _, r := range all {
		row, ok := place[r.Subject]
		if !ok {
			continue // it has left
		}
		for _, s := range r.By {
			column, ok := place[s.Observer]
			if !ok {
				continue
			}
			drawn[[2]int{column, row}] = true
			put(m.over(s, r.Subject), column, row)
		}
	}
	for row, s := range order {
		for _, id := range s.Observers {
			column, ok := place[id]
			if !ok {
				continue
			}
			form := m.now(id, s.ID)
			if form == "" {
				continue
			}
			m.Edges++
			if at := [2]int{column, row}; !drawn[at] {
				drawn[at] = true
				put(form, column, row)
			}
		}
		if row > 0 && order[row-1].Domain != s.Domain {
			x.Lines += fmt.Sprintf("M0 %dh%dM%d 0v%d", row*10, x.Size, row*10, x.Size)
		}
	}
	if m.Past && m.Live != nil {
		m.drawFormer(place, drawn, put)
	}
	for _, form := range []string{"none", "calm", "busy", "mind", "bad"} {
		if cells[form].Len() > 0 {
			x.Paths = append(x.Paths, barShape{Tone: form, Path: cells[form].String()})
		}
	}
	if len(order) <= labelled {
		longest := 0
		for i, s := range order {
			name := string(s.ID)
			if len(name) > 14 {
				name = name[:13] + "…"
			}
			longest = max(longest, len(name))
			x.Labels = append(x.Labels, matrixLabel{name, -4, i*10 + 8})
		}
		// A letter is 5 units wide, and names above lean by 60 degrees.
		x.Left, x.Top, x.Right = 5*longest+8, 9*longest/2+10, 5*longest/2+6
	}
	x.Words = m.L.Say("%d members, each watched by others; %d of them under a verdict. The tables below say who said what.", len(order), len(all))
}

// drawFormer adds the edges of then that are of the overlay no more.
func (m *observersModel) drawFormer(place map[member.ID]int, drawn map[[2]int]bool, put func(form string, observer, subject int)) {
	for _, by := range m.Live.By {
		column, stays := place[by.Observer]
		for _, s := range by.Sees {
			row, ok := place[s.Subject]
			if at := [2]int{column, row}; !ok || !stays || drawn[at] {
				continue
			}
			m.Edges++
			put(m.Live.At[[2]member.ID{by.Observer, s.Subject}], column, row)
		}
	}
}

// over is the cell of somebody who was counted for a verdict: as it is now, where that is
// known.
func (m *observersModel) over(s status.ObserverSaid, subject member.ID) string {
	was := map[status.Regard]string{status.RegardDown: "bad", status.RegardUp: "mind", status.RegardSilent: "calm"}[s.Regard]
	if m.Live == nil {
		return was
	}
	switch now := m.Live.At[[2]member.ID{s.Observer, subject}]; now {
	case "":
		return was
	case "none": // it reaches a subject that others called down
		return "mind"
	default:
		return now
	}
}

// now is the cell of anybody else; empty: the observer did not watch the subject then.
func (m *observersModel) now(observer, subject member.ID) string {
	if m.Live == nil {
		return "none"
	}
	if form := m.Live.At[[2]member.ID{observer, subject}]; form != "" {
		return form
	}
	if m.Past && m.Live.heard[observer] {
		return ""
	}
	return "calm" // nothing was heard of it
}

// View is the drawing's box.
func (x matrix) View() string {
	return fmt.Sprintf("%d %d %d %d", -x.Left, -x.Top, x.Left+x.Size+x.Right, x.Top+x.Size)
}

// Width is how wide the drawing may become: small fleets need not fill the screen.
func (x matrix) Width() int { return min(1100, (x.Left+x.Size+x.Right)*2) }

// Height keeps the drawing's form.
func (x matrix) Height() int { return x.Width() * (x.Top + x.Size) / (x.Left + x.Size + x.Right) }

// CellForms is the key to the matrix.
func (m observersModel) CellForms() []barMark {
	var out []barMark
	for _, x := range []struct{ tone, words string }{
		{"none", "watches it, nothing to say"}, {"bad", "says down"}, {"busy", "loses probes"}, {"mind", "still reaches it"}, {"calm", "said nothing"},
	} {
		if x.tone == "busy" && m.Live == nil {
			continue
		}
		out = append(out, barMark{x.tone, fmt.Sprintf(cellForms[x.tone], 4, 4), m.L.Say(x.words)})
	}
	return out
}

// observersPage answers who saw whom, now or at a moment of the last day.
func (s *Server) observersPage(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	v, sights := s.view, s.sights
	s.mu.Unlock()
	if v == nil || sights == nil {
		s.notYet(w, r, "/observers")
		return
	}
	at, chosen := momentOf(r.URL.Query().Get("at"), sights.Sights)
	t, mode := tongueOf(r), v.banner()
	seen := s.seen(at, chosen)
	write := func() []byte {
		m := observersOf(t, v.page, sights.Sights, seen, at, chosen)
		m.Banner = mode
		return render("observers", m)
	}
	if seen.Live != nil && chosen == "" {
		answerIn(w, r, s.livePage(t, mode, *seen.Live, write))
		return
	}
	answerIn(w, r, sights.page(t.Code+" "+chosen+" "+mode.said()+" "+seen.name(), write))
}

// seen is what observers see, or saw at a moment; without it: this agent asks nobody, or not
// now.
type seen struct {
	*status.Live
	busy bool
}

// name tells what a page shows of it from what another shows.
func (s seen) name() string {
	switch {
	case s.busy:
		return "busy"
	case s.Live == nil:
		return ""
	default:
		return s.AsOf.Format(time.RFC3339Nano)
	}
}

func (s *Server) seen(at time.Time, chosen string) seen {
	switch {
	case chosen == "" && s.cfg.Live != nil:
		x := s.cfg.Live()
		return seen{Live: &x}
	case chosen != "" && s.cfg.Then != nil:
		x, ok := s.cfg.Then(at)
		if !ok {
			return seen{busy: true}
		}
		return seen{Live: &x}
	default:
		return seen{}
	}
}

// livePages are the pages of one moment of the present, by language.
type livePages struct {
	asOf  time.Time
	mode  string
	pages map[*tongue]content
}

// livePage is made once for each moment, mode and language, however many look.
func (s *Server) livePage(t *tongue, mode *banner, live status.Live, write func() []byte) content {
	s.lived.Lock()
	defer s.lived.Unlock()
	if said := mode.said(); !s.lives.asOf.Equal(live.AsOf) || s.lives.mode != said {
		s.lives = livePages{asOf: live.AsOf, mode: said, pages: map[*tongue]content{}}
	}
	c, ok := s.lives.pages[t]
	if !ok {
		c = newContent("text/html; charset=utf-8", squeeze(write()))
		s.lives.pages[t] = c
	}
	return c
}

// sights are what is told of observers, with the pages of it that were asked for.
type sights struct {
	status.Sights
	mu    sync.Mutex
	pages map[string]content
}

// keptPages bounds them: people ask for now and a few moments.
const keptPages = 32

func (s *sights) page(name string, write func() []byte) content {
	s.mu.Lock()
	c, ok := s.pages[name]
	s.mu.Unlock()
	if ok {
		return c
	}
	c = newContent("text/html; charset=utf-8", squeeze(write()))
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.pages) >= keptPages { // as a rule those of moments that were being asked for
		clear(s.pages)
	}
	s.pages[name] = c
	return c
}

// Few reports that all can be unfolded at once.
func (m observersModel) Few() bool { return m.Standing() <= 3 }

// Standing is how many are told of.
func (m observersModel) Standing() int { return len(m.Told) + len(m.Line) + m.More }

// Look is the tone of a word.
func (m observersModel) Look(r status.Regard) string {
	return map[status.Regard]string{status.RegardDown: "bad", status.RegardUp: "mind", status.RegardSilent: "calm"}[r]
}

// Word is what the word says.
func (m observersModel) Word(r status.Regard) string {
	return map[status.Regard]string{status.RegardDown: "says down", status.RegardUp: "still reaches it", status.RegardSilent: "said nothing"}[r]
}

// observersJSON answers the same for programs.
func (s *Server) observersJSON(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	sights := s.sights
	s.mu.Unlock()
	if sights == nil {
		w.Header().Set("Retry-After", "1")
		problem(w, http.StatusServiceUnavailable, errNoPage.Error())
		return
	}
	at, chosen := momentOf(r.URL.Query().Get("at"), sights.Sights)
	list := sights.At(at)
	if list == nil {
		list = []status.Regarded{}
	}
	seen := s.seen(at, chosen)
	doc := status.ObserversDocument{Schema: status.Schema, AsOf: sights.AsOf, At: at, Subjects: list, Busy: seen.busy}
	if chosen == "" {
		doc.Live = seen.Live
	} else {
		doc.Then = seen.Live
	}
	answer(w, r, newContent("application/json", encode(doc)))
}

// SetSights shows what observers said from now on.
func (s *Server) SetSights(x status.Sights) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sights = &sights{Sights: x, pages: map[string]content{}}
}
