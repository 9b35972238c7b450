package main

import (
	"encoding/json"
	"io"
	"net/http"
	"testing"
	"time"

	"moonwatch/consensus"
	"moonwatch/failover"
	"moonwatch/status"
)

// ordering is a folder with an operator's key and an agent that takes commands.
func ordering(t *testing.T, c *council, holds ...status.Hold) (agent string) {
	t.Helper()
	initialised(t)
	page := fixture(t, "page-open.json")
	page.Cluster, page.Holds = "shop", holds
	return agentWith(t, page, c.routes())
}

func TestAHoldIsSignedAndHasAnEndAndAReason(t *testing.T) {
	for arg, scope := range map[string]failover.Scope{
		"fleet": failover.Fleet, "domain:b": failover.InDomain("b"), "failure-domain:a": failover.InDomain("a"),
		"pool:web": failover.InPool("web"), "web-3": failover.HoldOf("web-3"), "member:web-3": failover.HoldOf("web-3"),
	} {
		c := &council{outcome: accepted}
		agent := ordering(t, c)
		call(t, "hold", arg, "--reason", "the switch", "--for", "30m", "--agent", agent).wants(t, exitOK, "H-12 stands: hold of "+string(scope))
		got := c.taken.Load()
		var p failover.HoldGiven
		if err := json.Unmarshal(got.Payload, &p); err != nil {
			t.Fatal(err)
		}
		if lasts := time.Until(p.Until); got.Kind != failover.KindHold || p.Scope != scope || p.Reason != "the switch" || lasts < 29*time.Minute || lasts > 31*time.Minute {
			t.Errorf("%s: %+v", arg, p)
		}
		if got.Warrant == nil {
			t.Errorf("%s: nobody signed it", arg)
		}
	}
}

func TestADisarmHasNoEndUnlessItIsGivenOne(t *testing.T) {
	c := &council{outcome: accepted}
	call(t, "disarm", "pool:web", "--reason", "new release", "--agent", ordering(t, c)).wants(t, exitOK, "until somebody resumes it")
	var p failover.HoldGiven
	if err := json.Unmarshal(c.taken.Load().Payload, &p); err != nil || !p.Until.IsZero() || p.Kind != failover.Disarm {
		t.Errorf("%+v: %v", p, err)
	}
}

func TestOrdersThatAreMistakes(t *testing.T) {
	agent := ordering(t, &council{outcome: `{"state":"refused","fact":13,"reason":"because"}`})
	for _, c := range []struct {
		code int
		say  string
		args []string
	}{
		{exitUsage, "--reason is missing", []string{"hold", "fleet"}},
		{exitUsage, "--for is missing", []string{"maintenance", "fleet", "--reason", "r"}},
		{exitUsage, `there is no member "web-33", did you mean web-3?`, []string{"hold", "web-33", "--reason", "r"}},
		{exitUsage, `there is no pool "db"`, []string{"hold", "pool:db", "--reason", "r"}},
		{exitUsage, "want fleet, domain:NAME", []string{"hold", "rack:1", "--reason", "r"}},
		{exitRefused, "because", []string{"freeze", "fleet", "--reason", "r"}},
		{exitError, "is held by nobody", []string{"resume", "H-7"}},
		{exitError, "is held by nobody", []string{"resume", "fleet"}},
	} {
		call(t, append(c.args, "--agent", agent)...).wants(t, c.code, c.say)
	}
}

func TestWithoutAKeyOnlyAHoldIsGiven(t *testing.T) {
	c := &council{outcome: accepted}
	page := fixture(t, "page-open.json")
	page.Cluster = "shop"
	routes := c.routes()
	var given failover.HoldGiven
	routes["POST /api/v1/holds"] = func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		_ = json.Unmarshal(b, &given)
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusAccepted)
		_, _ = io.WriteString(w, `{"id":"hold-1"}`)
	}
	agent := agentWith(t, page, routes)
	t.Chdir(t.TempDir())
	call(t, "hold", "web-3", "--reason", "r", "--agent", agent).wants(t, exitOK, "H-12 stands")
	if given.Scope != failover.HoldOf("web-3") || c.taken.Load() != nil {
		t.Errorf("given %+v, taken %v", given, c.taken.Load())
	}
	call(t, "freeze", "web-3", "--reason", "r", "--agent", agent).wants(t, exitUsage, "who signs this?")
	call(t, "holds", "--agent", agent).wants(t, exitOK, "Nobody holds anything.")
}

func TestResumeLiftsAllThatStandsOnAScope(t *testing.T) {
	c := &council{outcome: accepted}
	agent := ordering(t, c,
		status.Hold{ID: "H-4", Key: "hold-a", Kind: failover.HoldOnly, Scope: failover.Fleet, By: "alice"},
		status.Hold{ID: "H-5", Key: "hold-b", Kind: failover.Disarm, Scope: failover.InPool("web"), By: "bob"},
		status.Hold{ID: "H-6", Key: "hold-c", Kind: failover.Freeze, Scope: failover.Fleet, By: "bob"})
	call(t, "resume", "fleet", "--agent", agent).wants(t, exitOK, "Lifted: H-4, H-6.")
	call(t, "resume", "H-5", "--agent", agent).wants(t, exitOK, "Lifted: H-5.")
	var p failover.HoldLifted
	if err := json.Unmarshal(c.taken.Load().Payload, &p); err != nil || p.Hold != "hold-b" || c.taken.Load().Kind != consensus.FactKind("hold-lifted") {
		t.Errorf("%+v: %v", p, err)
	}
	call(t, "release", "H-6", "--agent", agent).wants(t, exitOK, "Lifted: H-6.")
	call(t, "release", "--help").wants(t, exitOK, "moonwatch resume SCOPE|H-N", "resume, release", "moonwatch shield release")
	call(t, "unhold", "fleet").wants(t, exitUsage, "resume")
	call(t, "holds", "--agent", agent).wants(t, exitOK, "H-4   hold    fleet", "when resumed")
	call(t, "status", "--agent", agent).wants(t, exitDegraded, "H-5 disarm of pool:web by bob")
}
