package scenario

import (
	"fmt"
	"slices"
	"strings"

	"moonwatch/consensus"
	"moonwatch/failover"
	"moonwatch/member"
	"moonwatch/sim"
	"moonwatch/status"
)

// agreed tells a fact as somebody would who was there: the product's own line
// has more numbers and fewer verbs.
func (t *teller) agreed(f *consensus.Fact) {
	e := Event{Lane: LaneCase, Raw: string(f.Command.Kind)}
	switch {
	case !f.Accepted && ofPeople(f.Command.Kind):
		e.Text = fmt.Sprintf("people are refused: %s", strings.ReplaceAll(f.Reason, "\n", "; "))
		t.tell(e)
		return
	case !f.Accepted:
		e.Text, e.Raw = status.Line(*f), rawRefused
		t.tell(e)
		return
	case f.Command.Kind == consensus.KindGenesis:
		return // every world begins so
	case f.Command.Kind == consensus.KindFleet:
		p := payload[member.Fleet](f)
		e.Lane, e.Text = LaneCouncil, "the fleet is applied: "+inventory(p)
		t.tell(e)
	case f.Command.Kind == consensus.KindVerdict:
		t.verdict(f.Index, payload[consensus.Verdict](f))
	case f.Command.Kind == consensus.KindDisk, f.Command.Kind == consensus.KindCouncil, f.Command.Kind == consensus.KindRefound, f.Command.Kind == consensus.KindRevoked:
		e.Lane, e.Text = LaneCouncil, status.Line(*f)
		t.tell(e)
	case f.Command.Kind == failover.KindCaseOpened:
		p := payload[failover.CaseOpened](f)
		e.Member, e.State, e.Case = p.Subject, string(failover.Draining), f.Index
		t.cases = append(t.cases, f.Index)
		e.Text = fmt.Sprintf("C-%d: slot %s has lost %s, its traffic goes elsewhere", f.Index, p.Slot, p.Subject)
		if s, ok := t.w.State().Slot(p.Slot); ok && !s.Drained {
			why := "too few would be left"
			if _, by, frozen := strings.Cut(t.drainOf(f.Index), "traffic stays: "); frozen && !strings.HasPrefix(by, "the drain") {
				why = plainly(by)
			}
			e.Text = fmt.Sprintf("C-%d: slot %s has lost %s, and keeps its traffic: %s", f.Index, p.Slot, p.Subject, why)
		}
		t.tell(e)
	case f.Command.Kind == failover.KindCaseStep:
		p := payload[failover.CaseStep](f)
		e.State, e.Member, e.Case = string(p.To), t.x.cases[p.Case].subject, p.Case
		e.Text = fmt.Sprintf("C-%d: %s", p.Case, t.step(p))
		t.tell(e)
	case f.Command.Kind == failover.KindPrepare:
		p := payload[failover.PrepareOrdered](f)
		e.State, e.Member, e.Case = string(failover.Preparing), t.x.cases[p.Case].subject, p.Case
		if e.Text = fmt.Sprintf("C-%d: spare %s prepares", p.Case, p.Spare); p.Detail != "" {
			e.Text += " " + p.Detail
		}
		t.tell(e)
	case f.Command.Kind == failover.KindDrill, f.Command.Kind == failover.KindDrillDue:
		p := payload[failover.DrillOrdered](f)
		e.Lane, e.Member, e.Text = LanePool, p.Member, fmt.Sprintf("%s does a drill", p.Member)
		t.tell(e)
	case f.Command.Kind == failover.KindRelease:
		p := payload[failover.SpareReleased](f)
		e.Member, e.Case = p.Spare, p.Case
		e.Text = fmt.Sprintf("C-%d: %s is given up: %s", p.Case, p.Spare, plainly(p.Detail))
		t.tell(e)
	case f.Command.Kind == failover.KindReport:
		p := payload[failover.Report](f)
		e.Member, e.Case = f.Command.Proposer, p.Case
		e.Text = status.Line(*f)
		if p.Done {
			e.Raw = rawDone
		}
		if p.Case == 0 && p.Step == failover.StepPrepare {
			e.Lane, e.Raw, e.Text = LanePool, string(failover.KindDrill), fmt.Sprintf("the drill of %s has failed: %s", e.Member, plainly(p.Detail))
			if p.Done {
				e.Text = fmt.Sprintf("the drill of %s has succeeded, after %.1f s", e.Member, p.Took.Seconds())
			}
		}
		t.tell(e)
	case f.Command.Kind == failover.KindBrake:
		t.brake(payload[failover.Brakes](f))
	case f.Command.Kind == failover.KindReturned:
		p := payload[failover.Returned](f)
		e.Lane, e.Member, e.Text = LanePool, p.Member, fmt.Sprintf("%s is a spare again", p.Member)
		t.tell(e)
	case f.Command.Kind == failover.KindEarly:
		p := payload[failover.ReturnedEarly](f)
		e.Lane, e.Member, e.Text = LanePool, p.Member, fmt.Sprintf("%s is a spare before it has burnt in, for C-%d has none", p.Member, p.Case)
		t.tell(e)
	case f.Command.Kind == failover.KindFits:
		p := payload[failover.Fits](f)
		e.Lane, e.Member, e.Text = LanePool, f.Command.Proposer, status.Line(*f)
		if p.Good {
			e.Raw = rawDone
		}
		t.tell(e)
	case f.Command.Kind == failover.KindBorrowed:
		p := payload[failover.SpareBorrowed](f)
		e.State, e.Member, e.Case = string(failover.Borrowed), p.Spare, p.Case
		e.Text = fmt.Sprintf("C-%d: spare %s is borrowed from pool %s", p.Case, p.Spare, p.From)
		t.tell(e)
	case f.Command.Kind == failover.KindLoanEnded:
		p := payload[failover.LoanEnded](f)
		e.State, e.Member, e.Case = string(failover.LoanBack), p.Spare, p.Case
		e.Text = fmt.Sprintf("C-%d: spare %s goes back unused: %s", p.Case, p.Spare, plainly(p.Detail))
		t.tell(e)
	case f.Command.Kind == failover.KindHold:
		p := payload[failover.HoldGiven](f)
		e.Lane, e.Text = LaneCouncil, fmt.Sprintf("H-%d: %s of %s", f.Index, p.Kind, p.Scope)
		t.tell(e)
	case f.Command.Kind == failover.KindSwitchover:
		p := payload[failover.SwitchoverOrdered](f)
		e.Member, e.State, e.Case = p.Subject, string(failover.Draining), f.Index
		t.cases = append(t.cases, f.Index)
		e.Text = fmt.Sprintf("C-%d: slot %s is to move away from %s", f.Index, p.Slot, p.Subject)
		t.tell(e)
	case f.Command.Kind == failover.KindHeldBack:
		p := payload[failover.HeldBack](f)
		e.State, e.Member, e.Case = string(failover.Held), t.x.cases[p.Case].subject, p.Case
		e.Text = fmt.Sprintf("C-%d: waits (%s): %s", p.Case, failover.HeldEvidence, plainly(p.Detail))
		t.tell(e)
	case f.Command.Kind == failover.KindTakenBack:
		p := payload[failover.TakenBack](f)
		e.State, e.Member, e.Case = string(failover.Closed), t.x.cases[p.Case].subject, p.Case
		e.Text = fmt.Sprintf("C-%d: closed, aborted: %s", p.Case, plainly(p.Detail))
		t.tell(e)
	case f.Command.Kind == failover.KindStopAgain:
		p := payload[failover.StopAgain](f)
		e.State, e.Case = string(failover.Escalated), p.Case
		if c, ok := t.w.State().Case(p.Case); ok {
			e.Member, e.Text = c.Fencee, fmt.Sprintf("C-%d: %s is told again to stop slot %s", p.Case, c.Fencee, c.Slot)
			t.tell(e)
		}
	case f.Command.Kind == failover.KindForced:
		if c, ok := t.w.State().Case(f.Index); ok {
			e.Member, e.State, e.Case = c.Subject, string(failover.Draining), f.Index
			t.cases = append(t.cases, f.Index)
			e.Text = fmt.Sprintf("C-%d: slot %s fails over from %s by R-%d, %s", f.Index, c.Slot, c.Subject, c.Forced, t.drainOf(f.Index))
			t.tell(e)
		}
	case f.Command.Kind == failover.KindDrain:
		p := payload[failover.DrainOrdered](f)
		e.Member, e.Text = p.Subject, fmt.Sprintf("the traffic of slot %s goes elsewhere", p.Slot)
		if p.Back {
			e.Text = fmt.Sprintf("slot %s has its traffic again", p.Slot)
		}
		t.tell(e)
	case f.Command.Kind == failover.KindVacated:
		p := payload[failover.VacateOrdered](f)
		e.Member, e.Text = p.Subject, fmt.Sprintf("slot %s is taken away from %s, and is vacant", p.Slot, p.Subject)
		t.tell(e)
	case f.Command.Kind == failover.KindFilled:
		p := payload[failover.FillOrdered](f)
		if s, ok := t.w.State().Slot(p.Slot); ok {
			e.Member, e.Text = s.Occupant, fmt.Sprintf("slot %s is filled by %s at slot epoch %d", p.Slot, s.Occupant, s.Epoch)
			t.tell(e)
		}
	case f.Command.Kind == failover.KindRequest, f.Command.Kind == failover.KindAnswer, f.Command.Kind == failover.KindAnnounced:
		e.Lane, e.Text = LaneCouncil, status.Line(*f)
		t.tell(e)
	case f.Command.Kind == failover.KindHoldLifted:
		e.Lane, e.Text = LaneCouncil, "a hold is lifted"
		t.tell(e)
	default:
		e.Text = status.Line(*f)
		t.tell(e)
	}
	t.closed()
	t.duties()
}

