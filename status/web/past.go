package web

import (
	"net/http"
	"sync"

	"moonwatch/status"
)

// past is what is told of a while, and its forms.
type past struct {
	status.Past
	incidents []incidentRow // of the past of days, which knows them all; the others have none
	json      func() content

	mu    sync.Mutex
	mode  string // that pages were made in
	pages map[*tongue]content
}

func newPast(p status.Past) *past {
	x := &past{Past: p, json: asJSON(p)}
	if p.Grain == status.Day {
		x.incidents = incidentRows(p)
	}
	return x
}

// page is made once for each mode and language, however many look.
func (p *past) page(t *tongue, mode *banner) content {
	p.mu.Lock()
	defer p.mu.Unlock()
	if said := mode.said(); p.pages == nil || p.mode != said {
		p.mode, p.pages = said, map[*tongue]content{}
	}
	c, ok := p.pages[t]
	if !ok {
		m := historyOf(t, p.Past)
		m.Banner, m.Told = mode, latestOf(p, shownIncidentsPast)
		c = newContent("text/html; charset=utf-8", squeeze(render("history", m)))
		p.pages[t] = c
	}
	return c
}

// historyJSON answers with roll-ups of the grain that the path names.
func (s *Server) historyJSON(w http.ResponseWriter, r *http.Request) {
	switch g := status.Grain(r.PathValue("grain")); g {
	case status.Minute, status.Hour, status.Day:
		if p := s.past(g); p != nil {
			answer(w, r, p.json())
			return
		}
		w.Header().Set("Retry-After", "1")
		problem(w, http.StatusServiceUnavailable, errNoPage.Error())
	default:
		problem(w, http.StatusNotFound, "no such roll-ups: there are /api/v1/history/day, hour and minute")
	}
}
