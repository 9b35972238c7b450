package agent

import (
	"fmt"
	"time"

	"moonwatch/member"
)

// Kind says what a vote is about. Agent and service of one member are watched
// and judged apart: a dead agent above a healthy service is no reason to move
// the service.
type Kind uint8

// The two kinds of evidence about one member.
const (
	OfAgent Kind = iota
	OfService
)

func (k Kind) String() string {
	if k == OfService {
		return "service"
	}
	return "agent"
}

// Stance is what an observer says about a subject.
type Stance uint8

// The stances of PROTOCOL 3.
const (
	Abstain Stance = iota
	Up
	Down
)

func (s Stance) String() string {
	switch s {
	case Up:
		return "up"
	case Down:
		return "down"
	case Abstain:
		return "abstain"
	default:
		return fmt.Sprintf("stance(%d)", uint8(s))
	}
}

// Reason is the short word for why a vote was cast or why an observer
// abstains; it is printed by explain and has few, known values.
type Reason string

// The reasons of PROTOCOL 2.
const (
	Silence  Reason = "silence"  // no answer for the patience, and a run of lost probes
	Loss     Reason = "loss"     // lost far more than the observer's other edges
	Flapping Reason = "flapping" // three new incarnations in a minute
	Refused  Reason = "refused"  // the service refuses connections or fails
	NoReply  Reason = "no-reply" // the service says nothing in time
	Answered Reason = "answered" // fresh probes or checks were answered
	Stalled  Reason = "stalled"  // abstention: own timers slipped
	Smeared  Reason = "smeared"  // abstention: many edges down and the others lossy
	NewEdge  Reason = "new-edge" // abstention: nothing heard yet over this edge
)

// Evidence is what an observer saw when it voted. It decides nothing; it is
// there so that people can see why.
type Evidence struct {
	SilentFor time.Duration `json:"silent_for,omitempty"`
	LostRun   int           `json:"lost_run,omitempty"`
	LossPct   int           `json:"loss_pct,omitempty"`
	MedianPct int           `json:"median_pct,omitempty"` // over the observer's own edges
	Detail    string        `json:"detail,omitempty"`     // what the service check said
}

// Vote is one observer's word about one subject.
type Vote struct {
	Subject     member.ID          `json:"subject"`
	Incarnation member.Incarnation `json:"incarnation,omitempty"` // of the subject, as last answered
	Kind        Kind               `json:"kind"`
	Stance      Stance             `json:"stance"`
	Reason      Reason             `json:"reason,omitempty"`
	Roll        RollID             `json:"roll,omitzero"` // zero: a standing vote
	Evidence    Evidence           `json:"evidence,omitzero"`
}

// RollID names one roll call. Answers count only for the term that called.
type RollID struct {
	Term uint64 `json:"term"`
	N    uint64 `json:"n"`
}

// IsZero reports whether the vote that carries it is a standing one.
func (r RollID) IsZero() bool { return r == RollID{} }

// Statement is what one observer tells the councillors in one signed datagram.
// A later statement with a higher Seq replaces what it says about the same
// subject and kind. A standing vote with stance up withdraws an accusation; it
// never counts as an up vote.
type Statement struct {
	Observer    member.ID          `json:"observer"`
	Incarnation member.Incarnation `json:"incarnation"`
	Seq         uint64             `json:"seq"`
	Roster      member.RosterEpoch `json:"roster"`
	Life        time.Duration      `json:"life"` // how long its standing votes live
	Abstains    Reason             `json:"abstains,omitempty"`
	// Acknowledge asks for an acknowledgement: it says something new, and is
	// repeated until each councillor has it. What is said again anyway within a
	// second asks for none.
	Acknowledge bool `json:"acknowledge,omitempty"`
	// Unreachable names what an abstaining observer cannot reach: not votes,
	// but the brake counts them.
	Unreachable []member.ID `json:"unreachable,omitempty"`
	Votes       []Vote      `json:"votes,omitempty"`
}

// MaxVotes is how many votes one statement carries: one signature, one
// datagram of at most 1,371 bytes.
const MaxVotes = 16

// RollCall is the council leader's question to all observers of some
// subjects. Only probes sent after it arrived may answer it.
type RollCall struct {
	ID       RollID
	Subjects []member.ID
}
