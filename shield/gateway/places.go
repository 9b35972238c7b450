package gateway

import (
	"container/heap"
	"container/list"
	"sync"

	"moonwatch/shield"
)

// places are those of the requests under way. While there is one left, whoever comes
// gets it. When all are taken, a request of a subdomain that has fewer than the one with
// the most gets the place of that one's oldest request, which ends: so nobody who has less
// than an even part is refused, however many others fill the gateway and however slowly
// they go. That is max-min fairness by pushing out; of the buffers of switches it is known
// as longest queue drop (Hahne, Kesselman and Mansour, SPAA 2001). The oldest one goes, for
// it is slow or its occupant is: a visitor's is there for a moment.
//
// At most as many subdomains are known here as there are places.
type places struct {
	most    int
	leaving int // bound on the requests that have lost their place and not ended yet

	mu      sync.Mutex
	taken   int
	left    int // requests that have lost their place and not ended yet
	holders map[shield.Key]*holder
	largest holders
}

// holder is a subdomain with requests under way.
type holder struct {
	key    shield.Key
	places *list.List // of *place, the oldest first
	at     int        // in the heap
}

// count is how many it has; nobody has none.
func (h *holder) count() int {
	if h == nil {
		return 0
	}
	return h.places.Len()
}

// place is what a request holds until it ends.
type place struct {
	of   *holder // nil: it is lost
	in   *list.Element
	lose func() // tells its request to end; it does not wait for that
}

func newPlaces(most int) *places {
	return &places{most: most, leaving: max(1, most/4), holders: make(map[shield.Key]*holder)}
}

// take gives a request of a subdomain its place, or nil if it has to be refused; none then
// says that its subdomain has not one, so that it is no subdomain's doing that there is no
// room. For another one's place lose of that other one is called, before take returns and
// never after that one's release has: it must not call back.
func (s *places) take(k shield.Key, lose func()) (p *place, none bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	h := s.holders[k]
	if s.taken >= s.most && !s.pushOut(h) {
		return nil, h == nil
	}
	if h == nil {
		h = &holder{key: k, places: list.New()}
		s.holders[k] = h
		heap.Push(&s.largest, h)
	}
	p = &place{of: h, lose: lose}
	p.in = h.places.PushBack(p)
	heap.Fix(&s.largest, h.at)
	s.taken++
	return p, false
}

// pushOut ends the oldest request of the subdomain with the most, if that has still no
// fewer than the newcomer's own afterwards: else two would take turns at it.
func (s *places) pushOut(own *holder) bool {
	if len(s.largest) == 0 || s.left >= s.leaving {
		return false
	}
	h := s.largest[0]
	if h.count() < own.count()+2 {
		return false
	}
	p := h.places.Front().Value.(*place)
	s.remove(p)
	s.left++
	p.lose()
	return true
}

// release gives a place back.
func (s *places) release(p *place) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p.of == nil {
		s.left--
		return
	}
	s.remove(p)
}

func (s *places) remove(p *place) {
	h := p.of
	h.places.Remove(p.in)
	p.of = nil
	s.taken--
	if h.places.Len() > 0 {
		heap.Fix(&s.largest, h.at)
		return
	}
	heap.Remove(&s.largest, h.at)
	delete(s.holders, h.key)
}

// holders are a heap, the one with the most places first.
type holders []*holder

func (l holders) Len() int           { return len(l) }
func (l holders) Less(i, j int) bool { return l[i].places.Len() > l[j].places.Len() }
func (l holders) Swap(i, j int) {
	l[i], l[j] = l[j], l[i]
	l[i].at, l[j].at = i, j
}

func (l *holders) Push(x any) {
	h := x.(*holder)
	h.at = len(*l)
	*l = append(*l, h)
}

func (l *holders) Pop() any {
	last := len(*l) - 1
	h := (*l)[last]
	(*l)[last] = nil
	*l = (*l)[:last]
	return h
}
