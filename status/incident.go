package status

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"moonwatch/member"
)

// FleetIncident is an incident as operators see it: what the public page tells of, of all
// pools, with the members and cases behind it.
type FleetIncident struct {
	ID       string          `json:"id"` // I-12; empty for one that was noted by a build without numbers, and has no case
	Begun    time.Time       `json:"begun"`
	Resolved time.Time       `json:"resolved,omitzero"` // zero: it goes on
	Impact   Impact          `json:"impact"`
	Pools    []string        `json:"pools"`
	Slots    []member.SlotID `json:"slots"`
	Outages  []Outage        `json:"outages"` // the oldest first
}

// Open reports that it goes on.
func (i FleetIncident) Open() bool { return i.Resolved.IsZero() }

// Took is how long it was, or is until now.
func (i FleetIncident) Took(now time.Time) time.Duration {
	if !i.Open() {
		now = i.Resolved
	}
	return max(0, now.Sub(i.Begun))
}

// Members are those that were lost in it, in the order in which they were.
func (i FleetIncident) Members() []member.ID {
	var out []member.ID
	for _, o := range i.Outages {
		if o.Subject != "" && !slices.Contains(out, o.Subject) {
			out = append(out, o.Subject)
		}
	}
	return out
}

// Cases are those that it led to.
func (i FleetIncident) Cases() []string {
	var out []string
	for _, o := range i.Outages {
		if o.Case != "" && !slices.Contains(out, o.Case) {
			out = append(out, o.Case)
		}
	}
	return out
}

// Incidents are those that a Past shows, the newest first.
func (p Past) Incidents() []FleetIncident {
	size := map[string]int{}
	for _, s := range p.Slots {
		if s.Gone.IsZero() {
			size[s.Pool]++
		}
	}
	out := []FleetIncident{}
	for _, group := range together(p.Outages, p.Now) {
		x := incidentOf(group, size, p.Now)
		y := FleetIncident{ID: incidentID(group), Begun: x.Begun, Resolved: x.Resolved, Impact: x.Impact, Pools: x.Pools, Outages: group}
		slots := map[member.SlotID]bool{}
		for _, o := range group {
			slots[o.Slot] = true
		}
		y.Slots = slices.Sorted(maps.Keys(slots))
		out = append(out, y)
	}
	slices.Reverse(out)
	return out
}

// incidentID is the index of the fact with which its first outage was noticed. An outage
// of a build that did not note that has its case's.
func incidentID(group []Outage) string {
	first := uint64(0)
	for _, o := range group {
		at := o.Fact
		if at == 0 {
			number, _ := strings.CutPrefix(o.Case, "C-")
			at, _ = strconv.ParseUint(number, 10, 64)
		}
		if at > 0 && (first == 0 || at < first) {
			first = at
		}
	}
	if first == 0 {
		return ""
	}
	return fmt.Sprintf("I-%d", first)
}

// together puts outages into groups that people would call one incident, oldest first.
func together(outages []Outage, now time.Time) [][]Outage {
	all := slices.Clone(outages)
	slices.SortStableFunc(all, func(a, b Outage) int { return a.From.Compare(b.From) })
	var out [][]Outage
	for len(all) > 0 {
		n, end := 1, until(all[0], now)
		for n < len(all) && !all[n].From.After(end.Add(oneIncident)) {
			end = latest(end, until(all[n], now))
			n++
		}
		out = append(out, all[:n:n])
		all = all[n:]
	}
	return out
}
