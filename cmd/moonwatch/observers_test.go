package main

import (
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"moonwatch/agent"
	"moonwatch/consensus"
	"moonwatch/status"
)

// withObservers is an agent that answers about observers; asked gets what --at became.
func withObservers(t *testing.T, page status.Page, now, before status.ObserversDocument, asked *string) string {
	t.Helper()
	return agentWith(t, page, map[string]http.HandlerFunc{"/api/v1/observers": func(w http.ResponseWriter, r *http.Request) {
		doc := now
		if *asked = r.URL.Query().Get("at"); *asked != "" {
			doc = before
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(doc)
	}})
}

func TestObserversAreShownNowAndBefore(t *testing.T) {
	page := fixture(t, "page-open.json")
	heard := page.Now.Add(-time.Second)
	now := status.ObserversDocument{
		Schema: status.Schema, AsOf: page.Now, At: page.Now, Subjects: []status.Regarded{},
		Live: &status.Live{AsOf: page.Now, Self: "web-1", By: []status.LiveFrom{
			{Observer: "web-1", At: page.Now, Sees: []status.LiveSees{
				{Subject: "web-2", RTTMicros: 210},
				{Subject: "web-3", RTTMicros: 190, LossPct: 35, LostRun: 14, SilentFor: 1700, Accuses: agent.Silence, Service: true},
			}},
			{Observer: "web-2", At: heard, Sees: []status.LiveSees{
				{Subject: "web-1", RTTMicros: 12_500, LossPct: 8, LostRun: 2, SilentFor: 300, Uneasy: true},
				{Subject: "web-3"},
			}},
			{Observer: "web-3", Trouble: "no answer within 2s"},
			{Observer: "web-4", At: heard, Abstains: agent.Smeared, Sees: []status.LiveSees{{Subject: "web-1", RTTMicros: 300}}},
		}},
	}
	before := status.ObserversDocument{
		Schema: status.Schema, AsOf: page.Now, At: page.Now.Add(-15 * time.Minute),
		Subjects: []status.Regarded{{
			Subject: "web-3", Kind: consensus.VerdictDown, Verdict: "V-4", At: page.Now.Add(-16 * time.Minute), By: []status.ObserverSaid{
				{Observer: "web-1", Regard: status.RegardDown, Words: "agent: silence, 1.7s"},
				{Observer: "web-2", Regard: status.RegardUp, Words: "agent: answered"},
			},
		}},
	}
	heldBefore := page.Now.Add(-15 * time.Minute)
	before.Then = &status.Live{AsOf: page.Now, Moment: heldBefore, Self: "web-1", By: []status.LiveFrom{
		{Observer: "web-1", At: page.Now, Moment: heldBefore, Sees: []status.LiveSees{
			{Subject: "web-2", RTTMicros: 210, Since: heldBefore.Add(-time.Hour)},
			{Subject: "web-3", RTTMicros: 190, LossPct: 10, LostRun: 4, SilentFor: 1100, Accuses: agent.Silence, Since: heldBefore.Add(-61 * time.Second)},
		}},
		{Observer: "web-2", Trouble: "it knows nothing of before 2026-05-04 11:00:00 UTC"},
	}}
	var asked string
	agent := withObservers(t, page, now, before, &asked)
	r := call(t, "observers", "--agent", agent)
	golden(t, "observers.txt", r.out+"\n$ web-2\n"+call(t, "observers", "web-2", "--agent", agent).out+
		"\n$ --at 15m\n"+call(t, "observers", "--at", "15m", "--agent", agent).out)
	r.wants(t, exitOK)
	at := page.Now.Add(-time.Hour).UTC().Format(time.RFC3339)
	call(t, "observers", "--at", at, "web-2", "--agent", agent).wants(t, exitOK, "V-4")
	if asked != at {
		t.Errorf("the agent was asked for %q, want %q", asked, at)
	}
	call(t, "observers", "--at", at, "web-1", "-o", "json", "--agent", agent).wants(t, exitOK, `"verdict": "V-4"`)
	call(t, "observers", "--at", "soon", "--agent", agent).wants(t, exitUsage, `--at is "soon", want how long ago`)
	call(t, "observers", "--at", "2999-01-01T00:00:00Z", "--agent", agent).wants(t, exitUsage, "a time that has passed")
	call(t, "observers", "web-33", "--agent", agent).wants(t, exitUsage, `there is no member "web-33", did you mean web-3?`)
	call(t, "observers", "nobody-of-us", "--agent", agent).wants(t, exitUsage, "'moonwatch members' lists them")
	call(t, "__complete", "observers", "--agent", agent, "").wants(t, exitOK, "web-3")

	var doc status.ObserversDocument
	r = call(t, "observers", "web-1", "-o", "json", "--agent", agent)
	if err := json.Unmarshal([]byte(r.out), &doc); err != nil || len(doc.Live.By) != 3 {
		t.Errorf("%v, edges of web-1 alone: %s", err, r.out)
	}
	r = call(t, "observers", "web-2", "--at", "15m", "-o", "json", "--agent", agent)
	if err := json.Unmarshal([]byte(r.out), &doc); err != nil || len(doc.Then.By) != 2 || len(doc.Then.By[0].Sees) != 1 {
		t.Errorf("%v, edges of web-2 alone: %s", err, r.out)
	}
	before.Subjects = nil
	call(t, "observers", "--at", "1h", "--agent", withObservers(t, page, now, before, &asked)).wants(t, exitOK, "Nobody stood under a verdict at")
}
