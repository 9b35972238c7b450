package web

import (
	"errors"
	"maps"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"go.uber.org/zap"

	"moonwatch/status"
)

// policy lets the page load what this agent serves and nothing else; nothing
// written into it can run, and nobody can frame it.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; " +
	"base-uri 'none'; form-action 'self'; frame-ancestors 'none'"

func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/{$}", s.nowPage)
	mux.HandleFunc("/explain/{id...}", s.explainPage)
	mux.HandleFunc("/runbook/{name}", s.runbookPage)
	mux.HandleFunc("/history", s.historyPage)
	mux.HandleFunc("/observers", s.observersPage)
	mux.HandleFunc("/shield", s.shieldPage)
	mux.HandleFunc("/events", s.stream)
	for _, part := range []string{"page", "members", "slots", "verdicts", "failovers", "facts"} {
		mux.HandleFunc("/api/v1/"+part, s.shown(func(v *view) content { return v.json[part]() }))
	}
	mux.HandleFunc("/api/v1/explain/{id...}", s.explainJSON)
	mux.HandleFunc("/api/v1/history/{grain}", s.historyJSON)
	mux.HandleFunc("/api/v1/observers", s.observersJSON)
	mux.HandleFunc("/api/", func(w http.ResponseWriter, r *http.Request) {
		problem(w, http.StatusNotFound, "no such path: there are /api/v1/page, members, slots, verdicts, failovers, facts, history/day, observers, and explain/ID")
	})
	mux.HandleFunc("/assets/{stamp}/{name}", serveAsset)
	mux.HandleFunc("/-/healthy", hook(s.cfg.Healthy))
	mux.HandleFunc("/-/ready", s.ready)
	return s.guard(mux)
}

// guards are the headers of every answer. All answers share the values: whoever sets
// another one replaces them, and nobody writes into them.
var guards = http.Header{
	"Content-Security-Policy":      {policy},
	"X-Content-Type-Options":       {"nosniff"},
	"Referrer-Policy":              {"no-referrer"},
	"Cross-Origin-Opener-Policy":   {"same-origin"},
	"Cross-Origin-Resource-Policy": {"same-origin"},
}

// guard sets the headers that every answer has, and refuses what would be no
// reading.
func (s *Server) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		maps.Copy(h, guards)
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			h.Set("Allow", "GET, HEAD")
			http.Error(w, "read only: GET or HEAD", http.StatusMethodNotAllowed)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// shown answers with one form of the present view.
func (s *Server) shown(form func(*view) content) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		v := s.current()
		if v == nil {
			w.Header().Set("Retry-After", "1")
			problem(w, http.StatusServiceUnavailable, errNoPage.Error())
			return
		}
		answer(w, r, form(v))
	}
}

// explain answers "why?", of an incident from the past.
func (s *Server) explain(id string) (status.Explanation, error) {
	e, err := s.explainNow(id)
	p := s.past(status.Day)
	if !errors.Is(err, status.ErrUnknown) || p == nil || !strings.HasPrefix(strings.ToUpper(strings.TrimSpace(id)), "I-") {
		return e, err
	}
	return p.ExplainIncident(id)
}

// explainNow asks who is to answer, the last page by default.
func (s *Server) explainNow(id string) (status.Explanation, error) {
	v := s.current()
	switch {
	case s.cfg.Explain != nil:
		return s.cfg.Explain(id)
	case v == nil:
		return status.Explanation{}, errNoPage
	default:
		return v.page.Explain(id)
	}
}

// basis is what explain answers from; nil: nobody knows.
func (s *Server) basis() any {
	switch {
	case s.cfg.Basis != nil:
		return s.cfg.Basis()
	case s.cfg.Explain != nil:
		return nil
	default:
		return s.current()
	}
}

func (s *Server) explainJSON(w http.ResponseWriter, r *http.Request) {
	e, err := s.explain(r.PathValue("id"))
	if err != nil {
		comeBack(w, err)
		problem(w, s.statusOf(err), err.Error())
		return
	}
	answer(w, r, newContent("application/json", encode(e)))
}

// nowPage is the page of what stands.
func (s *Server) nowPage(w http.ResponseWriter, r *http.Request) {
	v := s.current()
	if v == nil {
		s.notYet(w, r, "/")
		return
	}
	s.say(w, r, v.html)
}

// notYet answers a browser before there is anything to show; it asks again by itself.
func (s *Server) notYet(w http.ResponseWriter, r *http.Request, path string) {
	t := tongueOf(r)
	w.Header().Set("Retry-After", "1")
	w.Header().Set("Refresh", "5")
	m := explained{frame: frameOf(t, t.Say("Moonwatch is starting"), path, "", ""), ID: t.Say("Moonwatch is starting"), Trouble: errNoPage.Error()}
	m.JSON = "/api/v1/page" // the one that is there once it has started, whichever page was asked for
	refuse(w, http.StatusServiceUnavailable, render("explain", m))
}