// ofPeople are the commands of which people are told that they were refused.
func ofPeople(k consensus.FactKind) bool {
	switch k {
	case failover.KindDrain, failover.KindVacated, failover.KindFilled, failover.KindSwitchover, failover.KindHold, failover.KindRequest, failover.KindAnswer, failover.KindDrill, failover.KindCleared, consensus.KindRevoked, consensus.KindFleet:
		return true
	default:
		return false
	}
}

// drainOf is what the ledger says of the drain of a case that was just opened.
func (t *teller) drainOf(id uint64) string {
	c, ok := t.w.State().Case(id)
	if !ok {
		return ""
	}
	return c.History[len(c.History)-1].Detail
}

// inventory counts what a fleet consists of: a witness has no pool, and so is
// no spare.
func inventory(f member.Fleet) string {
	witnesses, retired := 0, 0
	for _, m := range f.Members {
		switch {
		case m.Retired:
			retired++
		case m.Pool == "":
			witnesses++
		}
	}
	slots, members := len(slotsOf(f)), len(f.Members)-retired
	text := fmt.Sprintf("%s, %s, %s", counted(members, "member"), counted(slots, "slot"), counted(members-slots-witnesses, "spare"))
	if retired > 0 {
		text += fmt.Sprintf(", %d retired", retired)
	}
	switch witnesses {
	case 0:
		return text
	case 1:
		return text + ", 1 witness"
	default:
		return fmt.Sprintf("%s, %d witnesses", text, witnesses)
	}
}

