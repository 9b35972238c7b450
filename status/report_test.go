package status

import (
	"strings"
	"testing"
	"time"

	"moonwatch/failover"
)

func TestTheReportSaysWhatItWasWorth(t *testing.T) {
	p := Page{Now: noon}
	at := func(d time.Duration, would bool, f failover.Fate) Scored {
		return Scored{At: noon.Add(-d), Would: would, Deed: failover.DeedReplace, Fate: f}
	}
	if got := p.Report(7 * 24 * time.Hour).Lines; strings.Join(got, " ") != "Would have replaced nobody. Replaced nobody." {
		t.Errorf("%q", got)
	}
	p.Scores = []Scored{
		at(time.Minute, true, failover.FateUnknown), at(time.Hour, true, failover.FateDead), at(2*time.Hour, true, failover.FateReturned), at(3*time.Hour, true, failover.FateUp),
		at(time.Hour, false, failover.FateDead), at(8*24*time.Hour, true, failover.FateUp),
		{At: noon.Add(-time.Hour), Would: true, Deed: failover.DeedRestart, Fate: failover.FateReturned},
	}
	p.Requests = []Request{
		{ID: "R-9", Alone: true, State: failover.RequestOver, By: "alice", Asks: "go on with C-8", Given: noon.Add(-time.Hour)},
		{ID: "R-7", Alone: true, State: failover.RequestOver, By: "alice", AnsweredBy: "bob", Asks: "go on with C-6", Given: noon.Add(-time.Hour)},
	}
	want := []string{
		"Would have replaced 4, of which 2 were dead, 1 was up the whole time, 1 is not known yet; 1 of the dead came back.",
		"Replaced 1, of which 1 was dead.",
		"Would have restarted 1 service in place.",
		"R-9 was asked for by alice alone, and nobody vetoed it: go on with C-8.",
	}
	r := p.Report(7 * 24 * time.Hour)
	if strings.Join(r.Lines, "\n") != strings.Join(want, "\n") || len(r.Scores) != 6 {
		t.Errorf("%d scores, %s", len(r.Scores), strings.Join(r.Lines, "\n"))
	}
}

func TestATurnOfEventsInWords(t *testing.T) {
	s := failover.Score{Silent: noon, Kind: "down"}
	for want, f := range map[string]failover.Fate{
		"it was up the whole time: found well after 1m40s": failover.FateUp, "it had died and came back by itself": failover.FateReturned,
		"it has not come back": failover.FateDead, "not known yet: gone for 1m40s, dead from 10m0s on": failover.FateUnknown,
	} {
		if got := turnedOut(s, f, 100*time.Second); !strings.HasPrefix(got, want) {
			t.Errorf("%s: %s", f, got)
		}
	}
}
