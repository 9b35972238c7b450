package status

import (
	"fmt"
	"slices"
	"strings"

	"moonwatch/failover"
	"moonwatch/member"
)

// explainSlot tells how a slot stands and then all about who holds it, or who could;
// false for a slot that is unknown.
func (p Page) explainSlot(id member.SlotID) (Explanation, bool) {
	i := slices.IndexFunc(p.Slots, func(s Slot) bool { return s.ID == id })
	if i < 0 {
		return Explanation{}, false
	}
	s := p.Slots[i]
	m, known := p.member(s.Occupant)
	if !known {
		return p.explainVacant(s), true
	}
	e := p.explainMember(m)
	e.Slot = &s
	var t lines
	t.say(0, "Slot %s of pool %s is %s; %s holds it since %s, at slot epoch %d.", s.ID, s.Pool, s.State, s.Occupant, moment(s.Since), s.Epoch)
	if s.Away != nil {
		t.say(0, "%s took its traffic away at %s: %s. 'moonwatch undrain %s' gives it back.", s.Away.By, moment(s.Away.At), s.Away.Reason, s.ID)
	}
	if s.State == SlotStarting {
		p.tellStart(&t, s)
	}
	for _, d := range p.Doors {
		for _, b := range d.Behind {
			if b.Slot == id {
				t.say(0, "Door %s does not treat it so, as far as is known: %s.", d.Name, b.Why)
			}
		}
	}
	for _, c := range p.Cases {
		if c.Slot == s.ID && c.Subject != m.ID && c.Spare != m.ID {
			t.say(0, "Case %s: lost with %s, %s.", c.ID, c.Subject, c.standing())
			e.See = append(e.See, c.ID)
		}
	}
	e.Lines = append(t, e.Lines...)
	return e, true
}

// tellStart says what keeps an occupant from serving that never did, and why nobody
// takes its place.
func (p Page) tellStart(t *lines, s Slot) {
	t.say(0, "%s has not said that its service is up: see 'step ended' in the log of its agent.", s.Occupant)
	if f, failed := p.startFailed(s); failed {
		t.say(0, "Its start failed at %s: %s (fact %d).", moment(f.At), f.Line, f.Index)
	}
	t.say(0, "Its agent tries again, every 30 s at last. As long as %s is up nobody takes its place: what never served is no service that fails.", s.Occupant)
}

// startFailed is the fact with which an occupant said that it could not start its slot.
// It says so once; the attempts that follow are in its log alone.
func (p Page) startFailed(s Slot) (FactLine, bool) {
	word := reportLine(s.Occupant, failover.Report{Step: failover.StepActivate, Slot: s.ID, Epoch: s.Epoch})
	i := slices.IndexFunc(p.Facts, func(f FactLine) bool {
		return f.Kind == failover.KindReport && f.By == s.Occupant && strings.HasPrefix(f.Line, word)
	})
	if i < 0 {
		return FactLine{}, false
	}
	return p.Facts[i], true
}

// explainVacant says how a slot that nobody holds gets an occupant, and which members
// of its pool could be that.
func (p Page) explainVacant(s Slot) Explanation {
	e := Explanation{ID: string(s.ID), Slot: &s}
	var t lines
	t.say(0, "Slot %s of pool %s is vacant: nobody holds it, and no traffic goes there.", s.ID, s.Pool)
	if s.Vacated != nil {
		t.say(0, "%s took it away from its last occupant at %s: %s. No fleet.yaml that is applied fills it.", s.Vacated.By, moment(s.Vacated.At), s.Vacated.Reason)
	} else {
		t.say(0, "No case fills it, for nobody was lost: it is given away when a changed fleet.yaml is applied, to the first spare of the pool in the order of the file that nothing keeps from it.")
	}
	for _, m := range p.Members {
		if slices.Contains(m.Leftover, s.ID) {
			t.say(0, "%s may still run it: nobody else gets it, and it stays in the fleet, until that one has stopped it.", m.ID)
		}
	}
	hold, free := 0, 0
	for _, m := range p.Members {
		switch {
		case m.Pool != s.Pool || m.Home != "":
		case m.Duty == failover.Occupant:
			hold++
		case p.keptFrom(m) == "":
			free++
			e.See = append(e.See, string(m.ID))
			t.say(0, "%s could take it.", m.ID)
		default:
			e.See = append(e.See, string(m.ID))
			t.say(0, "%s cannot take it now: %s.", m.ID, p.keptFrom(m))
		}
	}
	t.say(0, "Of the pool's members %d hold a slot.", hold)
	if free > 0 {
		t.say(0, "What to do: 'moonwatch fill %s' gives it to the first of them; a fleet.yaml without it takes it out of the fleet.", s.ID)
	} else {
		t.say(0, "What to do: add a member to the pool in fleet.yaml and apply it, or mend one of those that cannot take it; then 'moonwatch fill %s'.", s.ID)
	}
	e.Lines = t
	return e
}

// keptFrom is what keeps a member from being given a vacant slot, empty if nothing does.
func (p Page) keptFrom(m Member) string {
	switch {
	case m.Duty != failover.Spare:
		return m.duty()
	case m.Verdict != "":
		return fmt.Sprintf("it stands under %s: %s", m.VerdictID, m.Verdict)
	case len(m.Leftover) > 0:
		return fmt.Sprintf("it has yet to say that it stopped %s", names(m.Leftover))
	}
	for _, h := range p.Holds {
		if h.Scope == failover.HoldOf(m.ID) && h.Kind != failover.DryRun {
			return fmt.Sprintf("%s by %s: %s", h.Kind, h.By, h.Reason)
		}
	}
	return ""
}
