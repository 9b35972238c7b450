package failover

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
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
)

// Acts lists them all.
func Acts() []Act { return []Act{ActOverride, ActFenced} }

// proofPeople is the fence proof that people give by ActFenced.
const proofPeople = "people"

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
// it the cases that are open there now.
type Requested struct {
	Act    Act           `json:"act"`
	Case   uint64        `json:"case,omitempty"`
	Scope  Scope         `json:"scope,omitempty"`
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

// Plan is what a request asks for, whole: what is approved is this and nothing else.
type Plan struct {
	Act   Act           `json:"act"`
	Case  uint64        `json:"case,omitempty"`
	Scope Scope         `json:"scope,omitempty"`
	For   time.Duration `json:"for"`
	Alone bool          `json:"alone,omitempty"`
	Cases []PlannedCase `json:"cases"`
}

// PlannedCase is one case of a plan, with all that it must not change under: an
// approval of it is void as soon as one of these is different.
type PlannedCase struct {
	Case    uint64           `json:"case"`
	Slot    member.SlotID    `json:"slot"`
	Subject member.ID        `json:"subject"`
	Epoch   member.SlotEpoch `json:"slot_epoch"`
	Verdict uint64           `json:"verdict"` // the evidence: it stands against the subject
	Policy  string           `json:"policy"`  // hash of the pool in fleet.yaml
	// Fencee is who does no harm any more, at its slot epoch: of ActFenced.
	Fencee     member.ID        `json:"fencee,omitempty"`
	FenceEpoch member.SlotEpoch `json:"fence_slot_epoch,omitempty"`
}

// Hash names the plan: equal hashes, equal plans.
func (p Plan) Hash() string { return digestOf(p) }

// Words says what the plan lets happen, a line per case.
func (p Plan) Words() []string {
	var out []string
	for _, x := range p.Cases {
		if p.Act == ActFenced {
			out = append(out, fmt.Sprintf("C-%d takes it as proven that %s does not run slot %s at slot epoch %d any more (V-%d)", x.Case, x.Fencee, x.Slot, x.FenceEpoch, x.Verdict))
			continue
		}
		beyond := "brake"
		if p.Case != 0 {
			beyond = "brake and budget"
		}
		out = append(out, fmt.Sprintf("C-%d goes on with slot %s, lost with %s at slot epoch %d (V-%d), in spite of the %s", x.Case, x.Slot, x.Subject, x.Epoch, x.Verdict, beyond))
	}
	return out
}

func digestOf(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("failover: hash of %T: %v", v, err)) // plain values of this module
	}
	h := sha256.Sum256(b)
	return hex.EncodeToString(h[:])
}

// Request is what somebody asked for and what became of it.
type Request struct {
	Requested

	ID    uint64        `json:"id"` // ledger index of the fact
	By    string        `json:"by"`
	Key   string        `json:"key,omitempty"` // of whom: two names on one key are one person
	Given time.Time     `json:"given"`
	Cases []PlannedCase `json:"cases"`

	Announced  time.Time `json:"announced,omitzero"` // of one made alone
	Approved   time.Time `json:"approved,omitzero"`
	ApprovedBy string    `json:"approved_by,omitempty"`
	Rejected   time.Time `json:"rejected,omitzero"`
	RejectedBy string    `json:"rejected_by,omitempty"`
	Why        string    `json:"why,omitempty"` // it was rejected
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
	if r.Case != 0 {
		return fmt.Sprintf("C-%d", r.Case)
	}
	return string(r.Scope)
}

// signer is who stands behind a command, by name and by key.
func signer(c consensus.Command) (name, key string) {
	if c.Warrant == nil {
		return string(c.Proposer), "" // of a cluster without signatures
	}
	return c.Warrant.Operator, hex.EncodeToString(c.Warrant.Key)
}

// planned is what a plan says of a case.
func (st *State) planned(act Act, c *Case) PlannedCase {
	v, _ := st.ledger.Standing(c.Subject)
	pool, _ := st.ledger.Fleet().Pool(c.Pool)
	p := PlannedCase{Case: c.ID, Slot: c.Slot, Subject: c.Subject, Verdict: v.Index, Policy: digestOf(pool)}
	if s := st.s.Slots[c.Slot]; s != nil {
		p.Epoch = s.Epoch
	}
	if act == ActFenced {
		p.Fencee, p.FenceEpoch = c.Subject, c.Epoch
		if c.Fencee != "" {
			p.Fencee, p.FenceEpoch = c.Fencee, c.FenceEpoch
		}
	}
	return p
}

