package scenario

import (
	"slices"
	"strings"

	"moonwatch/consensus"
	"moonwatch/failover"
	"moonwatch/member"
	"moonwatch/sim"
)

// meant reports whether a happening is what a trigger waits for.
func (r *run) meant(t Trigger, h sim.Happening) bool {
	switch h.What {
	case sim.FaultBegan:
		return t.What == string(h.Fault.Do) && r.concerns(t, h.Fault.Whom...)
	case sim.FaultEnded:
		return t.What == string(h.Fault.Do)+".ended" && r.concerns(t, h.Fault.Whom...)
	case sim.AgentStarted:
		return t.What == onAgentStarted && r.concerns(t, h.Member)
	case sim.AgentEnded:
		return t.What == onAgentEnded && r.concerns(t, h.Member)
	case sim.ActionBegan:
		return t.What == onActionBegan && r.concerns(t, h.Member)
	case sim.ActionEnded:
		return t.What == onActionEnded && r.concerns(t, h.Member)
	case sim.ServiceUp:
		return t.What == onServiceUp && isSlot(t, h.Slot)
	case sim.ServiceDown:
		return t.What == onServiceDown && isSlot(t, h.Slot)
	case sim.LedBy:
		return t.What == onLeaderElected && r.witness.elected(h) && r.concerns(t, h.Member)
	case sim.Agreed:
		return h.Fact.Accepted && r.agreed(t, h.Fact)
	default:
		return false
	}
}

func isSlot(t Trigger, slot member.SlotID) bool {
	return t.Whom == nil || t.Whom.name == string(slot)
}

// concerns reports whether one of the members is whom a trigger is about.
func (r *run) concerns(t Trigger, ids ...member.ID) bool {
	if t.Whom == nil {
		return true
	}
	whom, _ := r.eye.one(roll(0, 0, forWhom), *t.Whom, nil)
	return slices.ContainsFunc(ids, func(id member.ID) bool { return slices.Contains(whom, id) })
}

// agreed reports whether a fact is what a trigger waits for.
func (r *run) agreed(t Trigger, f *consensus.Fact) bool {
	what, kind, _ := strings.Cut(t.What, ".")
	if what == "case" {
		return r.entered(t, f)
	}
	switch f.Command.Kind {
	case consensus.KindVerdict:
		if what != onVerdict {
			return false
		}
		for _, x := range payload[consensus.Verdict](f).Findings {
			if (kind == string(x.Kind) || kind == "" && condemns(x.Kind)) && r.concerns(t, x.Subject) {
				return true
			}
		}
		return false
	case failover.KindBrake:
		return what == "mode" && r.witness.mode != r.witness.before && kind == string(r.witness.mode)
	default:
		return false
	}
}

// entered reports whether a fact brought a case into the state that a trigger
// waits for, be it for a moment.
func (r *run) entered(t Trigger, f *consensus.Fact) bool {
	for _, c := range r.w.State().Cases() {
		for _, p := range c.History {
			if p.Fact == f.Index && t.What == caseTrigger(p.State) && r.concerns(t, c.Subject) {
				return true
			}
		}
	}
	return false
}

// condemns reports whether a verdict of this kind is against its subject.
func condemns(k consensus.VerdictKind) bool {
	return k != consensus.VerdictUp && k != consensus.VerdictPartial
}

// payload reads what an accepted fact says. The ledger has read it already.
func payload[T any](f *consensus.Fact) T {
	v, err := consensus.DecodePayload[T](*f)
	if err != nil {
		panic("scenario: accepted fact: " + err.Error())
	}
	return v
}
