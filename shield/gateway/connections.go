package gateway

import (
	"container/list"
	"net"
	"net/http"
	"sync"
)

// connections bounds how many connections clients hold open. Beyond the bound the one
// goes that has been silent for longest: it waits for its next request, or for the end
// of a head that its client trickles. So whoever opens many and says nothing (slow
// loris) closes their own, and a client that asks at once is served.
type connections struct {
	most, mostEach int
	clientAt       func(address string) uint64

	mu      sync.Mutex
	open    map[net.Conn]*connection
	waiting *list.List              // of all, the one that waits for longest first
	clients map[uint64]*clientConns // by address, as the shield tells clients apart
	cut     func()                  // counts one that had to go
}

type connection struct {
	client  uint64
	waits   *list.Element // in waiting; nil: a request is under way
	waitsIn *list.Element // among its client's
}

type clientConns struct {
	n       int
	waiting *list.List
}

func newConnections(most, mostEach int, clientAt func(string) uint64, cut func()) *connections {
	return &connections{
		most: most, mostEach: mostEach, clientAt: clientAt, cut: cut,
		open: make(map[net.Conn]*connection), waiting: list.New(), clients: make(map[uint64]*clientConns),
	}
}

// state is the server's ConnState. A connection that is new or idle waits until the
// whole head of a request is there.
func (s *connections) state(c net.Conn, now http.ConnState) {
	switch now {
	case http.StateNew:
		if gone := s.add(c); gone != nil {
			s.cut()
			gone.Close() // its error is of no use: whoever held it had said nothing
		}
	case http.StateActive:
		s.mu.Lock()
		s.ask(c)
		s.mu.Unlock()
	case http.StateIdle:
		s.mu.Lock()
		s.wait(c)
		s.mu.Unlock()
	case http.StateHijacked, http.StateClosed:
		s.drop(c)
	}
}

// add takes in a connection and gives the one that has to go for it; it is that one
// itself if on all others a request is under way.
func (s *connections) add(c net.Conn) net.Conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	x := &connection{client: s.clientAt(c.RemoteAddr().String())}
	of := s.clients[x.client]
	if of == nil {
		of = &clientConns{waiting: list.New()}
		s.clients[x.client] = of
	}
	of.n++
	s.open[c] = x
	s.wait(c)
	var oldest *list.Element
	switch {
	case of.n > s.mostEach:
		oldest = of.waiting.Front()
	case len(s.open) > s.most:
		oldest = s.waiting.Front()
	default:
		return nil
	}
	gone := oldest.Value.(net.Conn) // there is at least the new one
	s.ask(gone)                     // it is closed once
	return gone
}

func (s *connections) wait(c net.Conn) {
	if x := s.open[c]; x != nil && x.waits == nil {
		x.waits, x.waitsIn = s.waiting.PushBack(c), s.clients[x.client].waiting.PushBack(c)
	}
}

func (s *connections) ask(c net.Conn) {
	if x := s.open[c]; x != nil && x.waits != nil {
		s.waiting.Remove(x.waits)
		s.clients[x.client].waiting.Remove(x.waitsIn)
		x.waits, x.waitsIn = nil, nil
	}
}

func (s *connections) drop(c net.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	x := s.open[c]
	if x == nil {
		return
	}
	s.ask(c)
	delete(s.open, c)
	if of := s.clients[x.client]; of.n > 1 {
		of.n--
	} else {
		delete(s.clients, x.client)
	}
}
