package failover

import (
	"fmt"
	"slices"
	"time"

	"moonwatch/consensus"
	"moonwatch/member"
)

func (st *State) checkOpened(p CaseOpened) error {
	s, ok := st.s.Slots[p.Slot]
	if !ok {
		return fmt.Errorf("open case: no slot %s", p.Slot)
	}
	if s.Occupant != p.Subject || s.Epoch != p.Epoch {
		return fmt.Errorf("open case on %s: occupied by %s at slot epoch %d, the verdict means %s at %d",
			p.Slot, s.Occupant, s.Epoch, p.Subject, p.Epoch)
	}
	if s.Case != 0 {
		return fmt.Errorf("open case on %s: C-%d goes on", p.Slot, s.Case)
	}
	if v, ok := st.ledger.Standing(p.Subject); !ok || !replaceable(v.Kind) {
		return fmt.Errorf("open case on %s: %s is under no verdict that asks for it", p.Slot, p.Subject)
	}
	return nil
}

// replaceable verdicts open a case. agent-lost, partial and domain-cut never
// do by themselves.
func replaceable(k consensus.VerdictKind) bool {
	return k == consensus.VerdictDown || k == consensus.VerdictServiceDown
}

func (st *State) open(f consensus.Fact, p CaseOpened) {
	s := st.s.Slots[p.Slot]
	v, _ := st.ledger.Standing(p.Subject)
	c := &Case{
		ID: f.Index, Slot: p.Slot, Pool: s.Pool, Subject: p.Subject, Epoch: p.Epoch,
		Kind: v.Kind, Verdict: v.Index, Silent: v.SilentSince,
	}
	if c.Silent.IsZero() {
		c.Silent = f.Time
	}
	c.enter(Opened, f, string(v.Kind))
	st.s.Cases[c.ID] = c
	s.Case = c.ID
	c.enter(Draining, f, st.drainFor(f, c, s))
}

// drainFor takes the traffic of a lost slot away, where that may be, and says so.
func (st *State) drainFor(f consensus.Fact, c *Case, s *Slot) string {
	if s.Away != nil {
		c.Drained = true
		return "people had taken its traffic away"
	}
	if h := st.stilled(f.Time, c.Subject, s.Pool); h != nil {
		return "traffic stays: " + h.why()
	}
	if st.mayDrain(s) {
		s.Drained, c.Drained = true, true
		return "traffic goes elsewhere"
	}
	return "traffic stays: the drain would take the pool below its floor"
}

// mayDrain keeps a pool above its floor (PROTOCOL 5): max(1, half of its
// slots) go on serving, and never is the last serving occupant taken out.
func (st *State) mayDrain(s *Slot) bool {
	slots, serving := 0, 0
	for _, x := range st.s.Slots {
		if x.Pool != s.Pool {
			continue
		}
		slots++
		if x != s && x.Occupant != "" && !x.Drained {
			serving++
		}
	}
	return serving >= max(1, (slots+1)/2)
}

// checkStep holds the table of steps and the gates of each.
func (st *State) checkStep(now time.Time, p CaseStep) error {
	c, ok := st.s.Cases[p.Case]
	if !ok {
		return fmt.Errorf("case C-%d: unknown", p.Case)
	}
	if c.Version != p.Version {
		return fmt.Errorf("case %s: step from version %d, it is at %d", c.Name(), p.Version, c.Version)
	}
	if !c.leadsTo(p.To) {
		return fmt.Errorf("case %s: %s does not lead to %s", c.Name(), c.State, p.To)
	}
	switch p.To {
	case Restarting:
		if reason, why := st.RestartGate(now, c); reason != "" {
			return fmt.Errorf("case %s: restart held: %s: %s", c.Name(), reason, why)
		}
	case Fencing:
		if reason, why := st.Gate(now, c); reason != "" {
			return fmt.Errorf("case %s: replace held: %s: %s", c.Name(), reason, why)
		}
	case Fenced:
		if p.Proof == proofPeople {
			return st.checkVouched(now, c)
		}
		return st.checkProof(c, p.Proof)
	case Activating:
		if reason, why := st.brakeGate(now, c, true); reason != "" {
			return fmt.Errorf("case %s: activation held: %s: %s", c.Name(), reason, why)
		}
		if st.twoSteps(c) {
			return st.checkLive(now, c, p.Spare)
		}
		return st.checkClaim(now, c, p.Spare)
	case Cutover:
		if s := st.s.Slots[c.Slot]; s == nil || s.Epoch != c.Epoch {
			return fmt.Errorf("case %s: slot %s has moved on from slot epoch %d", c.Name(), c.Slot, c.Epoch)
		}
	default: // no gate
	}
	return nil
}

