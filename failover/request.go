package failover

import (
	"fmt"
	"time"

	"moonwatch/consensus"
	"moonwatch/member"
)

// Some things the machine must not decide alone and one person must not either:
// that a cascade is no reason to wait, that a silent member is really off. One
// operator asks for it, another one who was shown the same plan approves it; or one
// asks alone, everybody can see it coming, and nobody vetoes it (docs/adr/024).

// The kinds of facts by which people allow what the gates do not.
const (
	KindRequest   consensus.FactKind = "request"
	KindAnswer    consensus.FactKind = "answer"
	KindAnnounced consensus.FactKind = "announced"
)

// Act is what people can allow.
type Act string

// The acts.
const (
	// ActOverride lets cases go on in spite of the brake; a case that is named, in
	// spite of the budget as well. Every other gate is asked as ever.
	ActOverride Act = "override"
	// ActFenced is the word of people that the old occupant does no harm: the fence
	// proof of a case that has no other.
	ActFenced Act = "fenced"
	// ActReserve lets a case have one of the spares that the pool keeps in reserve.
	ActReserve Act = "reserve"
	// ActFailover has a slot fail over whose occupant is well by the votes.
	ActFailover Act = "failover"
)

// Acts lists them all.
func Acts() []Act { return []Act{ActOverride, ActFenced, ActReserve, ActFailover} }

// The times of a request.
const (
	// AnswerWithin is how long a request waits for the second operator: what is
	// approved has to be what the first one saw.
	AnswerWithin = 10 * time.Minute
	// AloneAfter is how long one that is asked for alone stands announced before it
	// takes effect: long enough that somebody who is called can look and veto it.
	AloneAfter = 15 * time.Minute
	// MaxAllowed is for how long at most what was allowed may be made use of.
	MaxAllowed = time.Hour

	minAllowed   = time.Minute
	keptRequests = 64 // of those that are over the page shows as many; more at once are a mistake of a program
)

// Requested asks for what takes two people. It names one case, or a scope and with
// it the cases that are open there now, or the slot of an occupant that is well.
type Requested struct {
	Act    Act           `json:"act"`
	Case   uint64        `json:"case,omitempty"`
	Scope  Scope         `json:"scope,omitempty"`
	Slot   member.SlotID `json:"slot,omitempty"`
	For    time.Duration `json:"for"` // how long it may be made use of once it is in force
	Alone  bool          `json:"alone,omitempty"`
	Plan   string        `json:"plan"` // hash of what the operator was shown
	Reason string        `json:"reason"`
}

// Answered is the word of an operator about a request.
type Answered struct {
	Request uint64 `json:"request"`
	Approve bool   `json:"approve"`
	Plan    string `json:"plan,omitempty"`   // of an approval: hash of what was shown
	Reason  string `json:"reason,omitempty"` // of a rejection
}

// Announced begins the delay of a request that one operator made alone. It is the
// leader's, so that the delay is measured by the council's clocks and not by that of
// whoever asks.
type Announced struct {
	Request uint64 `json:"request"`
}

// Request is what somebody asked for and what became of it.
type Request struct {
	Requested

	ID    uint64        `json:"id"` // ledger index of the fact
	By    string        `json:"by"`
	Key   string        `json:"key,omitempty"` // of whom: two names on one key are one person
	Given time.Time     `json:"given"`
	Cases []PlannedCase `json:"cases"`

	Announced   time.Time `json:"announced,omitzero"` // of one made alone
	Approved    time.Time `json:"approved,omitzero"`
	ApprovedBy  string    `json:"approved_by,omitempty"`
	ApprovedKey string    `json:"approved_key,omitempty"`
	Rejected    time.Time `json:"rejected,omitzero"`
	RejectedBy  string    `json:"rejected_by,omitempty"`
	Why         string    `json:"why,omitempty"`    // it was rejected
	Opened      uint64    `json:"opened,omitempty"` // the case that came of it, of a failover: none comes a second time
}

// Name is the request's id as people see it.
func (r *Request) Name() string { return fmt.Sprintf("R-%d", r.ID) }

// RequestState is where a request stands.
type RequestState string

// The states of a request.
const (
	RequestWaiting   RequestState = "waiting"   // for the second operator
	RequestAnnounced RequestState = "announced" // made alone, and may be vetoed until it takes effect
	RequestInForce   RequestState = "in-force"
	RequestExpired   RequestState = "expired" // nobody answered in time
	RequestRejected  RequestState = "rejected"
	RequestOver      RequestState = "over" // it was in force
)

// From is when what was asked for takes effect, zero if nothing makes it.
func (r *Request) From() time.Time {
	switch {
	case !r.Approved.IsZero():
		return r.Approved
	case r.Alone && !r.Announced.IsZero():
		return r.Announced.Add(AloneAfter)
	default:
		return time.Time{}
	}
}

// Words says who allowed what the request asked for.
func (r *Request) Words() string {
	if r.ApprovedBy == "" {
		return fmt.Sprintf("%s by %s alone", r.Name(), r.By)
	}
	return fmt.Sprintf("%s by %s and %s", r.Name(), r.By, r.ApprovedBy)
}

// State says where the request stands at a time.
func (r *Request) State(now time.Time) RequestState {
	from := r.From()
	switch {
	case !r.Rejected.IsZero():
		return RequestRejected
	case r.Approved.IsZero() && r.Alone && (from.IsZero() || now.Before(from)):
		return RequestAnnounced
	case from.IsZero() && now.Before(r.Given.Add(AnswerWithin)):
		return RequestWaiting
	case from.IsZero():
		return RequestExpired
	case now.Before(from):
		return RequestAnnounced // by a clock that is behind the approver's
	case now.Before(from.Add(r.For)):
		return RequestInForce
	default:
		return RequestOver
	}
}

// Ends is when the present state ends by itself, zero if it does not.
func (r *Request) Ends(now time.Time) time.Time {
	switch r.State(now) {
	case RequestWaiting:
		return r.Given.Add(AnswerWithin)
	case RequestAnnounced:
		return r.From()
	case RequestInForce:
		return r.From().Add(r.For)
	default:
		return time.Time{}
	}
}

// Open reports that the request may still come to something.
func (r *Request) Open(now time.Time) bool {
	s := r.State(now)
	return s == RequestWaiting || s == RequestAnnounced || s == RequestInForce
}

// Asks is what was asked for, as it was then.
func (r *Request) Asks() Plan {
	return Plan{Act: r.Act, Case: r.Case, Scope: r.Scope, For: r.For, Alone: r.Alone, Cases: r.Cases}
}

// About is what the request names.
func (r Requested) About() string {
	switch {
	case r.Case != 0:
		return fmt.Sprintf("C-%d", r.Case)
	case r.Slot != "":
		return string(r.Slot)
	default:
		return string(r.Scope)
	}
}