// PlanOf is what a request would ask for now; the error says why it may not.
func (st *State) PlanOf(now time.Time, r Requested) (Plan, error) {
	p := Plan{Act: r.Act, Case: r.Case, Scope: r.Scope, For: r.For, Alone: r.Alone}
	what := fmt.Sprintf("request %s of %s", r.Act, r.About())
	var err error
	switch {
	case !slices.Contains(Acts(), r.Act):
		return p, fmt.Errorf("request %q: want one of %v", r.Act, Acts())
	case (r.Case == 0) == (r.Scope == ""):
		return p, fmt.Errorf("request %s: want a case or a scope", r.Act)
	case r.Scope != "" && r.Act == ActFenced:
		return p, fmt.Errorf("%s: want a case: who is off is said of one member at a time", what)
	case r.For < minAllowed || r.For > MaxAllowed:
		return p, fmt.Errorf("%s: for %v, want %v to %v", what, r.For, minAllowed, MaxAllowed)
	case r.Case != 0:
		c, ok := st.s.Cases[r.Case]
		if !ok || !c.Open() {
			return p, fmt.Errorf("%s: no such case is open", what)
		}
		if err := st.mayAllow(now, r.Act, c); err != nil {
			return p, fmt.Errorf("%s: %w", what, err)
		}
		p.Cases = []PlannedCase{st.planned(r.Act, c)}
		return p, nil
	default:
		if err = st.checkScope(r.Scope); err != nil {
			return p, fmt.Errorf("%s: %w", what, err)
		}
	}
	for _, c := range st.OpenCases() {
		if slices.Contains(st.scopesOf(c.Subject, c.Pool), r.Scope) && st.mayAllow(now, r.Act, c) == nil {
			p.Cases = append(p.Cases, st.planned(r.Act, c))
		}
	}
	if len(p.Cases) == 0 {
		return p, fmt.Errorf("%s: the brake holds no case there", what)
	}
	return p, nil
}

// mayAllow says why an act is no use to a case, nil if it is.
func (st *State) mayAllow(now time.Time, act Act, c *Case) error {
	if c.Planned {
		return fmt.Errorf("%s is a switchover: it is given up, and can be ordered again", c.Name())
	}
	if act == ActFenced {
		pool, _ := st.ledger.Fleet().Pool(c.Pool)
		v, _ := st.ledger.Standing(c.Subject)
		if reason, _ := st.fenceGate(c, pool, v.Kind); c.fencing() || reason != "" && c.abortable() {
			return nil
		}
		return fmt.Errorf("%s is %s, and waits for no fence proof", c.Name(), c.State)
	}
	switch c.State {
	case Draining, Held, Fenced, Claiming, Escalated, Fencing:
	default:
		return fmt.Errorf("%s is %s, and waits for no brake", c.Name(), c.State)
	}
	if reason, _ := st.brakeGate(now, c, c.inFlight()); reason != "" {
		return nil
	}
	if reason, _ := st.budgetGate(now); reason != "" && c.abortable() {
		return nil
	}
	return fmt.Errorf("neither brake nor budget holds %s", c.Name())
}

// checkRequest says why a request may not stand.
func (st *State) checkRequest(now time.Time, p Requested) error {
	what := fmt.Sprintf("request %s of %s", p.Act, p.About())
	if err := checkReason(what, p.Reason); err != nil {
		return err
	}
	plan, err := st.PlanOf(now, p)
	if err != nil {
		return err
	}
	if h := plan.Hash(); h != p.Plan {
		return fmt.Errorf("%s: the plan has changed: you were shown %s, now it is %s; look again", what, Short(p.Plan), Short(h))
	}
	open := 0
	for _, r := range st.s.Requests {
		if !r.Open(now) {
			continue
		}
		open++
		same := r.Act == p.Act && r.Case == p.Case && r.Scope == p.Scope
		if same && r.State(now) != RequestInForce && st.Void(now, r) == nil {
			return fmt.Errorf("%s: %s by %s asks for it already: answer that, or reject it first", what, r.Name(), r.By)
		}
	}
	if open >= keptRequests {
		return fmt.Errorf("%s: %d requests wait already: reject some", what, open)
	}
	return nil
}

// Short is a hash as people compare it.
func Short(hash string) string { return hash[:min(len(hash), 12)] }

