package main

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"moonwatch/status"
)

// passed is one thing that happened in an incident.
type passed struct {
	At   time.Time `json:"at"`
	Text string    `json:"text"`
	Fact uint64    `json:"fact,omitempty"`
}

// storyOf puts an incident's outages, and the cases that the agent still has in mind, into
// the order in which they happened.
func storyOf(x status.FleetIncident, page status.Page) []passed {
	var out []passed
	for _, o := range x.Outages {
		who := "its occupant"
		if o.Subject != "" {
			who = string(o.Subject)
		}
		out = append(out, passed{o.From, fmt.Sprintf("slot %s of pool %s is not served any more: the last sign of life of %s", o.Slot, o.Pool, who), 0})
		switch {
		case o.Removed:
			out = append(out, passed{o.To, fmt.Sprintf("slot %s left the fleet, %s later", o.Slot, span(o.Took(o.To))), 0})
		case !o.Open():
			goal := ""
			if o.Took(o.To) > status.RecoveryGoal {
				goal = fmt.Sprintf(": longer than the goal of %s", span(status.RecoveryGoal))
			}
			out = append(out, passed{o.To, fmt.Sprintf("slot %s is served again after %s%s", o.Slot, span(o.Took(o.To)), goal), 0})
		}
	}
	for _, c := range page.Cases {
		if !slices.Contains(x.Cases(), c.ID) {
			continue
		}
		for _, p := range c.Passages {
			text := fmt.Sprintf("case %s of slot %s: %s", c.ID, c.Slot, p.State)
			if p.Held != "" {
				text += fmt.Sprintf(" (%s)", p.Held)
			}
			if p.Detail != "" {
				text += ", " + p.Detail
			}
			out = append(out, passed{p.At, text, p.Fact})
		}
	}
	for _, v := range page.Verdicts {
		for _, f := range v.Findings {
			if slices.Contains(x.Members(), f.Subject) && !v.At.Before(x.Begun) && (x.Open() || !v.At.After(x.Resolved)) {
				out = append(out, passed{v.At, fmt.Sprintf("verdict %s: %s is %s", v.ID, f.Subject, f.Kind), v.Index})
			}
		}
	}
	slices.SortStableFunc(out, func(a, b passed) int { return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.Fact, b.Fact)) })
	return out
}

func printIncident(p *printer, past status.Past, t toldIncident) {
	x := t.Incident
	state := fmt.Sprintf("resolved after %s", span(x.Took(past.AsOf)))
	if x.Open() {
		state = fmt.Sprintf("goes on for %s", span(x.Took(past.AsOf)))
	}
	p.line("%s %s, impact %s: slots %s of %s", x.ID, state, x.Impact, join(x.Slots), join(x.Pools))
	p.line("")
	for _, s := range t.Story {
		p.line("%s  %s", s.At.UTC().Format("2006-01-02 15:04:05.000"), s.Text)
	}
	for i, id := range x.Cases() {
		if i == 0 {
			p.line("")
		}
		p.line("See also: moonwatch explain %s", id)
	}
}
