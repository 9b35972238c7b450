package failover

import (
	"fmt"
	"time"

	"moonwatch/consensus"
)

// Two people can have a slot fail over whose occupant is well by the votes: they see
// what no probe does (wrong answers, a disk that they do not trust, a service that
// cannot be moved in order). It is a failover: the traffic goes away at once, the budget
// is spent, the gates of every failover are asked, and the old occupant has a strike and
// its way back before it. Only the evidence is theirs, and so it is void as soon as the
// votes say anything new about the member, or somebody else has the slot.

// KindForced opens the case that two people have approved. It is the leader's.
const KindForced consensus.FactKind = "failover-forced"

// Forced makes use of a request, once.
type Forced struct {
	Request uint64 `json:"request"`
}

// plannedSlot is what a plan says of a slot whose occupant is well.
func (st *State) plannedSlot(s *Slot) PlannedCase {
	return st.planned(ActFailover, &Case{Slot: s.ID, Pool: s.Pool, Subject: s.Occupant, Epoch: s.Epoch})
}

// forcePlan is what a request for a failover of an occupant that is well asks for.
func (st *State) forcePlan(p Plan, r Requested) (Plan, error) {
	what := fmt.Sprintf("request %s of %s", r.Act, r.About())
	s, ok := st.s.Slots[r.Slot]
	switch {
	case r.Slot == "" || r.Case != 0 || r.Scope != "":
		return p, fmt.Errorf("request %s: want a slot, and nothing else", r.Act)
	case !ok:
		return p, fmt.Errorf("%s: no such slot", what)
	case s.Occupant == "":
		return p, fmt.Errorf("%s: nobody holds it", what)
	case s.Case != 0:
		return p, fmt.Errorf("%s: case C-%d goes on", what, s.Case)
	case !s.Started:
		return p, fmt.Errorf("%s: %s has not started it yet", what, s.Occupant)
	}
	if v, stands := st.ledger.Standing(s.Occupant); stands && replaceable(v.Kind) {
		return p, fmt.Errorf("%s: %s is under %s: a failover is about to come", what, s.Occupant, v.Kind)
	}
	if pool, known := st.ledger.Fleet().Pool(s.Pool); !known || !pool.Armed {
		return p, fmt.Errorf("%s: pool %s is not armed", what, s.Pool)
	}
	p.Cases = []PlannedCase{st.plannedSlot(s)}
	return p, nil
}

// stillWell says what has changed under a request for the failover of an occupant that
// was well, empty if nothing has.
func (st *State) stillWell(r *Request) string {
	if r.Opened != 0 {
		return fmt.Sprintf("C-%d came of it", r.Opened)
	}
	for _, x := range r.Cases {
		s := st.s.Slots[x.Slot]
		if s == nil || s.Epoch != x.Epoch {
			return fmt.Sprintf("slot %s has moved on from slot epoch %d", x.Slot, x.Epoch)
		}
		if is := st.plannedSlot(s); x != is {
			return x.changed(is)
		}
	}
	return ""
}

// checkForced says why no case comes of a request now.
func (st *State) checkForced(now time.Time, p Forced) error {
	r, ok := st.s.Requests[p.Request]
	switch {
	case !ok || r.Act != ActFailover:
		return fmt.Errorf("failover by R-%d: nobody has asked for one", p.Request)
	case r.State(now) != RequestInForce:
		return fmt.Errorf("failover by %s: it is %s", r.Name(), r.State(now))
	}
	if err := st.stillMeant(now, r); err != nil {
		return fmt.Errorf("failover by %s: %w", r.Name(), err)
	}
	return nil
}

// force opens the case.
func (st *State) force(f consensus.Fact, p Forced) {
	r := st.s.Requests[p.Request]
	r.Opened = f.Index
	s := st.s.Slots[r.Slot]
	c := &Case{
		ID: f.Index, Slot: s.ID, Pool: s.Pool, Subject: s.Occupant, Epoch: s.Epoch, Silent: f.Time,
		Planned: true, Forced: r.ID, Order: &Order{By: r.people(), Reason: r.Reason, At: f.Time},
	}
	c.enter(Opened, f, fmt.Sprintf("%s: %s", r.Words(), r.Reason))
	st.s.Cases[c.ID] = c
	s.Case = c.ID
	c.enter(Draining, f, st.drainFor(f, c, s))
}

