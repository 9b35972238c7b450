package failover

import (
	"fmt"
	"time"

	"moonwatch/agent"
	"moonwatch/consensus"
	"moonwatch/member"
)

// ConductorEvent is what a Conductor can be told. The set is closed.
type ConductorEvent interface{ isConductorEvent() }

// ConductorWoken tells that the time of Wake has come or that facts were
// applied.
type ConductorWoken struct{}

// SecondLook brings the end of a roll call that the Conductor asked for.
type SecondLook struct {
	Subject member.ID
	Agent   agent.Stance
	Service agent.Stance
	Called  time.Time
	// SilentSince is the last sign of life of a subject that is down, zero if the
	// observers complain of more than silence.
	SilentSince time.Time
	Alone       bool // the only observer that is left says that the service answers
	Agreed      bool // every observer that can speak answered, and said what the verdict says
}

func (ConductorWoken) isConductorEvent() {}
func (SecondLook) isConductorEvent()     {}

// ConductorEffect is what a Conductor wants done. The set is closed.
type ConductorEffect interface{ isConductorEffect() }

// ProposeFact asks for a command to be proposed.
type ProposeFact struct {
	Kind    consensus.FactKind
	ID      string
	Payload any
}

// LookAgain asks for one more roll call of a subject.
type LookAgain struct {
	Subject member.ID
	All     bool // wait for the answers of all, not only for enough of them
}

func (ProposeFact) isConductorEffect() {}
func (LookAgain) isConductorEffect()   {}

// Conductor moves the cases on, on the council's leader. It keeps nothing that
// a new leader would miss: what it has proposed and what the last roll call
// said can be had again.
type Conductor struct {
	st   *State
	term uint64
	brk  *Brake
	n    uint64 // of proposals in this term
	from time.Time

	looks    map[member.ID]SecondLook
	asked    map[member.ID]time.Time
	proposed map[string]time.Time
	sights   sights
	accused  []member.ID // of this Step
	lessor   *Lessor     // nil: no lease is a proof
	heard    []*Hold     // unconfirmed

	preparing map[member.SlotEpoch]time.Time // since when this leader sees a spare prepare
	wake      time.Time
}

// conductorBeat is how often the conductor looks while a case is open or
// somebody is in trouble, calmBeat how often when all is well. New facts call it
// at once.
const (
	conductorBeat = 100 * time.Millisecond
	calmBeat      = 500 * time.Millisecond
)

// NewConductor makes the conductor of one leadership.
func NewConductor(st *State, lessor *Lessor, term uint64, now time.Time) *Conductor {
	return &Conductor{
		st: st, lessor: lessor, term: term, brk: NewBrake(st), wake: now, from: now,
		looks: map[member.ID]SecondLook{}, asked: map[member.ID]time.Time{}, proposed: map[string]time.Time{}, sights: sights{},
		preparing: map[member.SlotEpoch]time.Time{},
	}
}

// Step looks at everything that is open. Accused are the members in trouble
// that no verdict covers yet, for the brake.
func (c *Conductor) Step(now time.Time, ev ConductorEvent, accused []member.ID) []ConductorEffect {
	switch ev := ev.(type) {
	case ConductorWoken:
	case SecondLook:
		c.looks[ev.Subject] = ev
		c.brk.Looked(ev)
	default:
		panic(fmt.Sprintf("failover: unknown event %T", ev))
	}
	c.accused = accused
	c.sights.look(now, c.st)
	c.wake = now.Add(calmBeat)
	if len(accused) > 0 || len(c.st.OpenCases()) > 0 || len(c.st.ledger.Condemned()) > 0 {
		c.wake = now.Add(conductorBeat)
	}
	var out []ConductorEffect
	if b, news := c.brk.Weigh(now, accused); news {
		b.Term, b.Turn = c.term, c.n+1
		out = c.propose(now, out, KindBrake, fmt.Sprintf("brake/%d", c.st.ledger.Head()), b)
	}
	if id, due := c.brk.Ask(now); due {
		out = append(out, LookAgain{Subject: id, All: true})
	}
	out = c.openCases(now, out)
	out = c.forced(now, c.announce(now, out))
	for _, x := range c.st.OpenCases() {
		out = c.advance(now, x, out)
	}
	return c.drills(now, c.lentBack(now, c.borrow(now, c.early(now, c.comeBack(now, out)))))
}

// Wake is when the conductor wants to be called next.
func (c *Conductor) Wake() time.Time { return c.wake }

// propose hands out a command, not more often than once a second: the one
// before may still be on its way. The name says what is meant and at which
// version, so the same intention has the same name.
func (c *Conductor) propose(now time.Time, out []ConductorEffect, kind consensus.FactKind, name string, payload any) []ConductorEffect {
	if t, ok := c.proposed[name]; ok && now.Sub(t) < time.Second {
		return out
	}
	if len(c.proposed) > 1024 {
		clear(c.proposed)
	}
	c.proposed[name] = now
	c.n++
	return append(out, ProposeFact{Kind: kind, ID: fmt.Sprintf("%s/%d.%d", name, c.term, c.n), Payload: payload})
}

