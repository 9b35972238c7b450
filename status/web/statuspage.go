package web

import (
	"encoding/xml"
	"fmt"
	"strings"
	"time"

	"moonwatch/status"
)

// The forms of Statuspage's public API v2, as far as programs read them: what reads the
// page of a large provider reads this one. Times are RFC 3339 in UTC.
type (
	spPage struct {
		ID        string    `json:"id"`
		Name      string    `json:"name"`
		URL       string    `json:"url"`
		TimeZone  string    `json:"time_zone"`
		UpdatedAt time.Time `json:"updated_at"`
	}
	spStatus struct {
		Indicator   status.Impact `json:"indicator"`
		Description string        `json:"description"`
	}
	spComponent struct {
		ID          string           `json:"id"`
		Name        string           `json:"name"`
		Status      status.Condition `json:"status"`
		CreatedAt   *time.Time       `json:"created_at"`
		UpdatedAt   *time.Time       `json:"updated_at"`
		Position    int              `json:"position"`
		Description *string          `json:"description"`
		Showcase    bool             `json:"showcase"`
		StartDate   *string          `json:"start_date"`
		GroupID     *string          `json:"group_id"`
		PageID      string           `json:"page_id"`
		Group       bool             `json:"group"`
		OnlyShow    bool             `json:"only_show_if_degraded"`
		Components  []string         `json:"components,omitempty"`
	}
	spUpdate struct {
		ID         string    `json:"id"`
		Status     string    `json:"status"`
		Body       string    `json:"body"`
		IncidentID string    `json:"incident_id"`
		CreatedAt  time.Time `json:"created_at"`
		UpdatedAt  time.Time `json:"updated_at"`
		DisplayAt  time.Time `json:"display_at"`
	}
	spIncident struct {
		ID         string        `json:"id"`
		Name       string        `json:"name"`
		Status     string        `json:"status"`
		CreatedAt  time.Time     `json:"created_at"`
		UpdatedAt  time.Time     `json:"updated_at"`
		Monitoring *time.Time    `json:"monitoring_at"`
		ResolvedAt *time.Time    `json:"resolved_at"`
		Impact     status.Impact `json:"impact"`
		Shortlink  string        `json:"shortlink"`
		StartedAt  time.Time     `json:"started_at"`
		PageID     string        `json:"page_id"`
		Updates    []spUpdate    `json:"incident_updates"`
		Components []spComponent `json:"components"`
	}
)

// described is the whole in the words that Statuspage has for it.
var described = map[status.Impact]string{
	status.NoImpact: "All Systems Operational", status.MinorImpact: "Minor Service Outage",
	status.MajorImpact: "Partial System Outage", status.CriticalImpact: "Major Service Outage",
	status.UnknownImpact: "Not Known",
}

func statuspage(p status.Public) map[string]any {
	page := spPage{ID: p.ID, Name: p.Title, URL: p.URL, TimeZone: "Etc/UTC", UpdatedAt: p.AsOf}
	st := spStatus{p.Impact, described[p.Impact]}
	if !p.Current {
		st.Description += p.AsOf.UTC().Format(" (as of 2006-01-02 15:04 UTC)")
	}
	components := spComponents(p)
	all, open := []spIncident{}, []spIncident{}
	for _, i := range p.Incidents {
		x := spIncidentOf(p, i, components)
		all = append(all, x)
		if i.Open() {
			open = append(open, x)
		}
	}
	none := []struct{}{}
	return map[string]any{
		"summary": map[string]any{
			"page": page, "status": st, "components": components, "incidents": open, "scheduled_maintenances": none,
		},
		"status":               map[string]any{"page": page, "status": st},
		"components":           map[string]any{"page": page, "components": components},
		"incidents":            map[string]any{"page": page, "incidents": all},
		"incidents/unresolved": map[string]any{"page": page, "incidents": open},
	}
}

func spComponents(p status.Public) []spComponent {
	out := []spComponent{}
	groups := map[string]string{}
	for i, c := range p.Components {
		if c.Condition == status.UnknownCondition {
			continue
		}
		x := spComponent{
			ID: c.ID, Name: c.Name, Status: c.Condition, Position: i + 1, Showcase: true, PageID: p.ID,
			CreatedAt: moment(c.Begun), UpdatedAt: moment(c.Updated),
		}
		if !c.Begun.IsZero() {
			day := c.Begun.UTC().Format(time.DateOnly)
			x.StartDate = &day
		}
		if c.Pool == "" {
			groups[c.Name] = c.ID
		} else if id := groups[c.Pool]; id != "" {
			x.GroupID = &id
			for j := range out {
				if out[j].ID == id {
					out[j].Group = true
					out[j].Components = append(out[j].Components, c.ID)
				}
			}
		}
		out = append(out, x)
	}
	return out
}

