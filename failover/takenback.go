package failover

import (
	"fmt"
	"time"

	"moonwatch/consensus"
)

// People may reject a failover that they forced while its old occupant is being stopped.
// Until there is a proof that it has stopped, nobody else may have been given the slot: so
// the case is taken back, and the occupant, which is well and may have stopped by then,
// starts the service anew. Its traffic comes back with its word that it has. From the
// proof on the slot moves: whoever rejects then is told so.

// KindTakenBack ends a forced failover that was rejected while its fence was under way.
// It is no step, for builds of before it refuse this one.
const KindTakenBack consensus.FactKind = "case-taken-back"

// TakenBack says why. Like a step it is a compare-and-swap on Version.
type TakenBack struct {
	Case    uint64 `json:"case"`
	Version int    `json:"version"`
	Detail  string `json:"detail"`
}

// returnable reports that nobody but its old occupant can have the slot of a forced
// failover, although the case has begun to fence it.
func (c *Case) returnable() bool {
	if c.Forced == 0 || c.Spare != "" || c.Outside != nil || c.Fencee != c.Subject {
		return false
	}
	switch c.State {
	case Fencing, Escalated:
		return c.Proof == "" || c.Proof == noProof
	case Fenced, Claiming:
		return c.Proof == noProof
	default:
		return false
	}
}

// renounced says why people do not want a forced failover any more that has begun, empty
// if they do. That the time of their approval is over ends what has no proof yet.
func (st *State) renounced(now time.Time, c *Case) string {
	r := st.s.Requests[c.Forced]
	switch {
	case r == nil:
		return ""
	case !r.Rejected.IsZero():
		return fmt.Sprintf("%s was rejected by %s: %s", r.Name(), r.RejectedBy, r.Why)
	case c.Proof == "" && r.State(now) == RequestOver:
		return r.Name() + " is over"
	default:
		return ""
	}
}

func (st *State) checkTakenBack(now time.Time, p TakenBack) error {
	c, ok := st.s.Cases[p.Case]
	switch {
	case !ok:
		return fmt.Errorf("case C-%d: unknown", p.Case)
	case c.Version != p.Version:
		return fmt.Errorf("case %s: taken back from version %d, it is at %d", c.Name(), p.Version, c.Version)
	case !c.returnable():
		return fmt.Errorf("case %s: %s with proof %q, and is not taken back any more", c.Name(), c.State, c.Proof)
	case st.renounced(now, c) == "":
		return fmt.Errorf("case %s: taken back, and two people want it", c.Name())
	}
	return nil
}

// takeBack leaves the slot to its occupant. What the case spent of the budget is spent.
func (st *State) takeBack(f consensus.Fact, p TakenBack) {
	c := st.s.Cases[p.Case]
	c.Version++
	stopping := c.Proof == "" // where no proof is wanted the occupant is not asked to stop
	c.enter(Aborting, f, p.Detail)
	st.close(c, f, OutcomeAborted, "")
	if s := st.s.Slots[c.Slot]; s != nil && stopping {
		s.Anew, s.Unable, s.Drained = f.Index, false, s.Drained || c.Drained
	}
}

// anew is the start of a service that its occupant may have stopped for a case that was
// taken back. Its attempt is a number of its own: what was started at this slot epoch
// before is done.
func (e *Executor) anew(now time.Time, due []DoStep) []DoStep {
	s := e.st.slotOf(e.self)
	if s == nil || s.Anew == 0 || s.Case != 0 && e.st.s.Cases[s.Case].stepping() {
		return due
	}
	key := StepKey{Step: StepActivate, Slot: s.ID, Epoch: s.Epoch, Attempt: s.anewAttempt()}
	return append(due, e.want(key, now.Add(e.st.timing().Activate)))
}

// anewAttempt tells that start from all others of the slot epoch: enforcers count from 1.
func (s *Slot) anewAttempt() int { return -int(s.Anew) }

// startedAnew takes an occupant's word about it. One that cannot has its traffic back as
// well where observers check it: if nothing answers there, they say so.
func (st *State) startedAnew(s *Slot, done bool) {
	if s.Anew == 0 {
		return
	}
	s.Unable = !done
	if done {
		s.Anew = 0
	}
	s.Drained = s.Away != nil || s.Drained && st.stillStopped(s)
}

// stillStopped reports that a slot's service may not run, for it has not been started
// anew, and that nobody would find that out from outside: traffic waits for it.
func (st *State) stillStopped(s *Slot) bool {
	pool, known := st.ledger.Fleet().Pool(s.Pool)
	return s.Anew != 0 && !(s.Unable && known && pool.Checks.Outside())
}

// takeBack proposes to take a forced failover back that people do not want any more.
func (c *Conductor) takeBack(now time.Time, x *Case, out []ConductorEffect) (_ []ConductorEffect, done bool) {
	p := TakenBack{Case: x.ID, Version: x.Version}
	if x.Forced == 0 || c.st.checkTakenBack(now, p) != nil {
		return out, false
	}
	p.Detail = "given up: " + c.st.renounced(now, x)
	return c.propose(now, out, KindTakenBack, fmt.Sprintf("%s/%d/taken-back", x.Name(), x.Version), p), true
}
