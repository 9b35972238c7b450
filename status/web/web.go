// Package web shows a status.Page to people and programs: one live page
// rendered on the agent, the same as JSON, and a stream of changes. It is
// read-only: nothing that comes in through it changes anything.
//
// The caller hands over a Page whenever something may have changed (SetPage is
// cheap and never waits for a reader), mounts the Server in an http.Server, and
// calls Close before it shuts that one down: an open stream has no end of its
// own. Requests are answered from the last page and touch nothing else, so
// visitors cannot slow down the agent's decisions, and the page is there when
// the council is gone.
package web

import (
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"moonwatch/status"
)

// Config of a Server. The zero value of a field means its default.
type Config struct {
	Log        *zap.Logger           // silent if nil
	Registerer prometheus.Registerer // a private one if nil

	// MaxStreams live pages are open at once, further ones are told to come
	// back later. 256 by default: each costs about 40 KB, and an incident call
	// has fewer people. A quarter as many may be ending besides.
	MaxStreams int
	// Beat is how often a stream that has no news says that it is alive. 5 s by
	// default: a page that hears nothing for three of them says so itself.
	Beat time.Duration
	// Patience is how long one write to a stream may take; the client that needs
	// longer is dropped and comes back by itself. 5 s by default.
	Patience time.Duration

	// Explain answers "why?". By default the last page does.
	Explain func(id string) (status.Explanation, error)
	// Basis is what Explain answers from: while it is the same, so is each answer.
	// By default nothing is known of it, and Explain is asked each time.
	Basis func() any
	// Shield is what this agent knows of the shield. By default it has no door, and its
	// ledger says nothing.
	Shield func() status.ShieldDocument
	// Live is what observers see now; it may take a moment, and what it returns is changed
	// by nobody. By default the matrix shows what was counted alone.
	Live func() status.Live
	// Then is what observers saw at a moment that has passed, in the same way; not ok: others
	// look back at this time. By default such a matrix shows what was counted alone.
	Then func(at time.Time) (seen status.Live, ok bool)
	// Healthy and Ready answer /-/healthy and /-/ready; by default an agent is
	// healthy, and ready as soon as it has a page.
	Healthy func() error
	Ready   func() error
}

func (c Config) withDefaults() Config {
	if c.Log == nil {
		c.Log = zap.NewNop()
	}
	if c.MaxStreams <= 0 {
		c.MaxStreams = 256
	}
	if c.Beat <= 0 {
		c.Beat = 5 * time.Second
	}
	if c.Patience <= 0 {
		c.Patience = 5 * time.Second
	}
	return c
}

// The pace of pages. Five a second look immediate and bound the work in a
// storm of facts; a calm page still gets a new "as of" now and then.
const (
	pageGap  = 200 * time.Millisecond
	pageIdle = 5 * time.Second
)

// Server answers requests from the last page. All methods may be called at any
// time from any goroutine.
type Server struct {
	cfg     Config
	metrics *metrics
	handler http.Handler
	boot    int64 // makes page ids of two lives of an agent differ

	stop    chan struct{} // closed by Close
	stopped sync.Once
	running sync.WaitGroup // the pacing loop and open streams

	mu      sync.Mutex
	closed  bool
	streams int
	leaving int // streams whose place is somebody else's, and which have not ended
	seats   map[*seat]bool
	view    *view // what is shown, nil before the first page
	pasts   map[status.Grain]*past
	sights  *sights
	kept    kept // it has a lock of its own
	lived   sync.Mutex
	lives   livePages
	pending *status.Page // what came since
	pages   uint64
	news    chan struct{}
}

// New makes a server without a page. It must be closed.
func New(cfg Config) *Server {
	s := &Server{
		cfg: cfg.withDefaults(), metrics: newMetrics(cfg.Registerer), boot: time.Now().UnixMilli(),
		stop: make(chan struct{}), news: make(chan struct{}, 1), pasts: map[status.Grain]*past{}, seats: map[*seat]bool{},
	}
	s.handler = s.routes()
	s.running.Go(s.pace)
	return s
}

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.handler.ServeHTTP(w, r) }