// openCases opens a case for each occupied slot whose occupant stands under a
// verdict that asks for it.
func (c *Conductor) openCases(now time.Time, out []ConductorEffect) []ConductorEffect {
	for _, s := range c.st.Slots() {
		if s.Occupant == "" || s.Case != 0 {
			continue
		}
		v, stands := c.st.ledger.Standing(s.Occupant)
		if !stands || !replaceable(v.Kind) {
			continue
		}
		if healed, ok := c.healed(s, v); ok && !c.failsAgain(s.Occupant, healed) {
			if now.Sub(c.asked[s.Occupant]) >= 2*c.st.timing().LookAgain { // no hurry: the restart has healed it
				c.asked[s.Occupant] = now
				out = append(out, LookAgain{Subject: s.Occupant})
			}
			continue
		}
		out = c.propose(now, out, KindCaseOpened, fmt.Sprintf("case-open/%s/%d/%d", s.ID, s.Epoch, v.Index),
			CaseOpened{Slot: s.ID, Subject: s.Occupant, Epoch: s.Epoch, Verdict: v.Index})
	}
	return out
}

// healed finds when a restart helped under the very verdict that still stands:
// it is lifted after a clean while, and until then it says nothing new.
func (c *Conductor) healed(s *Slot, v consensus.Standing) (time.Time, bool) {
	for _, x := range c.st.Cases() {
		if x.Slot == s.ID && x.Verdict == v.Index && x.Outcome == OutcomeRestarted {
			return x.Since, true
		}
	}
	return time.Time{}, false
}

// failsAgain reports that a roll call since then found the service down.
func (c *Conductor) failsAgain(id member.ID, since time.Time) bool {
	l, ok := c.looks[id]
	return ok && l.Called.After(since) && (l.Service == agent.Down || l.Agent == agent.Down)
}

func (c *Conductor) step(now time.Time, x *Case, to CaseState, p CaseStep, out []ConductorEffect) []ConductorEffect {
	p.Case, p.Version, p.To = x.ID, x.Version, to
	return c.propose(now, out, KindCaseStep, fmt.Sprintf("%s/%d/%s/%s%s", x.Name(), x.Version, to, p.Held, p.Rung), p)
}

// advance proposes the next step of one case.
func (c *Conductor) advance(now time.Time, x *Case, out []ConductorEffect) []ConductorEffect {
	late := c.sights.late(now, x)
	if v, _ := c.st.ledger.Standing(x.Subject); v.Kind == consensus.VerdictDown && x.Restart && (x.State == Restarting || x.State == Verifying) {
		// Its service was only the first of it to be missed.
		return c.step(now, x, Draining, CaseStep{Detail: "the member itself is down"}, out)
	}
	if why := c.st.lostSpare(x); why != "" && (x.State == Activating || x.State == Verifying) {
		return c.step(now, x, Claiming, CaseStep{Detail: why}, out)
	}
	if out, done := c.vouched(now, x, out); done {
		return out
	}
	if out, done := c.takeBack(now, x, out); done {
		return out
	}
	switch x.State {
	case Draining, Held:
		return c.begin(now, x, out)
	case Restarting:
		if late {
			return c.step(now, x, Draining, CaseStep{Detail: "restart: no word within " + c.st.timing().Restart.String()}, out)
		}
	case Fencing:
		if told := c.orderFence(now, x, out); len(told) > len(out) {
			return told
		}
		if ended, wait := c.leaseEnded(now, x); ended {
			return c.step(now, x, Fenced, CaseStep{Proof: proofLease, Detail: "its lease has surely ended"}, out)
		} else if !wait.IsZero() {
			c.wake = earliest(c.wake, wait)
		}
		if late {
			return c.step(now, x, Escalated, CaseStep{Detail: "fence: no proof within " + c.st.timing().Stop.String()}, out)
		}
		if c.st.twoSteps(x) {
			return c.prepare(now, x, out)
		}
	case Fenced, Claiming:
		return c.claim(now, x, out)
	case Escalated:
		if told := c.orderFence(now, x, out); len(told) > len(out) {
			return told
		}
		if ended, _ := c.leaseEnded(now, x); ended {
			return c.step(now, x, Fenced, CaseStep{Proof: proofLease, Detail: "its lease has surely ended"}, out)
		}
		if x.Proof != "" {
			return c.claim(now, x, out)
		}
		if told := c.stopAgain(now, x, out); len(told) > len(out) {
			return told
		}
		return c.letGo(now, x, out) // people may take hours: nobody prepares for so long
	case Activating:
		if late {
			return c.step(now, x, Claiming, CaseStep{Detail: string(x.Spare) + ": no word within " + c.st.timing().Activate.String()}, out)
		}
	case Verifying:
		return c.verify(now, x, late, out)
	case Settling:
		if late {
			return c.settle(now, x, out)
		}
	case Opened, Ready, Preparing, Borrowed, LoanBack, Cutover, Aborting, Closed: // passed through within one fact
	}
	return out
}

// comeBack makes spares of members that have burnt in.
func (c *Conductor) comeBack(now time.Time, out []ConductorEffect) []ConductorEffect {
	for _, m := range c.st.ledger.Roster().Members {
		u := c.st.s.Uses[m.ID]
		if u == nil || u.Duty != BurnIn {
			continue
		}
		if c.st.BurntIn(now, m.ID) == nil {
			out = c.propose(now, out, KindReturned, fmt.Sprintf("return/%s/%d", m.ID, u.Since.UnixMilli()), Returned{Member: m.ID})
		}
	}
	return out
}

func earliest(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}
