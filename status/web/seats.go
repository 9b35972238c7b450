package web

import (
	"net"
	"net/http"
)

// seat is the place of an open stream.
type seat struct {
	whose string        // address that holds it
	away  chan struct{} // closed when somebody else is to have it
}

// addressOf is whose streams are counted together.
func addressOf(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}

// enter takes one of the places for streams; nil: there is none. When all are taken, the
// address that holds most of them gives one up to one that holds fewer, by two at least:
// a browser that keeps a thousand streams open has what is left over, and nobody else goes
// without a live page for it.
func (s *Server) enter(whose string) *seat {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || s.view == nil {
		return nil
	}
	if s.streams >= s.cfg.MaxStreams {
		held := map[string]int{}
		most := ""
		for x := range s.seats {
			if held[x.whose]++; held[x.whose] > held[most] || held[x.whose] == held[most] && x.whose < most {
				most = x.whose
			}
		}
		if held[most] < held[whose]+2 {
			return nil
		}
		for x := range s.seats {
			if x.whose == most {
				close(x.away)
				delete(s.seats, x)
				s.streams--
				break
			}
		}
	}
	x := &seat{whose: whose, away: make(chan struct{})}
	s.seats[x] = true
	s.streams++
	s.metrics.streams.Inc()
	s.running.Add(1)
	return x
}

// leave gives a place back, unless somebody else has it already.
func (s *Server) leave(x *seat) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.seats[x] {
		delete(s.seats, x)
		s.streams--
	}
	s.metrics.streams.Dec()
	s.running.Done()
}
