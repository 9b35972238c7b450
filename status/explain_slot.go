package status

import "moonwatch/member"

// explainSlot tells how a slot stands and then all about who holds it; false
// for a slot that is unknown or vacant.
func (p Page) explainSlot(id member.SlotID) (Explanation, bool) {
	for _, s := range p.Slots {
		if s.ID != id {
			continue
		}
		m, known := p.member(s.Occupant)
		if !known {
			continue
		}
		e := p.explainMember(m)
		var t lines
		t.say(0, "Slot %s of pool %s is %s; %s holds it since %s, at slot epoch %d.", s.ID, s.Pool, s.State, s.Occupant, moment(s.Since), s.Epoch)
		if s.Away != nil {
			t.say(0, "%s took its traffic away at %s: %s. 'moonwatch undrain %s' gives it back.", s.Away.By, moment(s.Away.At), s.Away.Reason, s.ID)
		}
		if s.State == SlotStarting {
			t.say(0, "%s has not said that its service is up: see 'step ended' in the log of its agent.", s.Occupant)
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
	return Explanation{}, false
}
