package status

import (
	"fmt"

	"moonwatch/failover"
)

// explainCase tells each step of a case, what it is held by, which gates and
// what budget it meets, and what comes next until when.
func (p Page) explainCase(c Case) Explanation {
	e := Explanation{ID: c.ID, Case: &c, See: []string{string(c.Subject)}}
	if c.Open {
		e.Mode, e.Budget = &p.Mode, &p.Budget
	}
	var t lines
	if c.Order != nil {
		t.say(0, "%s moves slot %s of pool %s away from %s: ordered by %s: %s.", c.ID, c.Slot, c.Pool, c.Subject, c.Order.By, c.Order.Reason)
	}
	if c.Verdict != "" {
		e.See = []string{c.Verdict, string(c.Subject)}
		t.say(0, "%s is about slot %s of pool %s, lost with %s because of %s (%s).", c.ID, c.Slot, c.Pool, c.Subject, c.Verdict, c.Kind)
	}
	t.say(0, "%s", c.now())
	if c.Held != "" {
		t.say(0, "Held by %s: %s.", c.Held, c.HeldBy)
		t.say(0, "What to do: %s.", c.Runbook)
	}
	if c.Why != "" {
		t.say(0, "Why: %s.", c.Why)
	}
	switch {
	case c.Order != nil && !c.Drained:
		t.say(0, "Traffic stays on %s until the spare serves.", c.Subject)
	case c.Drained:
		t.say(0, "Traffic was taken away from %s at once.", c.Subject)
	default:
		t.say(0, "Traffic was left on %s: the drain would have taken pool %s below its floor.", c.Subject, c.Pool)
	}
	p.tellShare(&t, c)
	for _, s := range p.Scores {
		if s.Case == c.ID && s.Would {
			t.say(0, "At %s it would have gone on to %s; %s.", clock(s.At), s.Deed, s.Words)
		}
	}
	p.tellGates(&t, c)
	if c.Spare != "" {
		t.say(0, "Spare %s, attempt %d, slot epoch %d (the lost occupant had %d).", c.Spare, c.Attempt, c.NewEpoch, c.Epoch)
		e.See = append(e.See, string(c.Spare))
	}
	if c.Proof != "" {
		t.say(0, "Fence proof: %s.", c.Proof)
	}
	t.say(0, "Steps:")
	for _, x := range c.Passages {
		t.say(1, "%s", x.line())
	}
	e.Lines = t
	return e
}

// tellShare says who serves meanwhile where a case has no spare.
func (p Page) tellShare(t *lines, c Case) {
	waits := c.Held == failover.HeldPoolEmpty || c.Held == failover.HeldReserve || c.State == failover.Escalated && c.Spare == ""
	if !waits || !c.Drained || c.Planned {
		return
	}
	for _, x := range p.Pools {
		if x.Name == c.Pool {
			t.say(0, "Meanwhile %d of %d slots of pool %s serve, and share its traffic.", x.Serving, x.Slots, c.Pool)
		}
	}
}

// now is where a case stands, and how it ended or what comes next until when.
func (c Case) now() string {
	text := fmt.Sprintf("It is %s since %s", c.State, moment(c.Since))
	switch {
	case c.Outcome != "":
		return fmt.Sprintf("%s, %s after it was opened: %s.", text, span(c.Since.Sub(c.Passages[0].At)), c.ending())
	case c.Deadline.IsZero():
		return fmt.Sprintf("%s. Next: %s.", text, c.Next)
	default:
		return fmt.Sprintf("%s. Next: %s, until %s.", text, c.Next, clock(c.Deadline))
	}
}

// standing is the state of a case, with its outcome and who took the slot.
func (c Case) standing() string {
	switch {
	case c.Held != "":
		return fmt.Sprintf("%s by %s", c.State, c.Held)
	case c.Outcome == "":
		return string(c.State)
	}
	return fmt.Sprintf("%s: %s", c.State, c.ending())
}

func (c Case) ending() string {
	if c.Outcome == failover.OutcomeReplaced && c.Spare != "" {
		return "replaced by " + string(c.Spare)
	}
	return string(c.Outcome)
}

// tellGates adds what an open case meets before the irreversible.
func (p Page) tellGates(t *lines, c Case) {
	if !c.Open {
		return
	}
	t.say(0, "Mode: %s (%s).", p.Mode.Name, p.Mode.Means)
	p.tellBudget(t)
	switch {
	case c.Gate != "":
		t.say(0, "Gate now: closed by %s.", c.Gate)
	case c.Executor == "" && c.Spare == "" && c.Proof == "":
		t.say(0, "Gate now: open.")
	}
}

func (x Passage) line() string {
	text := fmt.Sprintf("%s %s (fact %d)", clock(x.At), x.State, x.Fact)
	if x.Held != "" {
		text += " by " + string(x.Held)
	}
	if x.Detail != "" {
		text += ": " + x.Detail
	}
	return text
}