// What a transcript leaves out: the page of one run shows it.
const (
	rawRefused = "refused"
	rawDone    = "step-done"
)

// verdict tells whom a verdict names, in groups of one kind.
func (t *teller) verdict(index uint64, v consensus.Verdict) {
	var kinds []consensus.VerdictKind
	by := map[consensus.VerdictKind][]consensus.Finding{}
	for _, x := range v.Findings {
		if by[x.Kind] == nil {
			kinds = append(kinds, x.Kind)
		}
		by[x.Kind] = append(by[x.Kind], x)
	}
	for _, k := range kinds {
		var ids []member.ID
		for _, x := range by[k] {
			ids = append(ids, x.Subject)
		}
		text := fmt.Sprintf("verdict V-%d: %s", index, finding(t.g, v.Domain, k, ids))
		if len(by[k]) == 1 {
			text += grounds(by[k][0])
		}
		t.tell(Event{Lane: LaneCase, Member: ids[0], Raw: string(consensus.KindVerdict), Text: text})
	}
	for _, x := range v.Findings {
		t.change(x.Subject, sim.Agreed, func(c *condition) {
			if c.verdict = x.Kind; x.Kind == consensus.VerdictUp {
				c.verdict = ""
			}
		})
	}
}

// finding puts a verdict about some members into words.
func finding(g *ground, d member.FailureDomain, k consensus.VerdictKind, ids []member.ID) string {
	who := g.names(ids)
	is := "is"
	if len(ids) > 1 && strings.Contains(who, " and ") {
		is = "are"
	}
	switch k {
	case consensus.VerdictDown:
		return fmt.Sprintf("%s %s down", who, is)
	case consensus.VerdictServiceDown:
		return fmt.Sprintf("the service of %s is down", who)
	case consensus.VerdictAgentLost:
		return fmt.Sprintf("%s lost: the agent is silent, the service answers", who)
	case consensus.VerdictDomainCut:
		return fmt.Sprintf("failure domain %s is out of reach (%s)", d, who)
	case consensus.VerdictPartial:
		return fmt.Sprintf("%s %s reached by some and not by others", who, is)
	case consensus.VerdictUp:
		return fmt.Sprintf("%s %s up again", who, is)
	default:
		return fmt.Sprintf("%s: %s", k, who)
	}
}

