package failover

import (
	"fmt"
	"time"

	"moonwatch/consensus"
	"moonwatch/member"
)

// A fencee that could not stop its slot is told again, as long as its word would be a
// proof and nothing else has been one: what its action wanted may be there again long
// before people look. Each time is a fact and a step of its own, at a slower and slower
// rate, and whatever would hold a fence back holds it back.

// KindStopAgain tells the fencee of an escalated case to stop its slot once more. It is
// no step of a case, for builds of before refuse one.
const KindStopAgain consensus.FactKind = "stop-again"

// StopAgain names the case. Like a step it is a compare-and-swap on Version.
type StopAgain struct {
	Case    uint64 `json:"case"`
	Version int    `json:"version"`
}

// Again is the newest time that a fencee was told to stop its slot once more.
type Again struct {
	Nth      int       `json:"nth"`  // from 1
	Fact     uint64    `json:"fact"` // which told it
	At       time.Time `json:"at"`
	Deadline time.Time `json:"deadline"`
	Failed   string    `json:"failed,omitempty"` // why it gave no proof
}

// How long after the time before, or after people were called, a fencee is told again: as
// a fence device at first; later as seldom as people who have mended an action can wait,
// for each time is two facts, and people may take days.
const (
	stopAgainAfter = 10 * time.Second
	stopAgainMax   = 2 * time.Minute
)

func (st *State) checkStopAgain(now time.Time, p StopAgain) error {
	c, ok := st.s.Cases[p.Case]
	switch {
	case !ok:
		return fmt.Errorf("stop again: no case C-%d", p.Case)
	case c.Version != p.Version:
		return fmt.Errorf("case %s: told to stop again from version %d, it is at %d", c.Name(), p.Version, c.Version)
	case c.State != Escalated || !c.fencing():
		return fmt.Errorf("case %s: %s, and waits for nobody to stop", c.Name(), c.State)
	case c.Again.underWay(now):
		return fmt.Errorf("case %s: %s is told already, until %s", c.Name(), c.Fencee, c.Again.Deadline.Format(time.TimeOnly))
	case !st.takesOwnWord(c):
		return fmt.Errorf("case %s: the word of %s is no proof for pool %s", c.Name(), c.Fencee, c.Pool)
	}
	if reason, why := st.againGate(now, c); reason != "" {
		return fmt.Errorf("case %s: stop held: %s: %s", c.Name(), reason, why)
	}
	return nil
}

// againGate asks what people and brake say now. A switchover needs no arming, and a
// maintenance is what it may be for.
func (st *State) againGate(now time.Time, c *Case) (HeldReason, string) {
	pool, _ := st.ledger.Fleet().Pool(c.Pool)
	planned := c.Planned && c.Forced == 0
	if !pool.Armed && !planned {
		return HeldDisarmed, fmt.Sprintf("pool %s is not armed", c.Pool)
	}
	if reason, why := st.holdGate(now, c); reason != "" && !(planned && reason == HeldMaintenance) {
		return reason, why
	}
	return st.brakeGate(now, c, true)
}

func (a *Again) underWay(now time.Time) bool {
	return a != nil && a.Failed == "" && now.Before(a.Deadline)
}

func (st *State) stopAgain(f consensus.Fact, p StopAgain) {
	c := st.s.Cases[p.Case]
	c.Version++
	n := 1
	if c.Again != nil {
		n = c.Again.Nth + 1
	}
	c.Again = &Again{Nth: n, Fact: f.Index, At: f.Time, Deadline: f.Time.Add(st.timing().Stop)}
	c.pass(f, Escalated, string(c.Fencee)+" is told again to stop it")
}

// AgainStep is the stop that the fencee has been told to do once more. Its attempt is a
// number of its own: what was tried before under another one is over.
func (c *Case) AgainStep() (by member.ID, attempt int, due bool) {
	if c.State != Escalated || !c.fencing() || c.Again == nil || c.Again.Failed != "" {
		return "", 0, false
	}
	return c.Fencee, -int(c.Again.Fact), true
}

// checkAgain refuses the word of anybody but the fencee that was told, and about an
// earlier attempt.
func (c *Case) checkAgain(by member.ID, p Report) error {
	told, attempt, due := c.AgainStep()
	if !due || by != told || p.Attempt != attempt || p.Epoch != c.FenceEpoch {
		return fmt.Errorf("report of %s on %s of %s: not the step that the case waits for", by, p.Step, c.Name())
	}
	return nil
}

// stoppedAgain applies the fencee's word.
func (st *State) stoppedAgain(f consensus.Fact, c *Case, p Report) {
	if p.Done && st.takesOwnWord(c) {
		c.Proof = "self"
		c.enter(Fenced, f, p.Detail)
		return
	}
	a := *c.Again // others of this process may share it
	a.Failed, c.Why = p.Detail, "fence: "+p.Detail
	if p.Done {
		a.Failed = "the pool wants more than its word"
		c.Why = string(c.Fencee) + " says that it stopped, and the pool wants more than its word"
	}
	c.Again = &a
}

// nextAgain is when a case tells its fencee once more.
func (c *Case) nextAgain() time.Time {
	if c.Again == nil {
		return c.Since.Add(stopAgainAfter)
	}
	return c.Again.At.Add(min(stopAgainAfter<<min(c.Again.Nth, 10), stopAgainMax))
}

// stopAgain proposes to tell the fencee once more, when it is time. One that no verdict
// finds able to hear is told when it is back.
func (c *Conductor) stopAgain(now time.Time, x *Case, out []ConductorEffect) []ConductorEffect {
	if x.Fencee == "" || now.Before(x.nextAgain()) {
		return out
	}
	switch v, _ := c.st.ledger.Standing(x.Fencee); v.Kind {
	case consensus.VerdictDown, consensus.VerdictAgentLost, consensus.VerdictDomainCut:
		return out
	default: // its agent answers
	}
	p := StopAgain{Case: x.ID, Version: x.Version}
	if c.st.checkStopAgain(now, p) != nil {
		return out
	}
	return c.propose(now, out, KindStopAgain, fmt.Sprintf("%s/%d/stop-again", x.Name(), x.Version), p)
}

// againDue lists the stops that this member has been told to do once more.
func (e *Executor) againDue(due []DoStep) []DoStep {
	for _, c := range e.st.OpenCases() {
		if by, attempt, ok := c.AgainStep(); ok && by == e.self {
			due = append(due, e.want(StepKey{Case: c.ID, Attempt: attempt, Step: StepStop, Slot: c.Slot, Epoch: c.FenceEpoch}, c.Again.Deadline))
		}
	}
	return due
}