func moment(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

func spIncidentOf(p status.Public, i status.Incident, components []spComponent) spIncident {
	x := spIncident{
		ID: i.ID, Name: incidentName(english, i), Status: "investigating", CreatedAt: i.Begun.UTC(), StartedAt: i.Begun.UTC(),
		UpdatedAt: i.Begun.UTC(), ResolvedAt: moment(i.Resolved), Impact: i.Impact, PageID: p.ID, Components: []spComponent{},
	}
	if p.URL != "" {
		x.Shortlink = p.URL + "#i-" + i.ID
	}
	update := func(state, body string, at time.Time) {
		x.Updates = append(x.Updates, spUpdate{
			ID: i.ID + "-" + state, Status: state, Body: body, IncidentID: i.ID, CreatedAt: at, UpdatedAt: at, DisplayAt: at,
		})
	}
	if !i.Open() {
		x.Status, x.UpdatedAt = "resolved", i.Resolved.UTC()
		update("resolved", english.Say("Served again after %s.", english.Span(i.Took(p.Now))), i.Resolved.UTC())
	}
	update("investigating", incidentName(english, i)+".", i.Begun.UTC())
	for _, c := range components {
		for _, pool := range i.Pools {
			if c.Name == pool && c.GroupID == nil {
				x.Components = append(x.Components, c)
			}
		}
	}
	return x
}

// incidentName is an incident in a line.
func incidentName(t *tongue, i status.Incident) string {
	pools := strings.Join(i.Pools, ", ")
	if i.Lost == 1 {
		return t.Say("%s: 1 slot not served", pools)
	}
	return t.Say("%s: %d slots not served", pools, i.Lost)
}

// The forms of an Atom feed (RFC 4287).
type (
	atomFeed struct {
		XMLName xml.Name    `xml:"http://www.w3.org/2005/Atom feed"`
		Title   string      `xml:"title"`
		ID      string      `xml:"id"`
		Updated string      `xml:"updated"`
		Author  string      `xml:"author>name"`
		Links   []atomLink  `xml:"link"`
		Entries []atomEntry `xml:"entry"`
	}
	atomLink struct {
		Rel  string `xml:"rel,attr,omitempty"`
		Href string `xml:"href,attr"`
	}
	atomEntry struct {
		Title     string     `xml:"title"`
		ID        string     `xml:"id"`
		Published string     `xml:"published"`
		Updated   string     `xml:"updated"`
		Links     []atomLink `xml:"link"`
		Content   atomText   `xml:"content"`
	}
	atomText struct {
		Type string `xml:"type,attr"`
		Text string `xml:",chardata"`
	}
)

// atom is the feed of incidents. An incident's entry is the same one when it is over, and
// newer then.
func atom(t *tongue, p status.Public) []byte {
	at := func(x time.Time) string { return x.UTC().Format(time.RFC3339) }
	feed := atomFeed{Title: p.Title, ID: "urn:moonwatch:" + p.ID, Author: p.Title, Updated: at(p.Past.Begun)}
	if p.URL != "" {
		feed.Links = []atomLink{{Href: p.URL}, {Rel: "self", Href: strings.TrimSuffix(p.URL, "/") + "/feed.atom"}}
	}
	for i, x := range p.Incidents {
		e := atomEntry{
			Title: incidentName(t, x), ID: "urn:moonwatch:" + p.ID + ":" + x.ID, Published: at(x.Begun), Updated: at(x.Begun),
			Content: atomText{"text", t.Say("Not served since %s UTC.", x.Begun.UTC().Format("2006-01-02 15:04:05"))},
		}
		if !x.Open() {
			e.Updated = at(x.Resolved)
			e.Content.Text += " " + t.Say("Served again after %s.", t.Span(x.Took(p.Now)))
		}
		if p.URL != "" {
			e.Links = []atomLink{{Href: p.URL + "#i-" + x.ID}}
		}
		if i == 0 || e.Updated > feed.Updated {
			feed.Updated = e.Updated
		}
		feed.Entries = append(feed.Entries, e)
	}
	b, err := xml.MarshalIndent(feed, "", " ")
	if err != nil {
		panic(fmt.Sprintf("web: feed: %v", err)) // plain values of this module
	}
	return append([]byte(xml.Header), append(b, '\n')...)
}
