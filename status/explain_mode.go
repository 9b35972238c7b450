package status

import "moonwatch/member"

// modeID is what a mode is explained by, where no member or slot has that name.
const modeID = "mode"

// explainMode tells why so much is allowed now, what is in its way, and when that ends.
func (p Page) explainMode() Explanation {
	e := Explanation{ID: modeID, Mode: &p.Mode, Budget: &p.Budget}
	var t lines
	m := p.Mode
	t.say(0, "Mode: %s (%s).", m.Name, m.Means)
	if !m.Since.IsZero() {
		t.say(0, "So it is since %s, for %s.", moment(m.Since), span(p.Now.Sub(m.Since)))
	}
	if m.Why != "" {
		t.say(0, "Why: %s.", m.Why)
	}
	if len(m.Open) > 0 {
		t.say(0, "It was set off by %s.", names(m.Open))
	}
	if m.Ends != "" {
		t.say(0, "It ends with %s.", m.Ends)
	}
	for _, s := range m.Scopes {
		t.say(0, "%s is in mode %s: %s. It ends with %s.", s.Scope, s.Name, s.Why, s.Ends)
	}
	var trouble []member.ID
	for _, x := range p.Members {
		if x.Verdict != "" || x.Accused {
			trouble = append(trouble, x.ID)
			e.See = append(e.See, string(x.ID))
		}
	}
	if len(trouble) > 0 {
		t.say(0, "Under a verdict or accused now: %s.", names(trouble))
	} else {
		t.say(0, "No member is under a verdict, and none is accused as far as is known here.")
	}
	p.tellBudget(&t)
	for _, h := range p.Holds {
		h.tell(&t)
	}
	for _, c := range p.Cases {
		if c.Open {
			t.say(0, "Case %s: slot %s of %s, %s.", c.ID, c.Slot, c.Subject, c.standing())
			e.See = append(e.See, c.ID)
		}
	}
	e.See = e.See[:min(len(e.See), mentionsShown)]
	e.Lines = t
	return e
}

// tellBudget says how many replacements may still begin.
func (p Page) tellBudget(t *lines) {
	b := p.Budget
	t.say(0, "Budget: %d of %d replacements under way, %d of %d spent in %.0f min.",
		b.InFlight, b.MayFly, b.Spent, b.MaySpend, b.WindowSeconds/60)
}

// tell says what a hold forbids, who gave it and why.
func (h Hold) tell(t *lines) {
	if h.Until.IsZero() {
		t.say(0, "Hold %s of %s, given by %s: %s", h.ID, h.Scope, h.By, h.Reason)
	} else {
		t.say(0, "Hold %s of %s, given by %s until %s: %s", h.ID, h.Scope, h.By, moment(h.Until), h.Reason)
	}
	t.put(1, h.Means)
}

// explainUnlisted tells of an agent that no roster has, or of a member that was retired.
func (p Page) explainUnlisted(u Unlisted) Explanation {
	e := Explanation{ID: string(u.ID), Unlisted: &u}
	var t lines
	switch {
	case u.Retired && u.Addr != "":
		t.say(0, "%s is retired, and its agent still runs at %s: it is not observed, does not vote and gets no slot.", u.ID, u.Addr)
		t.say(0, "What to do: stop its agent. 'moonwatch members forget %s' takes it out of the fleet for good.", u.ID)
	case u.Retired:
		t.say(0, "%s is retired: it is not observed, does not vote and gets no slot. The gossip of %s sees no agent of that name.", u.ID, p.Self.Name)
		t.say(0, "What to do: nothing, or 'moonwatch members forget %s', which takes it out of the fleet for good.", u.ID)
	default:
		t.say(0, "%s is in no roster: no fleet.yaml names it. Its agent runs at %s with a certificate of ours; it is not observed and does not vote.", u.ID, orUnknown(u.Addr))
		t.say(0, "What to do: name it in fleet.yaml and apply that, or stop its agent.")
	}
	e.Lines = t
	return e
}
