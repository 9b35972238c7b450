package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"moonwatch/agent"
	"moonwatch/member"
)

// measuredIn writes what a member has measured for two days, with one stall.
func measuredIn(t *testing.T, dir string, id member.ID, trip, stall time.Duration) string {
	t.Helper()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	m := agent.Measured{Since: now.Add(-48 * time.Hour), Sent: 1000, Lost: 5}
	for range 1000 {
		m.Trips.Add(trip)
	}
	m.Stalls.Add(stall)
	return writeMeasured(t, dir, id, now, m)
}

func writeMeasured(t *testing.T, dir string, id member.ID, now time.Time, m agent.Measured) string {
	t.Helper()
	b, err := json.Marshal(tunedOf([]measuredMember{{id, now, "lan", 40, m}}))
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(dir, string(id)+".json")
	if err := os.WriteFile(name, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestAProfileIsProposedFromWhatSeveralHaveMeasured(t *testing.T) {
	dir := t.TempDir()
	good := measuredIn(t, dir, "web-1", time.Millisecond, 20*time.Millisecond)
	stalls := measuredIn(t, dir, "web-2", time.Millisecond, 4*time.Second)
	call(t, "tune", good).wants(t, exitOK, "1 of 40 members", "profile: lan", "40 members, at most 32", "Of 39 members nothing is known")
	both := call(t, "tune", good, stalls)
	both.wants(t, exitOK, "2 of 40 members", "profile: cloud", "a stall of 4s, replaced after 2.3s", "0.50 %")
	call(t, "tune", good, stalls, "-o", "json").wants(t, exitOK, `"proposal": "cloud"`, `"member": "web-2"`)
}

// TestWhoWasAnsweredByNobodyGetsNoProposal, and ends with 3, in JSON too.
func TestWhoWasAnsweredByNobodyGetsNoProposal(t *testing.T) {
	dir := t.TempDir()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	deaf := writeMeasured(t, dir, "web-1", now, agent.Measured{Since: now.Add(-48 * time.Hour), Sent: 1_000_000, Lost: 1_000_000})
	r := call(t, "tune", deaf)
	r.wants(t, exitDegraded, "No probe was answered", "No profile is proposed", "100.00 %")
	if strings.Contains(r.out, "Proposal:") {
		t.Errorf("it proposes:\n%s", r.out)
	}
	call(t, "tune", deaf, "-o", "json").wants(t, exitDegraded, `"proposal": ""`, `"unanswered": 1`)

	lossy := agent.Measured{Since: now.Add(-48 * time.Hour), Sent: 1000, Lost: 250}
	for range 750 {
		lossy.Trips.Add(time.Millisecond)
	}
	call(t, "tune", writeMeasured(t, dir, "web-2", now, lossy)).wants(t, exitOK, "profile: lan", "A member had no answer to 25 % of its probes")
}

func TestWhatIsNoMeasurementIsNamed(t *testing.T) {
	dir := t.TempDir()
	good := measuredIn(t, dir, "web-1", time.Millisecond, 20*time.Millisecond)
	call(t, "tune", good, good).wants(t, exitUsage, "web-1", "want each member once")
	call(t, "tune", filepath.Join(dir, "nowhere.json")).wants(t, exitError, "nowhere.json")
	for name, text := range map[string]string{"half": `{"seen": [{"mem`, "other": `{"schema": 1}`, "nobody": `{"seen": [{"member": ""}]}`} {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		call(t, "tune", file).wants(t, exitUsage, file, "want what `moonwatch tune -o json` writes")
	}
}