// leadsTo is the leader's part of the state machine; executors' reports and
// verdicts do the rest. A round that restarts in place has steps of its own: it
// has fenced nobody and claimed nothing, so it never leads to a cutover.
func (c *Case) leadsTo(to CaseState) bool {
	from := c.State
	switch to {
	case Held, Restarting, Fencing:
		return from == Draining || from == Held
	case Draining: // a restart that did not help
		return c.Restart && (from == Verifying || from == Restarting)
	case Fenced: // by a proof that the leader has; that of the fencee itself is a report
		return c.Proof == "" && (from == Fencing || from == Escalated)
	case Escalated:
		return from == Fencing || from == Fenced || from == Claiming
	case Activating: // never before the fence is proven
		return c.Proof != "" && (from == Fenced || from == Claiming || from == Escalated)
	case Claiming:
		return !c.Restart && (from == Activating || from == Verifying)
	case Cutover:
		return !c.Restart && from == Verifying
	case Closed:
		return from == Settling || c.Restart && from == Verifying || c.givenUp()
	default:
		return false
	}
}

// step applies an accepted step.
func (st *State) step(f consensus.Fact, p CaseStep) {
	c := st.s.Cases[p.Case]
	c.Version++
	t := st.timing()
	switch p.To {
	case Held:
		c.enter(Held, f, p.Detail)
		c.Held, c.Rung, c.Why = p.Held, p.Rung, p.Detail
		c.History[len(c.History)-1].Held = p.Held
	case Restarting:
		c.enter(Restarting, f, p.Detail)
		c.Restart = true
		c.Attempt++
		c.Deadline = f.Time.Add(t.Restart)
		s := st.s.Slots[c.Slot]
		s.Restarts = append(within(s.Restarts, f.Time, t.RestartWindow), f.Time)
	case Fencing:
		st.fence(f, c, p, t)
	case Activating:
		st.claim(f, c, p, t)
	case Fenced:
		c.Proof = p.Proof
		c.enter(Fenced, f, p.Detail)
	case Claiming:
		st.giveUp(f, c, p.Detail)
	case Draining:
		c.enter(Draining, f, p.Detail)
		c.Restart = false
	case Escalated:
		c.enter(Escalated, f, p.Detail)
		c.Why = p.Detail
	case Cutover:
		st.cutover(f, c)
	case Closed:
		if c.Restart {
			st.close(c, f, OutcomeRestarted, p.Detail)
			return
		}
		if c.Planned {
			outcome := OutcomeSwitched
			switch {
			case c.State != Settling:
				outcome = OutcomeAborted
			case c.Forced != 0:
				outcome = OutcomeReplaced
			}
			st.close(c, f, outcome, p.Detail)
			return
		}
		st.close(c, f, OutcomeReplaced, p.Detail)
	default: // leadsTo lets nothing else through
	}
}

// fence spends the budget and asks for the proof that the pool wants.
func (st *State) fence(f consensus.Fact, c *Case, p CaseStep, t Timing) {
	if !c.Planned || c.Forced != 0 {
		st.s.Spent = append(within(st.s.Spent, f.Time, t.BudgetWindow), f.Time)
	}
	if !c.Planned {
		st.score(f, c, DeedReplace, false)
	}
	c.Restart = false
	c.enter(Ready, f, p.Detail)
	c.enter(Fencing, f, "")
	c.Fencee, c.FenceEpoch, c.Outside, c.Again = c.Subject, c.Epoch, nil, nil
	pool, _ := st.ledger.Fleet().Pool(c.Pool)
	if !pool.Exclusive && (len(pool.Fence) == 0 || pool.Fence[0] == "none") {
		c.Proof = noProof
		c.enter(Fenced, f, "no proof wanted")
		return
	}
	c.Deadline = f.Time.Add(t.Stop)
	if s := st.s.Slots[c.Slot]; c.Planned && !s.Drained && st.mayDrain(s) {
		s.Drained, c.Drained = true, true // its occupant is about to stop, and answers until then
	}
}

