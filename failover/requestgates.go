package failover

import (
	"fmt"
	"slices"
	"time"
)

// What people have allowed, as the gates of a case ask for it.

// proofPeople is the fence proof that people give by ActFenced.
const proofPeople = "people"

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
	if reason != HeldBrake && reason != HeldBudget && reason != HeldFence && reason != HeldReserve {
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
