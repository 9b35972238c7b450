package scenario

import (
	"fmt"
	"slices"
	"strings"

	"moonwatch/consensus"
	"moonwatch/failover"
	"moonwatch/internal/strict"
	"moonwatch/sim"
)

// Trigger says in words what a step waits for: "case.activating(@victim)",
// "leader-elected", "crash". It is kept as it was written.
type Trigger struct {
	What string    // verdict, verdict.down, case.activating, mode.cascade, a fault's name, ...
	Whom *Selector // about whom, nil: anybody; of service-up and service-down a slot
}

// The triggers that are not made of a word and a member of a closed set.
const (
	onVerdict       = "verdict" // one that condemns; verdict.up and the others name the kind
	onLeaderElected = "leader-elected"
	onServiceUp     = "service-up"
	onServiceDown   = "service-down"
	onAgentStarted  = "agent-started"
	onAgentEnded    = "agent-ended"
	onActionBegan   = "action-began"
	onActionEnded   = "action-ended"
)

// caseStates are the states of a case as a trigger may name them.
var caseStates = []failover.CaseState{
	failover.Opened, failover.Draining, failover.Held, failover.Ready, failover.Restarting, failover.Fencing, failover.Fenced,
	failover.Claiming, failover.Activating, failover.Verifying, failover.Cutover, failover.Settling, failover.Aborting,
	failover.Escalated, failover.Closed, failover.Preparing, failover.Borrowed, failover.LoanBack,
}

var verdictKinds = []consensus.VerdictKind{
	consensus.VerdictDown, consensus.VerdictServiceDown, consensus.VerdictAgentLost, consensus.VerdictDomainCut,
	consensus.VerdictPartial, consensus.VerdictUp,
}

// modes are the brake's, from free to bound; isolated is no fact.
var modes = []failover.Mode{failover.Normal, failover.Guarded, failover.Cascade}

// triggerWords are all first halves of triggers.
func triggerWords() []string {
	all := []string{onVerdict}
	for _, k := range verdictKinds {
		all = append(all, onVerdict+"."+string(k))
	}
	for _, s := range caseStates {
		all = append(all, caseTrigger(s))
	}
	for _, m := range modes {
		all = append(all, modeTrigger(m))
	}
	all = append(all, onLeaderElected, onServiceUp, onServiceDown, onAgentStarted, onAgentEnded, onActionBegan, onActionEnded)
	for _, r := range sim.Kinds() {
		all = append(all, string(r.Kind), string(r.Kind)+".ended")
	}
	return all
}

func caseTrigger(s failover.CaseState) string { return "case." + strings.ToLower(string(s)) }
func modeTrigger(m failover.Mode) string      { return "mode." + string(m) }

// ParseTrigger reads a trigger.
func ParseTrigger(s string) (Trigger, error) {
	what, about, has := strings.Cut(s, "(")
	t := Trigger{What: strings.TrimSpace(what)}
	if known := triggerWords(); !slices.Contains(known, t.What) {
		if near := strict.Nearest(t.What, known); near != "" {
			return t, fmt.Errorf("nothing is called %q, did you mean %s?", t.What, near)
		}
		return t, fmt.Errorf("nothing is called %q, want the name of a fault, verdict, verdict.KIND, case.STATE, mode.MODE, %s", t.What,
			strict.Words([]string{onLeaderElected, onServiceUp, onServiceDown, onAgentStarted, onAgentEnded, onActionBegan, onActionEnded}, "or"))
	}
	if !has {
		return t, nil
	}
	inner, closed := strings.CutSuffix(strings.TrimSpace(about), ")")
	if !closed {
		return t, fmt.Errorf("%q has no closing bracket", s)
	}
	if t.aboutSlot() && !strings.Contains(inner, ":") && !strings.HasPrefix(inner, "@") {
		inner = string(bySlot) + inner
	}
	whom, err := ParseSelector(inner)
	if err != nil {
		return t, err
	}
	switch {
	case strings.HasPrefix(t.What, "mode."):
		return t, fmt.Errorf("%s is about the whole fleet and has no brackets", t.What)
	case t.aboutSlot() && whom.kind != bySlot:
		return t, fmt.Errorf("%s(%s) names no slot, want such as %s(web-0)", t.What, inner, t.What)
	case whom.draws():
		return t, fmt.Errorf("%s is drawn by chance: a trigger wants somebody who is known", inner)
	}
	t.Whom = &whom
	return t, nil
}

// aboutSlot reports whether a slot stands in the brackets.
func (t Trigger) aboutSlot() bool { return t.What == onServiceUp || t.What == onServiceDown }

// String is the trigger as it is written.
func (t Trigger) String() string {
	switch {
	case t.Whom == nil:
		return t.What
	case t.aboutSlot():
		return t.What + "(" + t.Whom.name + ")"
	default:
		return t.What + "(" + t.Whom.String() + ")"
	}
}

// MarshalText writes the trigger into a plan.
func (t Trigger) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// UnmarshalText reads it from a plan.
func (t *Trigger) UnmarshalText(b []byte) (err error) {
	*t, err = ParseTrigger(string(b))
	return err
}
