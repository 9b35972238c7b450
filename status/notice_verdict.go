package status

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"moonwatch/consensus"
	"moonwatch/failover"
	"moonwatch/member"
)

// trouble is what belongs to one verdict.
type trouble struct {
	verdict string
	since   time.Time
	members []Member
	cases   []Case // open ones first
}

// verdictNotices gathers members and cases by the verdict that began it: members
// that crossed the line together are one matter, and what becomes of their cases are
// its stages.
func verdictNotices(p Page) []Notice {
	by := map[string]*trouble{}
	at := func(verdict string) *trouble {
		if by[verdict] == nil {
			by[verdict] = &trouble{verdict: verdict}
		}
		return by[verdict]
	}
	for _, m := range p.Members {
		if root := rootOf(p, m); root != "" {
			at(root).members = append(at(root).members, m)
		}
	}
	for _, c := range p.Cases {
		if !c.Planned && (c.Open || by[c.Verdict] != nil) {
			at(c.Verdict).cases = append(at(c.Verdict).cases, c)
		}
	}
	var out []Notice
	for _, v := range slices.Sorted(maps.Keys(by)) {
		out = append(out, by[v].notice(p))
	}
	return out
}

// rootOf is the verdict with which a member's trouble began, empty if it has none
// that people have to know of: a verdict that got graver while a case goes on is the
// same matter, and one whose slot somebody else has is over, though the machine is
// still to be repaired.
func rootOf(p Page, m Member) string {
	var last *Case
	for i := range p.Cases {
		c := &p.Cases[i]
		if c.Subject == m.ID && !c.Planned && (last == nil || c.Index > last.Index) {
			last = c
		}
	}
	switch {
	case last != nil && last.Open:
		return last.Verdict
	case m.Verdict == "":
		return ""
	case last != nil && last.Outcome == failover.OutcomeReplaced && !last.Since.Before(m.Since):
		return ""
	default:
		return m.VerdictID
	}
}

func (t *trouble) notice(p Page) Notice {
	n := Notice{ID: "verdict/" + t.verdict, Severity: Warning, Command: "moonwatch explain " + t.verdict, Patience: verdictPatience}
	for _, v := range p.Verdicts {
		if v.ID == t.verdict {
			t.since = v.At
		}
	}
	var parts []string
	for _, m := range t.members {
		n.Members = append(n.Members, m.ID)
		parts = append(parts, fmt.Sprintf("%s is %s%s", m.ID, m.Verdict, tallied(p, m)))
		if t.since.IsZero() || m.Since.Before(t.since) {
			t.since = m.Since
		}
	}
	passing := len(t.members) > 0
	for _, m := range t.members {
		passing = passing && (m.Verdict == consensus.VerdictPartial || m.Verdict == consensus.VerdictAgentLost)
	}
	for _, c := range t.cases {
		n.Cases = append(n.Cases, c.ID)
		if !slices.Contains(n.Members, c.Subject) {
			n.Members = append(n.Members, c.Subject)
		}
		if t.since.IsZero() {
			t.since = c.Passages[0].At
		}
	}
	n.Passing = passing && len(t.cases) == 0
	n.Since = t.since.UTC()
	n.What = fmt.Sprintf("%s: %s.", t.verdict, strings.Join(first(parts, 12), ", "))
	if parts == nil {
		n.What = fmt.Sprintf("%s: %s was in trouble and is up.", t.verdict, names(n.Members))
	}
	if lost := slotsLostBy(p, n.Members); len(lost) > 0 {
		n.What += " " + upperFirst(strings.Join(first(lost, 12), ", ")) + "."
	}
	t.say(p, &n)
	return n
}

func first(list []string, few int) []string {
	if more := len(list) - few; more > 0 {
		return append(slices.Clone(list[:few]), fmt.Sprintf("and %d more", more))
	}
	return list
}

// slotsLostBy says how the slots of these members do.
func slotsLostBy(p Page, ids []member.ID) []string {
	var out []string
	for _, s := range p.Slots {
		if slices.Contains(ids, s.Occupant) && s.State != SlotServing {
			out = append(out, fmt.Sprintf("slot %s is %s", s.ID, strings.ReplaceAll(string(s.State), "-", " ")))
		}
	}
	return out
}

// tallied says how many observers bear a member's verdict.
func tallied(p Page, m Member) string {
	for _, v := range p.Verdicts {
		if v.ID != m.VerdictID {
			continue
		}
		for _, f := range v.Findings {
			if f.Subject == m.ID {
				t := f.Decisive()
				return fmt.Sprintf(" (%d of %d observers)", t.Downs, t.Eligible)
			}
		}
	}
	return ""
}

