package web

import (
	"net/http"
	"strings"
	"sync"
	"time"

	"moonwatch/status"
)

// public is what people outside see at one moment, and its forms.
type public struct {
	view *view // what it was made from
	past *past
	html map[*tongue]func() content
	feed map[*tongue]func() content
	json map[string]func() content
}

func newPublic(policy status.PublicPolicy, v *view, p *past) *public {
	x := status.PublicOf(policy, v.page, p.Past)
	out := &public{view: v, past: p, feed: map[*tongue]func() content{}, json: map[string]func() content{}}
	out.html = inEach(func(t *tongue) []byte { return render("public", publicOf(t, x)) })
	for _, t := range tongues {
		out.feed[t] = sync.OnceValue(func() content { return newContent("application/atom+xml; charset=utf-8", atom(t, x)) })
	}
	for name, form := range statuspage(x) {
		out.json[name] = asJSON(form)
	}
	return out
}

// Public is the page for people outside, apart from everything else here: it has paths
// of its own, and what the policy does not name is in none of them.
func (s *Server) Public(policy status.PublicPolicy) http.Handler {
	var mu sync.Mutex
	var last *public
	now := func() *public {
		v, p := s.current(), s.past(status.Day)
		if v == nil || p == nil || v.page.Knowledge.AsOf.IsZero() { // an agent without a fact knows nothing
			return nil
		}
		mu.Lock()
		defer mu.Unlock()
		if last == nil || last.view != v || last.past != p {
			last = newPublic(policy, v, p)
		}
		return last
	}
	shown := func(form func(*public, *http.Request) content) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			p := now()
			if p == nil {
				w.Header().Set("Retry-After", "1")
				problem(w, http.StatusServiceUnavailable, errNoPage.Error())
				return
			}
			answer(w, r, form(p, r))
		}
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/{$}", shown(func(p *public, r *http.Request) content { return p.html[tongueOf(r)]() }))
	mux.HandleFunc("/feed.atom", shown(func(p *public, r *http.Request) content { return p.feed[tongueOf(r)]() }))
	for _, name := range []string{"summary", "status", "components", "incidents", "incidents/unresolved"} {
		mux.HandleFunc("/api/v2/"+name+".json", shown(func(p *public, r *http.Request) content { return p.json[name]() }))
	}
	mux.HandleFunc("/api/", func(w http.ResponseWriter, r *http.Request) {
		problem(w, http.StatusNotFound, "no such path: there are /api/v2/summary.json, status.json, components.json, incidents.json and incidents/unresolved.json")
	})
	mux.HandleFunc("/assets/{stamp}/{name}", serveAsset)
	return s.guard(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Add("Vary", "Accept-Language")
		if strings.HasPrefix(r.URL.Path, "/api/") { // programs of other sites may read it
			w.Header().Set("Access-Control-Allow-Origin", "*")
			w.Header().Set("Cross-Origin-Resource-Policy", "cross-origin")
		}
		mux.ServeHTTP(w, r)
	}))
}

// publicModel is a Public arranged for the eye.
type publicModel struct {
	frame
	status.Public
	Headline string
	Look     string // its tone
	Rows     []publicRow
	Shapes   []barShape
	Told     []publicIncident
	From     string
}

type publicRow struct {
	status.Component
	Look      string
	Words     string
	Available string
	Bars      barRow
}

type publicIncident struct {
	status.Incident
	Name   string
	Look   string
	Ending string
}

var conditions = map[status.Condition]struct{ tone, words string }{
	status.Operational: {"good", "served"}, status.UnderMaintenance: {"busy", "under maintenance"},
	status.PartialOutage: {"mind", "partly not served"}, status.MajorOutage: {"bad", "not served"},
	status.UnknownCondition: {"calm", "not known"},
}

var impacts = map[status.Impact]struct{ tone, words string }{
	status.NoImpact: {"good", "Everything is served"}, status.MinorImpact: {"mind", "Partly not served"},
	status.MajorImpact: {"bad", "A part is not served"}, status.CriticalImpact: {"bad", "Nothing is served"},
	status.UnknownImpact: {"calm", "Not known what is served"},
}

func publicOf(t *tongue, p status.Public) publicModel {
	m := publicModel{
		frame: frameOf(t, t.Say("Status"), "/", "", p.Title), Public: p,
		Headline: t.Say(impacts[p.Impact].words), Look: impacts[p.Impact].tone, From: t.Day(p.Past.Cells[0].Begin),
	}
	shapes := &barShapes{}
	for _, c := range p.Components {
		slots := ofPool(p.Past.Slots, c.Name)
		if c.Pool != "" {
			slots = slotNamed(p.Past.Slots, c.Name)
		}
		there, sum := sumOf(slots)
		row := publicRow{
			Component: c, Look: conditions[c.Condition].tone, Words: t.Say(conditions[c.Condition].words),
			Available: t.Percent(status.Availability(there, sum)), Bars: shapes.rowOf(t, p.Past, slots),
		}
		row.Bars.Words = t.Say("%s: %s served", c.Name, row.Available)
		if n := len(row.Bars.Marks); n > 0 {
			row.Bars.Words += t.Say("; last: %s", row.Bars.Marks[n-1].Words)
		}
		m.Rows = append(m.Rows, row)
	}
	m.Shapes = shapes.List
	for _, i := range p.Incidents {
		x := publicIncident{Incident: i, Name: incidentName(t, i), Look: "good"}
		took := t.Span(i.Took(p.Now))
		x.Ending = t.Say("Served again after %s.", took)
		if i.Open() {
			x.Look, x.Ending = "bad", t.Say("goes on, for %s", took)
		} else if i.Took(p.Now) > status.RecoveryGoal {
			x.Look = "mind"
		}
		m.Told = append(m.Told, x)
	}
	return m
}

func slotNamed(slots []status.PastSlot, id string) []status.PastSlot {
	for _, x := range slots {
		if string(x.ID) == id {
			return []status.PastSlot{x}
		}
	}
	return nil
}

// Stale is since when nothing is known, empty if all is.
func (m publicModel) Stale() string {
	if m.Current {
		return ""
	}
	return m.L.Say("What is shown is as old as %s UTC.", m.AsOf.UTC().Format(time.DateTime))
}
