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

// feedLag is how long a fact may take to reach the observers: one batch of the
// feed and a margin. An answer within verifyAgain is the rule; who needs
// longer is asked again.
const (
	feedLag     = 60 * time.Millisecond
	verifyAgain = 400 * time.Millisecond
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
	out = c.announce(now, out)
	for _, x := range c.st.OpenCases() {
		out = c.advance(now, x, out)
	}
	return c.drills(now, c.early(now, c.comeBack(now, out)))
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
			if now.Sub(c.asked[s.Occupant]) >= lookAgainAfter {
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

// lookAgainAfter paces the looks at a service that a restart has healed.
const lookAgainAfter = 2 * time.Second

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
	case Opened, Ready, Preparing, Cutover, Aborting, Closed: // passed through within one fact
	}
	return out
}

// begin decides between restart, replace and hold.
func (c *Conductor) begin(now time.Time, x *Case, out []ConductorEffect) []ConductorEffect {
	if reason, why := c.heardGate(now, x); reason != "" {
		return c.hold(now, x, reason, why, out)
	}
	if x.Planned {
		return c.beginPlanned(now, x, out)
	}
	v, _ := c.st.ledger.Standing(x.Subject)
	if v.Kind == consensus.VerdictServiceDown && c.st.Restartable(now, x) {
		if reason, why := c.st.RestartGate(now, x); reason != "" {
			out = c.would(now, x, DeedRestart, out)
			return c.hold(now, x, reason, why, out)
		}
		if x.State == Held || x.Since.Before(c.from) || x.Attempt > 0 {
			return c.restartLate(now, x, out)
		}
		return c.step(now, x, Restarting, CaseStep{Detail: "restart in place"}, out)
	}
	t := c.st.timing()
	since := c.silentSince(x)
	silent := now.Sub(since)
	if silent < t.ReplaceAfter-t.LookAhead {
		return out
	}
	look, looked := c.looks[x.Subject]
	fresh := looked && !look.Called.Before(since.Add(t.ReplaceAfter-t.LookAhead)) && now.Sub(look.Called) < 2*time.Second
	if !fresh {
		if asked := c.asked[x.Subject]; now.Sub(asked) < time.Second {
			return out
		}
		if reason, why := c.st.ReplaceGate(now, x); reason != "" && reason != HeldEvidence {
			out = c.hold(now, x, reason, why, out)
			if x.State == Held && now.Sub(c.asked[x.Subject]) < 5*time.Second {
				return out // no hurry: it may not begin anyway
			}
		}
		c.asked[x.Subject] = now
		return append(out, LookAgain{Subject: x.Subject})
	}
	if silent < t.ReplaceAfter {
		c.wake = earliest(c.wake, since.Add(t.ReplaceAfter))
		return out
	}
	// The gate first: a case that waits for the brake waits for the brake,
	// whatever the roll calls say meanwhile. Else it would change its reason,
	// and write a fact about that, with every look.
	if reason, why := c.st.ReplaceGate(now, x); reason != "" {
		if confirms(x, look) {
			out = c.would(now, x, DeedReplace, out)
		}
		return c.hold(now, x, reason, why, out)
	}
	if !confirms(x, look) {
		delete(c.looks, x.Subject)
		return c.hold(now, x, HeldEvidence, "the second roll call was not clear", out)
	}
	detail := fmt.Sprintf("silent for %v, and the second roll call agrees", silent.Round(time.Millisecond))
	if r := c.st.allowed(now, ActOverride, x); r != nil {
		detail += ", " + r.Words()
	}
	return c.step(now, x, Fencing, CaseStep{Detail: detail}, out)
}

// restartLate restarts a service that was held, or restarted in vain, or left by
// an earlier leader, only if a roll call since then still finds it down: a cascade
// or a hung action may outlast the trouble, and a verdict is lifted only after a
// clean while.
func (c *Conductor) restartLate(now time.Time, x *Case, out []ConductorEffect) []ConductorEffect {
	look, looked := c.looks[x.Subject]
	switch {
	case !looked || !look.Called.After(c.sights.began(x)) || look.Called.Before(c.from) || now.Sub(look.Called) >= 2*time.Second:
		if now.Sub(c.asked[x.Subject]) < time.Second {
			return out
		}
		c.asked[x.Subject] = now
		return append(out, LookAgain{Subject: x.Subject})
	case !confirms(x, look):
		delete(c.looks, x.Subject)
		return c.hold(now, x, HeldEvidence, "a roll call does not find the service down any more", out)
	default:
		return c.step(now, x, Restarting, CaseStep{Detail: "restart in place, and a second roll call agrees"}, out)
	}
}