// SetPage shows a page from now on: the first one at once, later ones within
// 200 ms, and of several in that time the last. A page that differs from the
// one before in its time and statistics only is not pushed to open streams.
func (s *Server) SetPage(p status.Page) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.view == nil {
		s.show(p)
		return
	}
	s.pending = &p
	s.tellPace()
}

func (s *Server) tellPace() {
	select {
	case s.news <- struct{}{}:
	default: // the loop has been told already
	}
}

// SetPast shows the past in one grain from now on. News of an incident is pushed to open
// streams, as a page's is.
func (s *Server) SetPast(p status.Past) {
	x := newPast(p)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pasts[p.Grain] = x
	if s.view == nil || reflect.DeepEqual(s.view.told, s.told()) {
		return
	}
	if s.pending == nil { // nothing else is new: the same page, as the agent confirmed it last
		same := s.view.page
		same.Now = time.UnixMilli(s.view.heard.Load()).UTC()
		s.pending = &same
	}
	s.tellPace()
}

// told are the last incidents. Called with mu held.
func (s *Server) told() latest { return latestOf(s.pasts[status.Day], shownIncidents) }

func (s *Server) past(g status.Grain) *past {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.pasts[g]
}

// pace shows what is pending, at most once per pageGap.
func (s *Server) pace() {
	gap := time.NewTimer(pageGap)
	defer gap.Stop()
	for {
		select {
		case <-s.stop:
			return
		case <-gap.C:
		}
		select {
		case <-s.stop:
			return
		case <-s.news:
		}
		s.mu.Lock()
		var now time.Time
		if s.pending != nil {
			now = s.pending.Now
			s.show(*s.pending)
			s.pending = nil
		}
		s.mu.Unlock()
		s.kept.forget(now) // here, where the agent's loop does not wait for it
		gap.Reset(pageGap)
	}
}

// show replaces the view. Called with mu held.
func (s *Server) show(p status.Page) {
	old, told := s.view, s.told()
	if old != nil && sameNews(old.page, p) && reflect.DeepEqual(old.told, told) {
		if p.Now.Sub(old.page.Now) < pageIdle {
			old.heard.Store(p.Now.UnixMilli())
			return
		}
		s.view = newView(old.id, p, told, old.superseded)
		return
	}
	s.pages++
	s.metrics.pages.Inc()
	s.view = newView(fmt.Sprintf("%x-%d", s.boot, s.pages), p, told, make(chan struct{}))
	if old != nil {
		close(old.superseded)
	}
}

// sameNews reports that two pages tell the same, at different times.
func sameNews(a, b status.Page) bool {
	b.Now, b.Stats = a.Now, a.Stats
	if a.Knowledge.Current && b.Knowledge.Current {
		b.Knowledge.AsOf = a.Knowledge.AsOf
	}
	return reflect.DeepEqual(a, b)
}

func (s *Server) current() *view {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.view
}

// now is the time of the page that is shown; zero: there is none yet.
func (s *Server) now() time.Time {
	if v := s.current(); v != nil {
		return v.page.Now
	}
	return time.Time{}
}

var errNoPage = errors.New("the agent is starting: there is no page yet")

// ErrBusy is what Explain says when it is asked for more than it may do at once.
var ErrBusy = errors.New("too many ask for old facts at once: ask again in a moment")

// NoPage is what Explain says as long as there is nothing to explain from.
func NoPage() error { return errNoPage }

// Close ends all streams and waits for them. Pages and JSON are answered on.
func (s *Server) Close() {
	s.stopped.Do(func() {
		s.mu.Lock()
		s.closed = true
		s.mu.Unlock()
		close(s.stop)
	})
	s.running.Wait()
}
