package gateway

import (
	"sync/atomic"

	"moonwatch/shield/admit"
)

// strain counts the signs that the occupants have more to do than they can, since
// it was last asked. An occupant that is broken is no such sign: its requests go
// elsewhere, and taking them out on a subdomain would help nobody.
type strain struct {
	full     atomic.Int64 // requests refused for want of room at this door, of subdomains that had none
	late     atomic.Int64 // an occupant is late, and so is everybody else of its pool
	occupant admit.Strain // what occupants say themselves
}

// Trouble reports whether the door or its occupants had more to do than they can,
// since it was last called: the gateway was too full for a subdomain that had nothing
// under way, a whole pool was late, or occupants answered that they are overloaded. A
// gateway that is full of some subdomains' requests has room for all others. It has one
// caller.
func (g *Gateway) Trouble() bool {
	s := &g.strain
	full, late, busy := s.full.Swap(0), s.late.Swap(0), s.occupant.Take()
	return full > 0 || late > 0 || busy
}
