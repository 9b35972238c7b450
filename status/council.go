package status

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"moonwatch/consensus"
	"moonwatch/member"
)

// Seat is one seat of the council, and how its holder is.
type Seat struct {
	Seat       uint64               `json:"seat"`
	Member     member.ID            `json:"member"`
	Domain     member.FailureDomain `json:"failure_domain"`
	Role       string               `json:"role"` // councillor, outgoing, learner
	Leader     bool                 `json:"leader"`
	Lost       string               `json:"lost,omitempty"`      // why it cannot be counted on
	Heard      bool                 `json:"heard"`               // it answered just now
	Head       uint64               `json:"head,omitempty"`      // the last fact that it has
	Match      uint64               `json:"match,omitempty"`     // the last entry of raft's log on its disk, as the leader knows it
	ClockAhead float64              `json:"clock_ahead_seconds"` // of this agent's clock
	DiskFull   bool                 `json:"disk_full,omitempty"`
}

// CouncilDocument answers who sits in the council.
type CouncilDocument struct {
	Schema    int       `json:"schema"`
	Now       time.Time `json:"now"`
	Self      member.ID `json:"self"`
	Cluster   string    `json:"cluster"`
	Council   Council   `json:"council"`
	Knowledge Knowledge `json:"knowledge"`
	Seats     []Seat    `json:"seats"`
}

// SeatsOf lists the seats of a ledger, voters first.
func SeatsOf(l *consensus.Ledger) []Seat {
	s := l.Seats()
	var out []Seat
	add := func(list []consensus.Seat, role string) {
		for _, x := range list {
			if slices.ContainsFunc(out, func(y Seat) bool { return y.Seat == x.ID }) {
				continue
			}
			why, _ := l.Lost(x)
			out = append(out, Seat{Seat: x.ID, Member: x.Member, Domain: l.Roster().Domain(x.Member), Role: role, Lost: why})
		}
	}
	add(s.Voters, "councillor")
	add(s.Outgoing, "outgoing")
	add(s.Learners, "learner")
	return out
}

// council is what this agent knows of the council.
func council(in Input) Council {
	l := in.Ledger
	s := l.Seats()
	c := Council{
		Councillors: append([]member.ID{}, l.Councillors()...), Leader: in.Leader, Term: in.Term, Quorum: in.Quorum,
		Swapping: s.Joint(), Waits: in.CouncilWaits, OneSided: OneSided(l),
	}
	for _, x := range s.Learners {
		c.Learners = append(c.Learners, x.Member)
	}
	slices.Sort(c.Learners)
	for _, x := range slices.Concat(s.Voters, s.Learners) {
		if why, since := l.Lost(x); why != "" {
			c.Lost = append(c.Lost, LostSeat{Member: x.Member, Seat: x.ID, Why: why, Since: since})
		}
	}
	return c
}

// OneSided warns where one failure domain holds most of the council: its loss is the
// loss of the quorum, and with it of every exclusive slot (PROTOCOL 8).
func OneSided(l *consensus.Ledger) string {
	voters := l.Seats().Voters
	for _, m := range l.Roster().Members {
		n := 0
		for _, s := range voters {
			if l.Roster().Domain(s.Member) == m.Domain {
				n++
			}
		}
		if 2*n > len(voters) && l.Roster().Len() > 1 {
			return fmt.Sprintf("%d of %d councillors are in failure domain %s: its loss stops the council, and with it exclusive slots everywhere; add a witness in a third failure domain", n, len(voters), m.Domain)
		}
	}
	return ""
}

// reformLine tells a change of the council.
func reformLine(r consensus.Reform) string {
	switch r.Do {
	case consensus.Learn:
		return fmt.Sprintf("council: %s is kept warm as a learner, seat %d", r.Member, r.In)
	case consensus.Dismiss:
		return fmt.Sprintf("council: %s is no learner any more: %s", r.Member, r.Why)
	case consensus.Swap:
		return fmt.Sprintf("council: %s takes seat %d in place of seat %d: %s", r.Member, r.In, r.Out, r.Why)
	case consensus.Settle:
		return "council: the swap is done, the council before it has no say any more"
	default:
		return fmt.Sprintf("council: %s", r.Do)
	}
}

func refoundLine(r consensus.Refounding) string {
	p, err := r.Read()
	if err != nil {
		return "council: founded anew, by a plan that is not understood"
	}
	by := "people"
	if len(r.Warrants) == 2 {
		by = r.Warrants[0].Operator + " and " + r.Warrants[1].Operator
	}
	var ids []string
	for _, s := range p.Council {
		ids = append(ids, string(s.Member))
	}
	return fmt.Sprintf("council: founded anew by %s, from the ledger of %s: %s", by, p.Bearer, strings.Join(ids, ", "))
}
