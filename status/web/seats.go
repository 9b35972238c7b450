package web

import (
	"net/http"
	"net/netip"
)

// networkBits is the part of an IPv6 address that names a network: the rest names interfaces
// (RFC 4291, 2.5.1), of which one machine takes as many as it likes.
const networkBits = 64

// seat is the place of an open stream.
type seat struct {
	whose string        // address that holds it
	away  chan struct{} // closed when somebody else is to have it
}

// addressOf is whose streams are counted together: an IPv4 address, or an IPv6 network.
func addressOf(r *http.Request) string {
	at, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	address := at.Addr().Unmap()
	if address.Is4() {
		return address.String()
	}
	network, _ := address.Prefix(networkBits) // an IPv6 address has as many bits
	return network.String()
}

// mostLeaving is how many streams may be on their way out at once: they have no place any more,
// and end when the client has read what was being written, or Patience is over.
func (s *Server) mostLeaving() int { return max(1, s.cfg.MaxStreams/4) }

// enter takes one of the places for streams; nil: there is none. When all are taken, the
// address that holds most of them gives one up to one that holds fewer, by two at least:
// a browser that keeps a thousand streams open has what is left over, and nobody else goes
// without a live page for it. While too many that gave theirs up have not ended, nobody
// else is sent away: there are never more than MaxStreams and mostLeaving streams.
func (s *Server) enter(whose string) *seat {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || s.view == nil {
		return nil
	}
	if s.streams >= s.cfg.MaxStreams {
		if s.leaving >= s.mostLeaving() {
			return nil
		}
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
				s.leaving++
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
	} else {
		s.leaving--
	}
	s.metrics.streams.Dec()
	s.running.Done()
}