func (s *Server) explainPage(w http.ResponseWriter, r *http.Request) {
	t, id := tongueOf(r), r.PathValue("id")
	v := s.current()
	name, basis := "explain "+t.Code+" "+id+" "+v.banner().said(), s.basis()
	if c, ok := s.kept.made(s.now(), name, basis); ok {
		answerIn(w, r, c)
		return
	}
	e, err := s.explain(id)
	m := explained{frame: frameOf(t, id, "/explain/"+url.PathEscape(id), "", ""), ID: id}
	if v != nil {
		m.Of, m.Banner, m.Today = v.page.Cluster, v.banner(), v.page.Now.UTC().Truncate(24*time.Hour)
	}
	if err != nil {
		m.Trouble = err.Error()
		comeBack(w, err)
		refuse(w, s.statusOf(err), render("explain", m))
		return
	}
	for _, name := range runbooksOf(e) {
		m.Books = append(m.Books, choice{Words: name, Link: t.Book(name)})
	}
	m.Lines, m.See, m.Case = e.Lines, e.See, e.Case
	answerIn(w, r, s.kept.page(s.now(), name, basis, m, func() []byte { return render("explain", m) }))
}

// refuse answers a browser that asked for what there is not.
func refuse(w http.ResponseWriter, code int, page []byte) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Add("Vary", "Accept-Language")
	w.WriteHeader(code)
	put(w, page)
}

// comeBack tells who asked too much when to ask again; a browser does so by itself.
func comeBack(w http.ResponseWriter, err error) {
	if errors.Is(err, ErrBusy) {
		w.Header().Set("Retry-After", "2")
		w.Header().Set("Refresh", "5")
	}
}

func (s *Server) statusOf(err error) int {
	switch {
	case errors.Is(err, ErrBusy):
		return http.StatusTooManyRequests
	case errors.Is(err, status.ErrUnknown):
		return http.StatusNotFound
	case errors.Is(err, errNoPage):
		return http.StatusServiceUnavailable
	default:
		s.cfg.Log.Warn("explain", zap.Error(err))
		return http.StatusInternalServerError
	}
}

func (s *Server) ready(w http.ResponseWriter, r *http.Request) {
	// The agent's own reason first: why it waits says more than that it does.
	hook(func() error {
		if s.cfg.Ready != nil {
			if err := s.cfg.Ready(); err != nil {
				return err
			}
		}
		if s.current() == nil {
			return errNoPage
		}
		return nil
	})(w, r)
}

// hook answers a probe of an init system or load balancer.
func hook(ask func() error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		if ask != nil {
			if err := ask(); err != nil {
				http.Error(w, err.Error(), http.StatusServiceUnavailable)
				return
			}
		}
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		put(w, []byte("ok\n"))
	}
}

// answer sends content, or 304 to a client that has it.
func answer(w http.ResponseWriter, r *http.Request, c content) {
	h := w.Header()
	h.Set("Cache-Control", "no-cache") // keep it, ask each time
	h.Add("Vary", "Accept-Encoding")
	b, tag := c.plain, `"`+c.etag+`"`
	if acceptsGzip(r) {
		b, tag = c.gzip, `"`+c.etag+`-gzip"`
	}
	h.Set("Etag", tag)
	if has(r.Header.Get("If-None-Match"), tag) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	send(w, r, c.kind, b)
}

// send writes bytes that are in the form which the client accepts. They have a length:
// in chunks they would take one more call of the system, a seventh of what an answer costs.
func send(w http.ResponseWriter, r *http.Request, kind string, b []byte) {
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Content-Length", strconv.Itoa(len(b)))
	if acceptsGzip(r) {
		w.Header().Set("Content-Encoding", "gzip")
	}
	put(w, b)
}

// has reports whether an If-None-Match header names the tag.
func has(header, tag string) bool {
	for one := range strings.SplitSeq(header, ",") {
		one = strings.TrimPrefix(strings.TrimSpace(one), "W/")
		if one == tag || one == "*" {
			return true
		}
	}
	return false
}

// acceptsGzip reads Accept-Encoding as browsers, curl and Go write it; whoever
// weighs its encodings gets plain bytes, which are never wrong.
func acceptsGzip(r *http.Request) bool {
	for one := range strings.SplitSeq(r.Header.Get("Accept-Encoding"), ",") {
		if strings.TrimSpace(one) == "gzip" {
			return true
		}
	}
	return false
}

// problem is an error for programs.
func problem(w http.ResponseWriter, code int, text string) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(code)
	put(w, encode(map[string]string{"error": text}))
}

// put writes an answer to its end or to where the client hangs up: who is gone
// misses nothing.
func put(w http.ResponseWriter, b []byte) { _, _ = w.Write(b) }
