package main

import (
	"testing"
	"time"

	"moonwatch/failover"
	"moonwatch/status"
)

func TestTheWeeklyReport(t *testing.T) {
	page := fixture(t, "page-open.json")
	page.Cluster = "shop"
	for i := range 3 {
		page.Scores = append(page.Scores, status.Scored{
			Case: "C-4", Slot: "slot-2", ID: "web-3", Deed: failover.DeedReplace, Would: true,
			At: page.Now.Add(-time.Duration(i+1) * time.Hour), Fate: failover.FateDead, Words: "it has not come back",
		})
	}
	agent := agentWith(t, page, nil)
	call(t, "report", "--agent", agent).wants(t, exitOK, "Would have replaced 3, of which 3 were dead.", "Replaced nobody.", "would replace", "it has not come back")
	call(t, "report", "--agent", agent, "--for", "90m", "-o", "json").wants(t, exitOK, `"replaced": 1`, `"dead": 1`)
	call(t, "report", "--agent", agent, "--for", "0s").wants(t, exitUsage, "want more than nothing")
}
