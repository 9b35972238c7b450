package main

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"moonwatch/failover"
	"moonwatch/status"
)

const aPlan = "3f9c2a77e1b0d15c5a6f0f7e1d2c3b4a59687766554433221100ffeeddccbbaa"

// requested is an agent with an operator's key beside it that knows one request.
func requested(t *testing.T, c *council, says failover.Rehearsal) string {
	t.Helper()
	initialised(t)
	page := fixture(t, "page-open.json")
	page.Cluster = "shop"
	page.Requests = []status.Request{{
		ID: "R-14", Index: 14, Act: failover.ActOverride, About: "C-4", Asks: "go on with C-4", By: "bob", Reason: "the rack was moved", State: failover.RequestWaiting, Open: true,
		Means: "another operator than bob has to approve it", Given: page.Now.Add(-time.Minute), Ends: page.Now.Add(9 * time.Minute), Plan: aPlan, Steps: []string{"C-4 goes on"},
	}}
	routes := c.routes()
	routes["POST /api/v1/rehearse/request"] = func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(says)
	}
	return agentWith(t, page, routes)
}

var planned = failover.Rehearsal{Steps: []string{"C-4 goes on with slot slot-2"}, Plan: aPlan}

func TestARequestIsSignedWithThePlanThatWasShown(t *testing.T) {
	for args, want := range map[string]failover.Requested{
		"override C-4":             {Act: failover.ActOverride, Case: 4, For: 10 * time.Minute},
		"override pool:web":        {Act: failover.ActOverride, Scope: failover.InPool("web"), For: 10 * time.Minute},
		"override fleet --for 30m": {Act: failover.ActOverride, Scope: failover.Fleet, For: 30 * time.Minute},
		"override c-4 --alone":     {Act: failover.ActOverride, Case: 4, For: 10 * time.Minute, Alone: true},
		"fenced C-4":               {Act: failover.ActFenced, Case: 4, For: 10 * time.Minute},
		"reserve C-4":              {Act: failover.ActReserve, Case: 4, For: 10 * time.Minute},
		"failover slot-1":          {Act: failover.ActFailover, Slot: "slot-1", For: 10 * time.Minute},
		"failover web-1 --for 5m":  {Act: failover.ActFailover, Slot: "slot-0", For: 5 * time.Minute},
	} {
		c := &council{outcome: accepted}
		agent := requested(t, c, planned)
		line := append([]string{"request"}, strings.Fields(args)...)
		say := "R-12 waits for another operator: 'moonwatch approve R-12 --plan 3f9c2a77e1b0'"
		if want.Alone {
			say = "R-12 takes effect in 15m0s unless another operator vetoes it"
		}
		call(t, append(line, "--reason", "moved", "--agent", agent)...).wants(t, exitOK, say, "1. C-4 goes on with slot slot-2")
		got := c.taken.Load()
		var p failover.Requested
		if err := json.Unmarshal(got.Payload, &p); err != nil {
			t.Fatal(err)
		}
		want.Plan, want.Reason = aPlan, "moved"
		if got.Kind != failover.KindRequest || got.Warrant == nil || p != want {
			t.Errorf("%s: %s %+v, want %+v", args, got.Kind, p, want)
		}
	}
}

func TestAnApprovalIsForThePlanThatWasShownAndNoOther(t *testing.T) {
	c := &council{outcome: accepted}
	agent := requested(t, c, planned)
	call(t, "approve", "R-14", "--agent", agent, "--dry-run").wants(t, exitOK, "1. C-4 goes on", "Plan 3f9c2a77e1b0.")
	call(t, "approve", "R-14", "--agent", agent, "--plan", "0123456789ab").wants(t, exitRefused, "R-14 is for plan 3f9c2a77e1b0, and you mean 0123456789ab", "Nothing was approved")
	if c.taken.Load() != nil {
		t.Fatal("something was signed")
	}
	call(t, "approve", "r-14", "--agent", agent, "--plan", "3F9C2A77E1B0").wants(t, exitOK, "R-14 of bob is approved: go on with C-4.")
	var p failover.Answered
	if err := json.Unmarshal(c.taken.Load().Payload, &p); err != nil || p != (failover.Answered{Request: 14, Approve: true, Plan: aPlan}) {
		t.Errorf("%+v: %v", p, err)
	}
	call(t, "reject", "R-14", "--agent", agent, "--reason", "it is back").wants(t, exitOK, "R-14 is rejected.")
	if err := json.Unmarshal(c.taken.Load().Payload, &p); err != nil || p.Approve || p.Reason != "it is back" {
		t.Errorf("%+v: %v", p, err)
	}
}

func TestApprovalsAreListed(t *testing.T) {
	agent := requested(t, &council{}, planned)
	call(t, "approvals", "--agent", agent).wants(t, exitOK, "R-14     waiting  override  C-4    bob", "3f9c2a77e1b0", "9m0s", "the rack was moved")
	call(t, "approvals", "--agent", agent, "-o", "json").wants(t, exitOK, `"plan": "`+aPlan+`"`)
	call(t, "status", "--agent", agent).wants(t, exitDegraded, "R-14 waiting by bob, go on with C-4")
}

func TestAnswersAndRequestsThatAreMistakes(t *testing.T) {
	agent := requested(t, &council{outcome: `{"state":"refused","fact":13,"reason":"approve R-14: it has expired"}`}, failover.Rehearsal{Refused: "neither brake nor budget holds C-4"})
	for _, c := range []struct {
		code int
		say  string
		args []string
	}{
		{exitUsage, "--reason is missing", []string{"request", "override", "C-4"}},
		{exitUsage, "--reason is missing", []string{"reject", "R-14"}},
		{exitUsage, "want one like C-12", []string{"request", "fenced", "pool:web", "--reason", "r"}},
		{exitUsage, "want one like C-12", []string{"request", "reserve", "slot-1", "--reason", "r"}},
		{exitUsage, "slot-99", []string{"request", "failover", "slot-99", "--reason", "r"}},
		{exitUsage, "there is no pool", []string{"request", "override", "pool:db", "--reason", "r"}},
		{exitUsage, "web-3 is a member: name its case", []string{"request", "override", "web-3", "--reason", "r"}},
		{exitUsage, "want one like R-12", []string{"approve", "C-14"}},
		{exitUsage, "at least 12 digits", []string{"approve", "R-14", "--plan", "3f"}},
		{exitError, "knows no request R-15", []string{"approve", "R-15"}},
		{exitRefused, "it has expired", []string{"approve", "R-14"}},
		{exitRefused, "neither brake nor budget holds C-4", []string{"request", "override", "C-4", "--reason", "r"}},
		{exitUsage, "Usage:", []string{"request"}},
	} {
		if len(c.args) > 1 {
			c.args = append(c.args, "--agent", agent)
		}
		call(t, c.args...).wants(t, c.code, c.say)
	}
}
