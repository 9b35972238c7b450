package web

import (
	"net/http"

	"moonwatch/status"
)

// past is what is told of a while, and its forms.
type past struct {
	status.Past
	json func() content
	html map[*tongue]func() content
}

func newPast(p status.Past) *past {
	return &past{Past: p, json: asJSON(p), html: inEach(func(t *tongue) []byte { return render("history", historyOf(t, p)) })}
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