// checkAnswer says why an answer may not stand. Whoever wants less to happen may
// always say so; to let it happen takes somebody else than the one who asked.
func (st *State) checkAnswer(f consensus.Fact, p Answered) error {
	r, ok := st.s.Requests[p.Request]
	word := "reject"
	if p.Approve {
		word = "approve"
	}
	what := fmt.Sprintf("%s R-%d", word, p.Request)
	if !ok {
		return fmt.Errorf("%s: there is no such request, or it ended long ago", what)
	}
	by, key := signer(f.Command)
	state := r.State(f.Time)
	switch {
	case state == RequestRejected:
		return fmt.Errorf("%s: it was rejected by %s", what, r.RejectedBy)
	case state == RequestExpired:
		return fmt.Errorf("%s: it has expired: nobody answered within %v; ask again", what, AnswerWithin)
	case state == RequestOver:
		return fmt.Errorf("%s: it is over", what)
	case !p.Approve:
		return checkReason(what, p.Reason)
	case !r.Approved.IsZero():
		return fmt.Errorf("%s: it was approved by %s already", what, r.ApprovedBy)
	case r.by(by, key):
		return fmt.Errorf("%s: %s asked for it: another operator has to approve it", what, r.By)
	case p.Plan != r.Plan:
		return fmt.Errorf("%s: %s asked for plan %s and %s approves plan %s: two have to mean the same", what, r.By, Short(r.Plan), by, Short(p.Plan))
	}
	return st.stillMeant(f.Time, r)
}

// by reports that a request was made by an operator, whatever name is on the key.
func (r *Request) by(name, key string) bool { return r.By == name || key != "" && r.Key == key }

// stillMeant says what has changed under a request's plan, nil if nothing has.
func (st *State) stillMeant(now time.Time, r *Request) error {
	for _, x := range r.Cases {
		if s := st.s.Slots[x.Slot]; s == nil || s.Epoch != x.Epoch {
			return fmt.Errorf("%s is void: slot %s has moved on from slot epoch %d", r.Name(), x.Slot, x.Epoch)
		}
		c, ok := st.s.Cases[x.Case]
		if !ok || !c.Open() {
			return fmt.Errorf("%s is void: C-%d is closed", r.Name(), x.Case)
		}
		if is := st.planned(r.Act, c); x != is {
			return fmt.Errorf("%s is void: %s", r.Name(), x.changed(is))
		}
	}
	plan, err := st.PlanOf(now, r.Requested)
	if err != nil {
		return fmt.Errorf("%s is void: %w", r.Name(), err)
	}
	if plan.Hash() != r.Plan {
		return fmt.Errorf("%s is void: %d cases are open in %s now, it was asked for %d", r.Name(), len(plan.Cases), r.Scope, len(r.Cases))
	}
	return nil
}

// changed says in what a case differs from its plan.
func (p PlannedCase) changed(is PlannedCase) string {
	switch {
	case is.Verdict != p.Verdict:
		return fmt.Sprintf("the verdict on %s is V-%d, it was asked for under V-%d", p.Subject, is.Verdict, p.Verdict)
	case is.Policy != p.Policy:
		return fmt.Sprintf("the pool of slot %s was changed in fleet.yaml since it was asked for", p.Slot)
	case is.Fencee != p.Fencee || is.FenceEpoch != p.FenceEpoch:
		return fmt.Sprintf("C-%d fences %s at slot epoch %d, it was asked for %s at %d", p.Case, is.Fencee, is.FenceEpoch, p.Fencee, p.FenceEpoch)
	default:
		return fmt.Sprintf("C-%d has changed", p.Case)
	}
}

// Void says why a request that waits or is in force comes to nothing any more, nil
// if it may.
func (st *State) Void(now time.Time, r *Request) error {
	for _, x := range r.Cases {
		if c, ok := st.s.Cases[x.Case]; ok && c.Open() && st.planned(r.Act, c) == x {
			return nil // what is left of it
		}
	}
	return st.stillMeant(now, r)
}

// request applies an accepted request.
func (st *State) request(f consensus.Fact, p Requested) {
	plan, _ := st.PlanOf(f.Time, p)
	by, key := signer(f.Command)
	if st.s.Requests == nil {
		st.s.Requests = map[uint64]*Request{}
	}
	st.s.Requests[f.Index] = &Request{Requested: p, ID: f.Index, By: by, Key: key, Given: f.Time, Cases: plan.Cases}
	for _, id := range slices.Sorted(maps.Keys(st.s.Requests)) {
		if len(st.s.Requests) <= keptRequests {
			return
		}
		if !st.s.Requests[id].Open(f.Time) {
			delete(st.s.Requests, id)
		}
	}
}