// people are who stands behind a request.
func (r *Request) people() string {
	if r.ApprovedBy == "" {
		return r.By + " alone"
	}
	return r.By + " and " + r.ApprovedBy
}

// unforced says why people do not stand behind a case any more, empty if they do.
func (st *State) unforced(now time.Time, c *Case) string {
	r, s := st.s.Requests[c.Forced], st.s.Slots[c.Slot]
	name := fmt.Sprintf("R-%d", c.Forced)
	switch {
	case r == nil:
		return name + " is over"
	case r.State(now) == RequestRejected:
		return fmt.Sprintf("%s was rejected by %s: %s", name, r.RejectedBy, r.Why)
	case r.State(now) != RequestInForce:
		return name + " is " + string(r.State(now))
	case s == nil || s.Epoch != c.Epoch:
		return fmt.Sprintf("slot %s has moved on from slot epoch %d", c.Slot, c.Epoch)
	case st.plannedSlot(s) != r.Cases[0]:
		return r.Cases[0].changed(st.plannedSlot(s))
	default:
		return ""
	}
}

// ForcedGate says what keeps a forced failover from going on; an empty reason lets it.
// It is asked all that a failover is, but for the evidence.
func (st *State) ForcedGate(now time.Time, c *Case) (HeldReason, string) {
	if why := st.unforced(now, c); why != "" {
		return HeldApproval, why
	}
	pool, ok := st.ledger.Fleet().Pool(c.Pool)
	if !ok || !pool.Armed {
		return HeldDisarmed, fmt.Sprintf("pool %s is not armed", c.Pool)
	}
	if reason, why := st.holdGate(now, c); reason != "" {
		return reason, why
	}
	// Its agent answers, so its own word can be the proof.
	if reason, why := st.fenceGate(c, pool, consensus.VerdictServiceDown); reason != "" && st.allowed(now, ActFenced, c) == nil {
		return reason, why
	}
	if reason, why := st.brakeGate(now, c, false); reason != "" {
		return reason, why
	}
	free := st.FreeSpares(now, c)
	if len(free) == 0 {
		return HeldPoolEmpty, st.noSpare(now, c)
	}
	if why := st.reserved(c, pool, len(free)); why != "" && st.allowed(now, ActReserve, c) == nil {
		return HeldReserve, why
	}
	if reason, why := st.budgetGate(now); reason != "" && !st.beyondBudget(now, c) {
		return reason, why
	}
	return st.dryRunGate(now, c, fmt.Sprintf("replace %s by %s", c.Subject, free[0]))
}

// Gate is what keeps a case from what cannot be undone: of a failover, of one that is
// forced, or of a switchover.
func (st *State) Gate(now time.Time, c *Case) (HeldReason, string) {
	switch {
	case c.Forced != 0:
		return st.ForcedGate(now, c)
	case c.Planned:
		return st.PlannedGate(now, c)
	default:
		return st.ReplaceGate(now, c)
	}
}

// forced opens the cases that people have approved.
func (c *Conductor) forced(now time.Time, out []ConductorEffect) []ConductorEffect {
	for _, r := range c.st.Requests() {
		p := Forced{Request: r.ID}
		if r.Act != ActFailover || c.st.checkForced(now, p) != nil {
			continue
		}
		out = c.propose(now, out, KindForced, "force/"+r.Name(), p)
	}
	return out
}

// LaterActs are those that an older build refuses to stand: a request for one waits like
// a fact of KindForced, which came with them.
func LaterActs() []Act { return []Act{ActReserve, ActFailover} }

// wordsOf says what a plan for one slot or case lets happen, by another act than the
// first ones.
func (p PlannedCase) wordsOf(act Act) string {
	switch act {
	case ActReserve:
		return fmt.Sprintf("C-%d may have a spare of the reserve for slot %s, lost with %s at slot epoch %d (V-%d)", p.Case, p.Slot, p.Subject, p.Epoch, p.Verdict)
	case ActFailover:
		word := "under no verdict"
		if p.Verdict != 0 {
			word = fmt.Sprintf("under V-%d, which asks for none", p.Verdict)
		}
		return fmt.Sprintf("slot %s fails over from %s, which is %s, at slot epoch %d: drained at once, fenced, replaced, and a strike for it", p.Slot, p.Subject, word, p.Epoch)
	default:
		return ""
	}
}
