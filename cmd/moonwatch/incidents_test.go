package main

import (
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"moonwatch/status"
)

// withPast is an agent that tells of outages before its page was made, and of no observers.
func withPast(t *testing.T, page status.Page, outages ...status.Outage) string {
	t.Helper()
	past := status.Past{
		Schema: 1, Cluster: "demo", Now: page.Now, AsOf: page.Now, Begun: page.Now.Add(-10 * 24 * time.Hour), Grain: status.Day, Outages: outages,
		Slots: []status.PastSlot{{ID: "slot-0", Pool: "web"}, {ID: "slot-1", Pool: "web"}, {ID: "slot-2", Pool: "web"}, {ID: "db-0", Pool: "db"}},
	}
	tells := func(doc any) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_ = json.NewEncoder(w).Encode(doc)
		}
	}
	return agentWith(t, page, map[string]http.HandlerFunc{
		"/api/v1/history/day": tells(past),
		"/api/v1/observers":   tells(status.ObserversDocument{Schema: status.Schema, AsOf: page.Now, At: page.Now, Live: &status.Live{AsOf: page.Now}}),
	})
}

func TestIncidentsAreListedAndTold(t *testing.T) {
	page := fixture(t, "page-replaced.json")
	ago := func(d time.Duration) time.Time { return page.Now.Add(-d) }
	agent := withPast(t, page,
		status.Outage{Slot: "slot-2", Pool: "web", From: ago(10 * time.Second), To: ago(4 * time.Second), Subject: "web-3", Case: "C-4", Fact: 3, Held: 1500},
		status.Outage{Slot: "slot-0", Pool: "web", From: ago(30 * time.Hour), To: ago(29 * time.Hour), Subject: "web-1", Case: "C-2"}, // of an older build
		status.Outage{Slot: "db-0", Pool: "db", From: ago(30*time.Hour - 30*time.Second), To: ago(29*time.Hour + 30*time.Minute), Subject: "db-1"},
	)
	r := call(t, "incidents", "--agent", agent)
	golden(t, "incidents.txt", r.out+"\n$ -o wide\n"+call(t, "incidents", "-o", "wide", "--agent", agent).out+
		"\n$ I-3\n"+call(t, "incidents", "i-3", "--agent", agent).out)
	r.wants(t, exitOK)
	call(t, "incidents", "--open", "--agent", agent).wants(t, exitOK, "There were no incidents")
	call(t, "incidents", "--last", "1", "--agent", agent).wants(t, exitOK, "and 1 older ones")
	call(t, "incidents", "I-99", "--agent", agent).wants(t, exitError, "the last ones are I-3, I-2")
	call(t, "incidents", "nonsense", "extra", "--agent", agent).wants(t, exitUsage, `unexpected argument "extra"`)
	call(t, "__complete", "incidents", "--agent", agent, "").wants(t, exitOK, "I-3", "I-2")
	var doc struct {
		Schema    int
		Incidents []status.FleetIncident
	}
	r = call(t, "incidents", "-o", "json", "--agent", agent)
	if err := json.Unmarshal([]byte(r.out), &doc); err != nil || doc.Schema != 1 || len(doc.Incidents) != 2 || len(doc.Incidents[1].Outages) != 2 {
		t.Errorf("%v in %s", err, r.out)
	}
	call(t, "incidents", "I-2", "-o", "yaml", "--agent", agent).wants(t, exitOK, "impact: critical", "story:")
}

func TestAnIncidentThatGoesOnIsAnExitCode(t *testing.T) {
	page := isolated(fixture(t, "page-open.json"))
	agent := withPast(t, page, status.Outage{Slot: "slot-2", Pool: "web", From: page.Now.Add(-2 * time.Second), Subject: "web-3", Case: "C-4", Fact: 3})
	call(t, "incidents", "--agent", agent).wants(t, exitDegraded, "goes on", "no council quorum: this is fact 4 and what it knew")
	call(t, "incidents", "I-3", "--agent", agent).wants(t, exitDegraded, "goes on for 2s", "moonwatch explain C-4")
}

func TestAnAgentWithoutAPastSaysSo(t *testing.T) {
	call(t, "incidents", "--agent", withPast(t, fixture(t, "page-open.json"))).wants(t, exitOK, "There were no incidents since")
	call(t, "incidents", "--agent", agentWith(t, fixture(t, "page-open.json"), nil)).wants(t, exitError, "ask again in a moment")
}
