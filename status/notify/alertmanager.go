package notify

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"moonwatch/status"
)

// AlertmanagerConfig says which Alertmanagers get messages as alerts.
type AlertmanagerConfig struct {
	URLs     []string // of each of a cluster, such as http://127.0.0.1:9093
	User     string   // of basic authentication; empty: none
	Password []byte
	TLS      *tls.Config // whom to trust, if not whom the system trusts
}

// Alertmanager posts messages as alerts to the API v2 of Prometheus's Alertmanager. A
// matter is one alert. Alertmanager keeps no alerts across its own restart and takes one
// that nobody renews for resolved, so the herald tells it again what stands.
type Alertmanager struct {
	config AlertmanagerConfig
	posts  []*post
}

const (
	// alertHolds is for how long an alert stands that is not renewed: ten renewals,
	// so that a teller that is lost with nobody to take over ends no matter at once.
	alertHolds = 10 * time.Minute
	// alertNews is for how long something stands that is over already: as long as
	// Alertmanager groups alerts by default, or nobody would be told.
	alertNews = 5 * time.Minute
	// alertTest is for how long a test stands.
	alertTest = time.Minute
	// alertGrace is how long the others have once one end has a message: an end that
	// hangs must not hold up what is to be told next.
	alertGrace = time.Second
)

// NewAlertmanager makes the receiver of a config.
func NewAlertmanager(c AlertmanagerConfig) (*Alertmanager, error) {
	a := &Alertmanager{config: c}
	for _, u := range c.URLs {
		p, err := newPost("alertmanager", strings.TrimRight(u, "/")+"/api/v2/alerts", c.TLS, false)
		if err != nil {
			return nil, err
		}
		a.posts = append(a.posts, p)
	}
	if a.posts == nil {
		return nil, fmt.Errorf("alertmanager: no url")
	}
	return a, nil
}

// alert is a postableAlert of the API v2. Its labels say which alert it is.
type alert struct {
	Labels      map[string]string `json:"labels"`
	Annotations map[string]string `json:"annotations"`
	StartsAt    time.Time         `json:"startsAt"`
	EndsAt      time.Time         `json:"endsAt"`
}

// Send posts a message to all; one that takes it is enough, for the others hear of it
// when it is renewed.
func (a *Alertmanager) Send(ctx context.Context, m status.Message) error {
	body, err := json.Marshal(alertsOf(m, time.Now()))
	if err != nil {
		return fmt.Errorf("message %s: %w", m.ID, err)
	}
	head := func(h http.Header) {
		if a.config.User != "" {
			(&http.Request{Header: h}).SetBasicAuth(a.config.User, string(a.config.Password))
		}
	}
	ctx, giveUp := context.WithCancel(ctx)
	defer giveUp()
	ends := make(chan error, len(a.posts))
	for _, p := range a.posts { // at once: one that hangs takes no time from the others
		go func() { ends <- p.send(ctx, body, head) }()
	}
	var failed []error
	for range a.posts {
		if err := <-ends; err != nil {
			failed = append(failed, err)
		} else {
			time.AfterFunc(alertGrace, giveUp)
		}
	}
	return told(len(a.posts), failed)
}

// alertsOf makes alerts of a message: the one that it is, and the end of the one that
// it was, if its severity has changed. Severity is a label, for routes go by it, and
// labels are an alert's identity.
func alertsOf(m status.Message, now time.Time) []alert {
	now = now.UTC()
	until := now.Add(alertHolds)
	severity := m.Notice.Severity
	switch {
	case m.Says == status.SaysTest:
		until = now.Add(alertTest)
	case m.Says == status.SaysEnded && m.Told == "":
		until = now.Add(alertNews)
	case m.Says == status.SaysEnded:
		severity, until = m.Told, now
	}
	all := []alert{alertOf(m, severity, until)}
	if m.Told != "" && m.Told != severity {
		all = append(all, alertOf(m, m.Told, now))
	}
	return all
}

func alertOf(m status.Message, severity status.Severity, until time.Time) alert {
	n := m.Notice
	summary := n.What
	if m.Says == status.SaysEnded {
		summary = "Over: " + n.What
	}
	x := alert{
		StartsAt: n.Since, EndsAt: until,
		Labels: map[string]string{
			"alertname": alertName(n.ID), "severity": string(severity), "cluster": m.Cluster, "matter": n.ID,
		},
		Annotations: map[string]string{
			"summary": summary, "description": m.Body(), "command": n.Command, "teller": string(m.Teller),
		},
	}
	if page := m.Page(); page != "" {
		x.Annotations["runbook"] = page
	}
	if x.StartsAt.IsZero() || x.StartsAt.After(until) {
		x.StartsAt = until // Alertmanager refuses an alert that ends before it begins
	}
	return x
}

// alertName is what a matter is called by kind: MoonwatchCouncilLost.
func alertName(matter string) string {
	kind, _, _ := strings.Cut(matter, "/")
	name := "Moonwatch"
	for word := range strings.SplitSeq(kind, "-") {
		if word != "" {
			name += strings.ToUpper(word[:1]) + word[1:]
		}
	}
	return name
}