// confirms reports that the second roll call says what the verdict said.
func confirms(x *Case, l SecondLook) bool {
	if x.Kind == consensus.VerdictServiceDown {
		return l.Service == agent.Down || l.Agent == agent.Down
	}
	return l.Agent == agent.Down && l.Service != agent.Up
}

// stillLost reports that a roll call of this term has confirmed the loss.
func (c *Conductor) stillLost(now time.Time, x *Case) bool {
	l, ok := c.looks[x.Subject]
	return ok && l.Called.After(c.from) && now.Sub(l.Called) < looksFresh && confirms(x, l)
}

// hold writes down what a case waits for, when that changes.
func (c *Conductor) hold(now time.Time, x *Case, reason HeldReason, why string, out []ConductorEffect) []ConductorEffect {
	reason, why = c.st.Awaits(now, x, reason, why)
	p := CaseStep{Held: reason, Detail: why}
	if (reason == HeldPoolEmpty || reason == HeldReserve) && !x.Planned {
		rung, words := c.st.Rung(now, x)
		p.Rung, p.Detail = rung, why+"; "+words
	}
	if x.State == Held && x.Held == reason && x.Rung == p.Rung {
		return out
	}
	return c.step(now, x, Held, p, out)
}

// claimPatience is how long a fenced slot waits for the brake before people are
// told: most cascades of a whole fleet are over sooner or told by themselves.
const claimPatience = time.Minute

// claim gives the case the best free spare, or tells people that there is none.
func (c *Conductor) claim(now time.Time, x *Case, out []ConductorEffect) []ConductorEffect {
	if out, done := c.claimPlanned(now, x, out); done {
		return out
	}
	if reason, why := c.st.brakeGate(now, x, true); reason != "" {
		// The fence stands; the claim waits for the cascade to end. That of one
		// failure domain may need people to end it, so they are told.
		told := x.Since.Add(claimPatience)
		switch {
		case x.State == Escalated:
		case now.Before(told):
			c.wake = earliest(c.wake, told)
		default:
			out = c.step(now, x, Escalated, CaseStep{Detail: why}, out)
		}
		return out
	}
	if x.State == Fenced && x.Proof == noProof && !x.Planned && x.Since.Before(c.from) && !c.stillLost(now, x) {
		// An earlier leader's step, perhaps one that was committed long after
		// it was proposed: what it saw then is not enough for us.
		return c.lookFor(now, x, out)
	}
	if c.st.twoSteps(x) {
		return c.goLive(now, x, out)
	}
	free := c.st.FreeSpares(now, x)
	if len(free) == 0 {
		if x.State == Escalated {
			return out
		}
		return c.step(now, x, Escalated, CaseStep{Detail: "no free spare in pool " + x.Pool}, out)
	}
	return c.step(now, x, Activating, CaseStep{Spare: c.unaccused(free)}, out)
}

// verify waits until the observers of the one who shall serve say that its
// service answers. If one observer is left, its word is enough beside the report of
// the executor itself: nobody can give a second one, and an unserved slot is worse.
func (c *Conductor) verify(now time.Time, x *Case, late bool, out []ConductorEffect) []ConductorEffect {
	who := x.Spare
	if x.Restart {
		who = x.Subject
	}
	next, back := Cutover, Claiming
	if x.Restart {
		next, back = Closed, Draining
	}
	if !c.st.Checked(who) {
		return c.step(now, x, next, CaseStep{Detail: "no outside check: its own word counts"}, out)
	}
	began := c.sights.began(x)
	look, looked := c.looks[who]
	if looked && look.Called.After(began) && (look.Service == agent.Up || look.Alone) {
		detail := "its observers reach the service"
		if look.Alone {
			detail = "the only observer that is left reaches the service"
		}
		return c.step(now, x, next, CaseStep{Detail: detail}, out)
	}
	if late {
		return c.step(now, x, back, CaseStep{Detail: string(who) + ": its service did not answer within " + c.st.timing().Verify.String()}, out)
	}
	// The observers have to hear first that there is a service to check.
	if asked := c.asked[who]; now.Sub(began) >= feedLag && (asked.Before(began) || now.Sub(asked) >= verifyAgain) {
		c.asked[who] = now
		return append(out, LookAgain{Subject: who})
	}
	c.wake = earliest(c.wake, now.Add(feedLag/2))
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