// say adds what Moonwatch does and what people should do: what the gravest of the
// cases needs.
func (t *trouble) say(p Page, n *Notice) {
	worst := -1
	var does []string
	for i, c := range t.cases {
		if !c.Open {
			continue
		}
		does = append(does, fmt.Sprintf("%s of %s is %s: %s", c.ID, c.Slot, c.State, c.Next))
		if worst < 0 || grave(p, c) > grave(p, t.cases[worst]) {
			worst = i
		}
	}
	if worst < 0 {
		n.Stage = Healing
		n.Does, n.Do = withoutCase(t.members)
		return
	}
	n.Does = upperFirst(strings.Join(first(does, 6), "; ")) + "."
	n.Stage, n.Severity, n.Do = stageOf(p, t.cases[worst])
	n.Command = "moonwatch explain " + t.cases[worst].ID
}

// withoutCase is about members that hold no slot, or whose service is not to be
// touched.
func withoutCase(members []Member) (does, do string) {
	for _, m := range members {
		switch m.Verdict {
		case consensus.VerdictPartial:
			return "Nothing is replaced: some observers still reach it.", "Look at the network between it and those that do not."
		case consensus.VerdictAgentLost:
			return "Nothing is replaced: its service answers.", "Look at the agent on it, and start it again."
		case consensus.VerdictDomainCut:
			return "Nothing is replaced: a whole failure domain is out of reach.", "Look at what connects the failure domain with the others."
		case consensus.VerdictDown, consensus.VerdictServiceDown, consensus.VerdictUp:
		}
	}
	return "It holds no slot, so nothing has to be replaced.", "Repair it: it comes back as a spare after quarantine and burn-in."
}

// grave orders cases by how much they need people.
func grave(p Page, c Case) int {
	switch _, severity, _ := stageOf(p, c); {
	case c.State == failover.Escalated:
		return 3
	case severity == Critical:
		return 2
	case c.State == failover.Held:
		return 1
	default:
		return 0
	}
}

// stageOf says how far a case is, for people.
func stageOf(p Page, c Case) (stage string, severity Severity, do string) {
	switch {
	case c.State == failover.Escalated:
		return Escalated, Critical, oneLine(fmt.Sprintf("It needs you: %s.", cmp.Or(c.Why, lastDetail(c), "the case did not get through by itself")))
	case c.State != failover.Held || p.Now.Sub(c.Since) < heldPatience:
		return Healing, Warning, "Nothing now: you hear again when it is over, or needs you."
	}
	stage = "held: " + string(c.Held)
	why := oneLine(cmp.Or(c.Why, c.HeldBy))
	switch c.Held {
	case failover.HeldFence:
		return stage, Critical, fmt.Sprintf("Nothing proves that %s stopped (%s). Make sure that it is off, then two operators say so: moonwatch request fenced %s", c.Subject, why, c.ID)
	case failover.HeldPoolEmpty:
		return stage, Critical, fmt.Sprintf("No spare is free (%s): repair a member or add one to the pool.", why)
	case failover.HeldReserve:
		return stage, Warning, fmt.Sprintf("The spares that are left are the pool's reserve (%s). To use one: moonwatch request reserve %s", why, c.ID)
	case failover.HeldBrake, failover.HeldBudget:
		return stage, Critical, fmt.Sprintf("It waits (%s). To let it go on in spite of that, two operators ask for it: moonwatch request override %s", why, c.ID)
	case failover.HeldDisarmed:
		return stage, Warning, "This is what would have been done: the pool is not armed. Do it by hand, or arm the pool."
	case failover.HeldApproval:
		return stage, Warning, "Another operator is asked: moonwatch approvals"
	case failover.HeldHold, failover.HeldMaintenance, failover.HeldDryRun:
		return stage, Warning, fmt.Sprintf("People hold it (%s). When they are done: moonwatch resume", why)
	case failover.HeldEvidence:
		return stage, Warning, fmt.Sprintf("Observers do not agree whether %s is gone (%s): look at it.", c.Subject, why)
	default:
		return stage, Critical, why + "."
	}
}

func lastDetail(c Case) string {
	if n := len(c.Passages); n > 0 {
		return c.Passages[n-1].Detail
	}
	return ""
}

// plannedCases tell of switchovers that do not go on: whoever wanted one is told by
// the command, and nobody else, while it does.
func plannedCases(p Page) []Notice {
	var out []Notice
	for _, c := range p.Cases {
		if !c.Open || !c.Planned {
			continue
		}
		stage, severity, do := stageOf(p, c)
		if stage == Healing {
			continue
		}
		out = append(out, Notice{
			ID: "case/" + c.ID, Stage: stage, Severity: severity, Since: c.Since.UTC(),
			What: fmt.Sprintf("The switchover %s of slot %s is %s.", c.ID, c.Slot, c.State),
			Does: upperFirst(c.Next) + ".", Do: do, Command: "moonwatch explain " + c.ID,
			Members: []member.ID{c.Subject}, Cases: []string{c.ID},
		})
	}
	return out
}
