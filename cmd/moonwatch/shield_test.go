package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"moonwatch/member"
	"moonwatch/status"
)

// flooded is an agent's answer while one subdomain is held.
func flooded(shadow bool) status.ShieldDocument {
	now := time.Unix(1000, 0).UTC()
	held := status.ShieldHeld{
		Host: "a.example.com", Rung: "shape-local", Shadow: shadow, Admit: 265, Demand: 310, Limit: 82, Since: now.Add(-8 * time.Second),
		Until: now.Add(2 * time.Second), Why: "61 % of the demand, 14.0 times its usual; pressure 1.31; 1 of 1 doors",
	}
	stopped := status.ShieldThrottle{
		Host: "a.example.com", Rung: "stop", Doors: []member.ID{"web-1", "web-2"}, Why: "asked for 12 times its share", Since: now.Add(-8 * time.Second), Until: now.Add(20 * time.Second),
	}
	return status.ShieldDocument{
		Schema: 1, Now: now, Door: "web-1", Mode: "enforce", Capacity: 320, Asked: 510, Admitted: 282, Pressure: 1.59,
		Top: []status.ShieldLine{{Host: "a.example.com", Asked: 310, Admitted: 82}, {Asked: 10, Admitted: 10}}, Held: []status.ShieldHeld{held},
		Host:      &status.ShieldHost{Host: "a.example.com", Counted: "a.example.com", Held: &held, Throttle: &stopped},
		Throttles: []status.ShieldThrottle{stopped, {Host: "b.example.com", Rung: "observe", By: "ann", Why: "a sale", Since: now, Until: now.Add(time.Hour)}},
	}
}

func shieldAgent(t *testing.T, doc status.ShieldDocument) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if r.URL.Path != "/api/v1/shield" {
			w.WriteHeader(http.StatusNotFound)
		}
		_ = json.NewEncoder(w).Encode(doc)
	}))
	t.Cleanup(server.Close)
	return server.URL
}

func TestTheShieldIsShown(t *testing.T) {
	for _, c := range []struct {
		line   string
		shadow bool
		says   []string
	}{
		{"shield top", false, []string{"capacity 320 a second; pressure 1.59", "a.example.com", "310.0", "(not seen by name)"}},
		{"shield list", false, []string{"shape-local", "26.5%", "14.0 times its usual"}},
		{"shield list", true, []string{"would: shape-local"}},
		{"shield explain a.example.com", false, []string{"is counted by itself", "It is held: shape-local"}},
		{"shield explain a.example.com", true, []string{"It would be held"}},
		{"shield list", false, []string{"In the ledger:", "votes of web-1, web-2", "operator ann"}},
		{"shield explain a.example.com", false, []string{"In the ledger: stop, by votes of web-1, web-2", "unless renewed: asked for 12 times its share"}},
		{"shield list -o json", false, []string{`"admit_permille": 265`}},
	} {
		r := call(t, append(strings.Fields(c.line), "--agent", shieldAgent(t, flooded(c.shadow)))...)
		if r.code != exitOK {
			t.Errorf("%s: exit %d: %s", c.line, r.code, r.err)
		}
		for _, s := range c.says {
			if !strings.Contains(r.out, s) {
				t.Errorf("%s: no %q in\n%s", c.line, s, r.out)
			}
		}
	}
	call(t, "shield", "explain").wants(t, exitUsage, "HOST is missing")
	call(t, "shield", "tip").wants(t, exitUsage, "did you mean top or pin?")
}
