package gateway

import (
	"net/http"
	"sync/atomic"
)

// strain counts the signs that the occupants have more to do than they can, since
// it was last asked. An occupant that is broken is no such sign: its requests go
// elsewhere, and taking them out on a subdomain would help nobody.
type strain struct {
	full    atomic.Int64 // requests refused for want of room at this door
	late    atomic.Int64 // an occupant is late, and so is everybody else of its pool
	answers atomic.Int64
	busy    atomic.Int64 // answers by which an occupant itself says that it is overloaded
}

// Of the answers, one in busyShare, and at least busyLeast, are trouble: a single
// one may be about anything.
const (
	busyShare = 20
	busyLeast = 3
)

func (s *strain) answer(status int) {
	s.answers.Add(1)
	if status == http.StatusServiceUnavailable {
		s.busy.Add(1)
	}
}

// Trouble reports whether the door or its occupants had more to do than they can,
// since it was last called: requests were refused because the gateway was full,
// a whole pool was late, or occupants answered that they are overloaded. It has
// one caller.
func (g *Gateway) Trouble() bool {
	s := &g.strain
	full, late, answers, busy := s.full.Swap(0), s.late.Swap(0), s.answers.Swap(0), s.busy.Swap(0)
	return full > 0 || late > 0 || busy >= busyLeast && busy*busyShare >= answers
}
