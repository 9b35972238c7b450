package status

import (
	"fmt"
	"slices"
	"strings"
)

// ExplainIncident tells of an incident by its id, I-12: which slots were not served, with
// whom they were lost and when they were served again.
func (p Past) ExplainIncident(id string) (Explanation, error) {
	id = strings.ToUpper(strings.TrimSpace(id))
	all := p.Incidents()
	i := slices.IndexFunc(all, func(x FleetIncident) bool { return x.ID == id })
	if i < 0 {
		var known []string
		for _, x := range all {
			if x.ID != "" {
				known = append(known, x.ID)
			}
		}
		return Explanation{}, fmt.Errorf("explain %q: no incident has that number; the last ones are %s: %w", oneLine(id), orNone(first(known, 5)), ErrUnknown)
	}
	x := all[i]
	e := Explanation{ID: x.ID, Incident: &x, See: x.Cases()}
	var t lines
	t.say(0, "%s: slots %s of pool %s were not served, impact %s.", x.ID, names(x.Slots), strings.Join(x.Pools, ", "), x.Impact)
	if x.Open() {
		t.say(0, "It began at %s and goes on, for %s so far.", moment(x.Begun), span(x.Took(p.Now)))
	} else {
		t.say(0, "It began at %s and was over after %s.", moment(x.Begun), span(x.Took(p.Now)))
	}
	for _, o := range x.Outages[:min(len(x.Outages), mentionsShown)] {
		t.say(1, "%s", o.line())
	}
	if more := len(x.Outages) - mentionsShown; more > 0 {
		t.say(1, "and %d more outages", more)
	}
	t.say(0, "'moonwatch incidents %s' tells it step by step.", x.ID)
	for _, m := range x.Members() {
		e.See = append(e.See, string(m))
	}
	e.See = e.See[:min(len(e.See), mentionsShown)]
	e.Lines = t
	return e, nil
}

func (o Outage) line() string {
	text := fmt.Sprintf("Slot %s not served from %s", o.Slot, moment(o.From))
	if o.Subject != "" {
		text = fmt.Sprintf("Slot %s lost with %s at %s", o.Slot, o.Subject, moment(o.From))
	}
	switch {
	case o.Open():
		return text + ", and not served yet"
	case o.Removed:
		return text + ", until it left the fleet at " + moment(o.To)
	default:
		return text + ", served again at " + moment(o.To)
	}
}