// grounds is the count behind one finding.
func grounds(x consensus.Finding) string {
	a, s := x.Agent, x.Service
	switch {
	case x.Kind == consensus.VerdictDown, x.Kind == consensus.VerdictAgentLost:
		return fmt.Sprintf(", %d of %d observers", a.Downs, a.Eligible)
	case x.Kind == consensus.VerdictServiceDown:
		return fmt.Sprintf(", %d of %d observers", s.Downs, s.Eligible)
	case x.Withdrawn:
		return ", the verdict is withdrawn"
	default:
		return ""
	}
}

// step puts a step of a case into words.
func (t *teller) step(p failover.CaseStep) string {
	c := t.x.cases[p.Case]
	if x, ok := t.w.State().Case(p.Case); ok {
		c = caseOf{x.Subject, x.Slot} // also of one that was opened before the world began
	}
	detail := plainly(p.Detail)
	if detail != "" {
		detail = ": " + detail
	}
	spare := p.Spare
	if x, ok := t.w.State().Case(p.Case); ok && spare == "" {
		spare = x.Spare
	}
	switch p.To {
	case failover.Draining:
		return fmt.Sprintf("goes on with slot %s%s", c.slot, detail)
	case failover.Held:
		return fmt.Sprintf("waits (%s)%s", p.Held, detail)
	case failover.Restarting:
		return fmt.Sprintf("%s restarts the service of %s", c.subject, c.slot)
	case failover.Fencing:
		if x, ok := t.w.State().Case(p.Case); ok && x.Planned && x.Forced == 0 {
			return fmt.Sprintf("a spare will be put in for %s%s", c.subject, detail)
		}
		return fmt.Sprintf("%s will be replaced%s", c.subject, detail)
	case failover.Activating:
		if p.Detail != "" {
			return fmt.Sprintf("spare %s is prepared and goes live in slot %s", spare, c.slot)
		}
		return fmt.Sprintf("spare %s activates slot %s", spare, c.slot)
	case failover.Verifying:
		return fmt.Sprintf("the observers look whether slot %s is served", c.slot)
	case failover.Cutover:
		return fmt.Sprintf("%s is the occupant of slot %s from now on", spare, c.slot)
	case failover.Claiming:
		return fmt.Sprintf("another spare is looked for%s", detail)
	case failover.Aborting:
		return fmt.Sprintf("given up%s", detail)
	case failover.Escalated:
		return fmt.Sprintf("people are called%s", detail)
	case failover.Closed:
		if x, ok := t.w.State().Case(p.Case); ok && x.Outcome != "" {
			return fmt.Sprintf("closed, %s", x.Outcome)
		}
		return "closed"
	default:
		return strings.ToLower(string(p.To)) + detail
	}
}

// brake tells what has changed. A pool that follows the fleet is not named.
func (t *teller) brake(b failover.Brakes) {
	var parts []string
	old := t.brakes
	t.brakes = b
	if b.Mode() != old.Mode() {
		parts = append(parts, modeWords("mode ", b.In(failover.Fleet)))
	}
	scopes := sortedKeys(b.Modes)
	for _, s := range sortedKeys(old.Modes) {
		if !slices.Contains(scopes, s) {
			scopes = append(scopes, s)
		}
	}
	for _, s := range scopes {
		if m := b.In(s); s != failover.Fleet && m.Mode != old.In(s).Mode && (m.Mode != b.Mode() || b.Mode() == old.Mode()) {
			kind, name, _ := strings.Cut(string(s), ":")
			parts = append(parts, modeWords(strings.Replace(kind, "domain", "failure domain", 1)+" "+name+": ", m))
		}
	}
	if why, was := b.ForPeople(), old.ForPeople(); why != was && why != "" {
		parts = append(parts, "people have to decide: "+why)
	}
	t.tell(Event{Lane: LaneBrake, State: string(b.Mode()), Raw: string(failover.KindBrake), Text: strings.Join(parts, "; ")})
}

// modeWords is a mode and why it holds.
func modeWords(of string, m failover.ScopeMode) string {
	if m.Mode == failover.Normal || m.Why == "" {
		return of + string(m.Mode)
	}
	return of + string(m.Mode) + ": " + plainly(m.Why)
}

// plainly leaves out of the product's words what only its own page explains.
func plainly(why string) string {
	why, _, _ = strings.Cut(why, ": guarded from")
	return strings.Replace(why, "domain:", "failure domain ", 1)
}

func counted(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