// answer applies an accepted answer.
func (st *State) answer(f consensus.Fact, p Answered) {
	r := st.s.Requests[p.Request]
	by, _ := signer(f.Command)
	if p.Approve {
		r.Approved, r.ApprovedBy = f.Time, by
		return
	}
	r.Rejected, r.RejectedBy, r.Why = f.Time, by, p.Reason
}

func (st *State) checkAnnounced(p Announced) error {
	r, ok := st.s.Requests[p.Request]
	switch {
	case !ok:
		return fmt.Errorf("announce R-%d: there is no such request", p.Request)
	case !r.Alone || !r.Announced.IsZero() || !r.Rejected.IsZero():
		return fmt.Errorf("announce %s: there is nothing to announce any more", r.Name())
	}
	return nil
}

func (st *State) announce(f consensus.Fact, p Announced) {
	st.s.Requests[p.Request].Announced = f.Time
}

// Requests lists the requests that are kept, oldest first.
func (st *State) Requests() []*Request {
	return slices.SortedFunc(maps.Values(st.s.Requests), func(a, b *Request) int { return int(a.ID) - int(b.ID) })
}

// allowed finds what people allowed a case to do, nil if they did not.
func (st *State) allowed(now time.Time, act Act, c *Case) *Request {
	for _, r := range st.Requests() {
		if st.allows(now, r, act, c) {
			return r
		}
	}
	return nil
}

// allows reports that a request is in force and means this case exactly as it is now.
func (st *State) allows(now time.Time, r *Request, act Act, c *Case) bool {
	return r.Act == act && r.State(now) == RequestInForce && slices.Contains(r.Cases, st.planned(act, c))
}

// asked finds a request about a case that people have still to answer, nil if there
// is none.
func (st *State) asked(now time.Time, c *Case) *Request {
	for _, r := range st.Requests() {
		s := r.State(now)
		if (s == RequestWaiting || s == RequestAnnounced && !r.Announced.IsZero()) && slices.Contains(r.Cases, st.planned(r.Act, c)) {
			return r
		}
	}
	return nil
}

// Awaits says that what holds a case is in people's hands: a request about it waits
// for its answer.
func (st *State) Awaits(now time.Time, c *Case, reason HeldReason, why string) (HeldReason, string) {
	if reason != HeldBrake && reason != HeldBudget && reason != HeldFence {
		return reason, why
	}
	r := st.asked(now, c)
	switch {
	case r == nil:
		return reason, why
	case r.Alone:
		return HeldApproval, fmt.Sprintf("%s by %s alone takes effect at %s unless somebody vetoes it; until then: %s", r.Name(), r.By, r.From().UTC().Format("15:04:05 UTC"), why)
	default:
		return HeldApproval, fmt.Sprintf("%s by %s waits for another operator until %s; else: %s", r.Name(), r.By, r.Given.Add(AnswerWithin).UTC().Format("15:04:05 UTC"), why)
	}
}

// beyondBudget reports that people let this very case past the budget. A scope that
// they let past the brake keeps to it, for it may hold many.
func (st *State) beyondBudget(now time.Time, c *Case) bool {
	return slices.ContainsFunc(st.Requests(), func(r *Request) bool { return r.Case == c.ID && st.allows(now, r, ActOverride, c) })
}

// checkVouched refuses the word of people as a fence proof where they have not
// given it.
func (st *State) checkVouched(now time.Time, c *Case) error {
	if st.allowed(now, ActFenced, c) == nil {
		return fmt.Errorf("case %s: no two people have said that %s is off", c.Name(), c.Fencee)
	}
	return nil
}

// announce proposes the beginning of the delay of what somebody asks for alone.
func (c *Conductor) announce(now time.Time, out []ConductorEffect) []ConductorEffect {
	for _, r := range c.st.Requests() {
		if p := (Announced{Request: r.ID}); c.st.checkAnnounced(p) == nil && r.Approved.IsZero() {
			out = c.propose(now, out, KindAnnounced, "announce/"+r.Name(), p)
		}
	}
	return out
}

// vouched proposes the fence proof that people gave.
func (c *Conductor) vouched(now time.Time, x *Case, out []ConductorEffect) (_ []ConductorEffect, done bool) {
	if !x.fencing() {
		return out, false
	}
	r := c.st.allowed(now, ActFenced, x)
	if r == nil {
		return out, false
	}
	return c.step(now, x, Fenced, CaseStep{Proof: proofPeople, Detail: string(x.Fencee) + " is off: " + r.Words()}, out), true
}