// claim gives a spare to the case. The index of this fact is the slot epoch
// that the slot will have if this attempt wins.
func (st *State) claim(f consensus.Fact, c *Case, p CaseStep, t Timing) {
	c.Attempt++
	c.Spare, c.NewEpoch = p.Spare, member.SlotEpoch(f.Index)
	c.Preparing = slices.DeleteFunc(slices.Clone(c.Preparing), func(x Preparation) bool { return x.Spare == p.Spare })
	st.giveBack(f, c)
	c.enter(Claiming, f, string(p.Spare))
	c.enter(Activating, f, fmt.Sprintf("%s at slot epoch %d", p.Spare, f.Index))
	c.Deadline = f.Time.Add(t.Activate)
	u := st.s.Uses[p.Spare]
	u.Duty, u.Slot, u.Case, u.Since, u.LastUsed = Claimed, c.Slot, c.ID, f.Time, f.Time
}

// unclaim takes the case's spare away from it. The spare may be running
// something by now, so it goes to quarantine until it says itself that nothing
// of the case runs there: a claim never ends by time alone.
func (st *State) unclaim(f consensus.Fact, c *Case) {
	u := st.s.Uses[c.Spare]
	if u != nil && u.Duty == Claimed && u.Case == c.ID {
		u.Duty, u.Since, u.Case, u.Slot = Quarantined, f.Time, 0, ""
		u.Lent = nil
		st.strike(u, f.Time)
		u.left(c.Slot, c.NewEpoch)
	}
	c.Spare, c.NewEpoch = "", 0
}

// giveUp ends an attempt. The spare of an exclusive slot may be running it, so it is
// fenced as the occupant was before anybody else may.
func (st *State) giveUp(f consensus.Fact, c *Case, detail string) {
	spare, epoch := c.Spare, c.NewEpoch
	st.unclaim(f, c)
	c.enter(Claiming, f, detail)
	if pool, _ := st.ledger.Fleet().Pool(c.Pool); !pool.Exclusive {
		return
	}
	c.Proof, c.Fencee, c.FenceEpoch, c.Outside, c.Again = "", spare, epoch, nil, nil
	c.enter(Fencing, f, fmt.Sprintf("%s may run it at slot epoch %d", spare, epoch))
	c.Deadline = f.Time.Add(st.timing().Stop)
}

func (u *Use) left(slot member.SlotID, epoch member.SlotEpoch) {
	if u.Leftover == nil {
		u.Leftover = map[member.SlotID]member.SlotEpoch{}
	}
	u.Leftover[slot] = epoch
	delete(u.Shadow, slot)
}

// cutover makes the spare the occupant: from this fact on the slot epoch is
// the new one, and whoever acts on the old one is refused.
func (st *State) cutover(f consensus.Fact, c *Case) {
	s := st.s.Slots[c.Slot]
	if u := st.s.Uses[c.Subject]; u != nil {
		u.Duty, u.Since, u.Slot, u.Case, u.Lent = Quarantined, f.Time, "", 0, nil
		u.left(c.Slot, c.Epoch)
		switch {
		case !c.Planned, c.Forced != 0:
			st.strike(u, f.Time)
		case c.Proof == noProof:
			u.LetGo = f.Time.Add(Linger)
		default:
			u.LetGo = f.Time // it is well, and has stopped
		}
	}
	s.Occupant, s.Epoch, s.Since, s.LiveAt = c.Spare, c.NewEpoch, f.Time, f.Time
	s.Died = nil
	s.Started, s.Drained, s.Away, s.Anew, s.Unable = true, false, nil, 0, false
	u := st.s.Uses[c.Spare]
	u.Duty, u.Slot, u.Since, u.Case = Occupant, c.Slot, f.Time, 0
	c.enter(Cutover, f, fmt.Sprintf("%s serves %s", c.Spare, c.Slot))
	c.enter(Settling, f, "")
	c.Deadline = f.Time.Add(st.timing().Settle)
}

