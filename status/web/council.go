package web

import (
	"slices"
	"time"

	"moonwatch/member"
	"moonwatch/status"
)

// councilModel is the council arranged for the eye: who sits in it, and what people are to
// know of it.
type councilModel struct {
	Seats    []seated
	Swapping bool
	Warnings []string
}

// seated is who holds a seat, as this agent knows it: the ledger, and its own gossip. Clocks
// and disks are asked for by moonwatch council alone.
type seated struct {
	status.Member           // without a name in the roster only its ID
	Role          string    // leader, councillor or learner
	Lost          string    // why it cannot be counted on
	LostSince     time.Time // zero: nothing tells when that began
}

// councilOf lists the councillors and then the learners, each by name.
func councilOf(p status.Page) councilModel {
	c := p.Council
	out := councilModel{Swapping: c.Swapping}
	for _, text := range []string{c.OneSided, c.Waits} {
		if text != "" {
			out.Warnings = append(out.Warnings, text)
		}
	}
	add := func(id member.ID, role string) {
		x := seated{Member: status.Member{ID: id}, Role: role}
		if i := slices.IndexFunc(p.Members, func(m status.Member) bool { return m.ID == id }); i >= 0 {
			x.Member = p.Members[i]
		}
		if i := slices.IndexFunc(c.Lost, func(l status.LostSeat) bool { return l.Member == id }); i >= 0 {
			x.Lost, x.LostSince = c.Lost[i].Why, c.Lost[i].Since
		}
		out.Seats = append(out.Seats, x)
	}
	for _, id := range c.Councillors {
		if id == c.Leader {
			add(id, "leader")
			continue
		}
		add(id, "councillor")
	}
	for _, id := range c.Learners {
		if !slices.Contains(c.Councillors, id) { // its agent may hold a seat and be kept warm for another one
			add(id, "learner")
		}
	}
	return out
}
