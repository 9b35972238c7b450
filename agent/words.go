// Package agent decides, on each member, whom to probe and what to say about
// it: probes and checks come in as events, signed statements of votes go out.
//
// The Observer owns its edges (one per subject that the overlay assigns to
// it). It never blocks, never asks what time it is and draws no random
// numbers: the caller tells it the time with every Step and calls again at
// Wake. The caller carries out the effects: it sends probes, runs checks, and
// signs and sends statements.
package agent

import (
	"time"

	"moonwatch/member"
)

// Event is what an Observer can be told. The set is closed.
type Event interface{ isEvent() }

// Woken tells that the time of Wake has come.
type Woken struct{}

// Watch tells whom to observe. It comes at start and after each change of the
// roster, the overlay, the occupants or the council.
type Watch struct {
	Roster      *member.Roster
	Subjects    []Subject   // sorted by ID
	Councillors []member.ID // who hears our statements
}

// Subject is one edge of the overlay as the observer needs it.
type Subject struct {
	ID      member.ID
	Service bool // it occupies a slot whose service can be checked from outside
	Calm    bool // this observer is one of the few that check it in calm
}

// ProbesAnswered tells of probes that came back. Several answers that arrive
// together come as one event.
type ProbesAnswered struct{ Answers []Answer }

// Answer is the answer to one probe.
type Answer struct {
	Subject     member.ID
	Seq         uint64
	RTT         time.Duration
	Incarnation member.Incarnation
	Report      Report // what the subject says of its own service
}

// Report is a member's own word about its slot's service. It is a hint that
// triggers a check from outside, never a vote.
type Report uint8

// The reports.
const (
	NoService Report = iota
	ServiceGood
	ServiceBad
)

// Checked tells how a service check ended.
type Checked struct {
	Subject member.ID
	Seq     uint64
	Good    bool
	Silent  bool // no answer in time, as opposed to refused or wrong
	Unasked bool // the question never went out: evidence of nothing
	Detail  string
}

// RollCalled tells that the leader calls the roll.
type RollCalled struct{ Call RollCall }

// Acknowledged tells that a councillor has our statement.
type Acknowledged struct {
	By  member.ID
	Seq uint64
}

func (Woken) isEvent()          {}
func (Watch) isEvent()          {}
func (ProbesAnswered) isEvent() {}
func (Checked) isEvent()        {}
func (RollCalled) isEvent()     {}
func (Acknowledged) isEvent()   {}

// Effect is what an Observer wants done. The set is closed.
type Effect interface{ isEffect() }

// SendProbes asks for one probe to each subject named.
type SendProbes struct{ Probes []Probe }

// Probe is one question to a subject's agent.
type Probe struct {
	Subject member.ID
	Seq     uint64
}

// RunCheck asks for one check of a subject's service, at the member's own
// address.
type RunCheck struct {
	Subject member.ID
	Seq     uint64
	Timeout time.Duration
}

// Publish asks for a statement to be signed and sent to the councillors named.
type Publish struct {
	Statement Statement
	To        []member.ID
}

func (SendProbes) isEffect() {}
func (RunCheck) isEffect()   {}
func (Publish) isEffect()    {}