// checkReport refuses the word of anybody but the executor itself.
func (st *State) checkReport(by member.ID, p Report) error {
	if p.Case == 0 {
		if st.s.Uses[by] == nil && (st.s.Retired[by] == nil || p.Step != StepStop) {
			return fmt.Errorf("report of %s: it has no duty", by)
		}
		if p.Step == StepPrepare {
			return st.checkDrilled(by, p)
		}
		return nil
	}
	c, ok := st.s.Cases[p.Case]
	if !ok {
		return fmt.Errorf("report of %s: no case C-%d", by, p.Case)
	}
	switch p.Step {
	case StepFence:
		return c.checkOutside(by, p)
	case StepPrepare:
		return c.checkPrepared(by, p)
	case StepStop:
		if c.State == Escalated {
			return c.checkAgain(by, p)
		}
	default: // a step of the case itself
	}
	executor, step, epoch, due := c.Step()
	if !due || by != executor || p.Step != step || p.Attempt != c.Attempt || p.Epoch != epoch {
		return fmt.Errorf("report of %s on %s of %s: not the step that the case waits for", by, p.Step, c.Name())
	}
	return nil
}

// Step is the step that somebody has to do now, and at which slot epoch.
func (c *Case) Step() (executor member.ID, step StepKind, epoch member.SlotEpoch, due bool) {
	switch c.State {
	case Restarting:
		return c.Subject, StepRestart, c.Epoch, true
	case Fencing:
		return c.Fencee, StepStop, c.FenceEpoch, true
	case Activating:
		return c.Spare, StepActivate, c.NewEpoch, true
	default:
		return "", "", 0, false
	}
}

// reported applies an executor's word.
func (st *State) reported(f consensus.Fact, p Report) {
	if p.Case == 0 {
		st.reportedAlone(f, p)
		return
	}
	c := st.s.Cases[p.Case]
	c.Version++
	switch {
	case p.Step == StepFence:
		st.switchedOff(f, c, p)
	case p.Step == StepPrepare:
		st.prepared(f, c, p)
	case c.State == Escalated:
		st.stoppedAgain(f, c, p)
	case c.State == Fencing && p.Done && !st.takesOwnWord(c):
		c.Why = string(c.Fencee) + " says that it stopped, and the pool wants more than its word"
	case c.State == Fencing && p.Done:
		c.Proof = "self"
		c.enter(Fenced, f, p.Detail)
	case c.State == Fencing && st.waits(c):
		c.Why = string(c.Fencee) + " could not stop it: " + p.Detail // and its lease ends all the same
	case c.State == Fencing:
		c.enter(Escalated, f, "fence: "+p.Detail)
		c.Why = "fence: " + p.Detail
	case p.Done:
		c.enter(Verifying, f, p.Detail)
		c.Deadline = f.Time.Add(st.timing().Verify)
	case c.State == Restarting:
		c.enter(Draining, f, "restart: "+p.Detail)
		c.Restart = false
	default:
		st.giveUp(f, c, p.Detail)
	}
}

// reportedAlone applies a member's word about what it did outside of a case:
// it started the slot that it was given first, or stopped one that it lost.
func (st *State) reportedAlone(f consensus.Fact, p Report) {
	by := f.Command.Proposer
	u := st.known(by)
	switch {
	case p.Step == StepTest:
		u.Proof = &Proof{At: f.Said(), Good: p.Done, Says: p.Detail}
	case p.Step == StepPrepare:
		st.drilled(f, p.Done, p.Detail)
	case p.Step == StepActivate:
		if s := st.s.Slots[p.Slot]; s != nil && s.Occupant == by && s.Epoch == p.Epoch {
			s.Started = s.Started || p.Done
			if p.Attempt == s.anewAttempt() { // and no start of before, whose word came late
				st.startedAnew(s, p.Done)
			}
		}
	case !p.Done:
	case p.Step == StepStop && u.Leftover[p.Slot] <= p.Epoch:
		delete(u.Leftover, p.Slot)
		delete(u.Shadow, p.Slot)
		if _, condemned := st.ledger.Standing(by); !condemned && u.Duty == Quarantined && len(u.Leftover) == 0 && !u.LetGo.IsZero() {
			u.Duty, u.Since, u.LetGo = Spare, f.Time, time.Time{} // people moved its slot away: it was well all along
			return
		}
		// A spare that an activation failed on is under no verdict that could
		// be lifted: its own word that nothing runs there begins the way back.
		if _, condemned := st.ledger.Standing(by); u.Duty == Quarantined && len(u.Leftover) == 0 && !condemned {
			u.Duty, u.Since = BurnIn, f.Time
		}
	}
}
