package web

import (
	"time"

	"moonwatch/member"
	"moonwatch/status"
)

// How many incidents tables show; the command line lists all.
const (
	shownIncidents     = 6  // beside what stands
	shownIncidentsPast = 20 // on the page of the past
	shownInIncident    = 3  // members, and cases
)

// incidentRow is an incident as tables show it. It tells no length of one that goes on, and
// nothing else that grows with each look: two rows are the same until there is news.
type incidentRow struct {
	ID      string // empty: it has none, and leads nowhere
	Begun   time.Time
	Open    bool
	Took    time.Duration // until it was over
	Impact  status.Impact
	Slots   string
	Members []member.ID
	Cases   []string

	MembersMore, CasesMore int
}

// latest are the last incidents, the newest first.
type latest struct {
	Known bool // the past has been read: no rows mean that there were none
	Rows  []incidentRow
	More  int
}

// incidentRows are all incidents of a past, the newest first.
func incidentRows(p status.Past) []incidentRow {
	var out []incidentRow
	for _, x := range p.Incidents() {
		row := incidentRow{ID: x.ID, Begun: x.Begun, Open: x.Open(), Impact: x.Impact, Slots: fewNames(x.Slots, shownInIncident)}
		if !row.Open {
			row.Took = x.Took(p.Now)
		}
		row.Members, row.MembersMore = few(x.Members())
		row.Cases, row.CasesMore = few(x.Cases())
		out = append(out, row)
	}
	return out
}

func few[T any](list []T) (shown []T, more int) {
	n := min(len(list), shownInIncident)
	return list[:n:n], len(list) - n
}

// latestOf are those of a past that are shown, at most so many.
func latestOf(p *past, most int) latest {
	if p == nil {
		return latest{}
	}
	n := min(len(p.incidents), most)
	return latest{Known: true, Rows: p.incidents[:n:n], More: len(p.incidents) - n}
}

// tone is how an incident stands.
func (x incidentRow) tone() string {
	switch {
	case x.Open:
		return "bad"
	case x.Took > status.RecoveryGoal:
		return "mind"
	default:
		return "good"
	}
}
