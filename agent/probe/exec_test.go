package probe

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"moonwatch/internal/program"
	"moonwatch/member"
)

func TestAnExecCheckIsWeighedByItsEnd(t *testing.T) {
	tests := []struct {
		body    string
		timeout time.Duration
		want    Outcome
		says    string
	}{
		{"exit 0", ample, Answers, "run web-check: exit 0"},
		{"echo 'queue is full' >&2; exit 1", ample, Refuses, "run web-check: exit 1: queue is full"},
		{"exit 75", ample, Refuses, "exit 75"},
		{"exit 100", ample, Refuses, "exit 100"},
		{"kill -KILL $$", ample, Refuses, "ended by somebody else"},
		{"sleep 60", brief, Silent, "killed at its deadline"},
		{"sleep 60 & sleep 60", brief, Silent, "killed at its deadline"},
		{"sleep 60 & exit 0", ample, Refuses, "a child held its output open"},
	}
	for _, tt := range tests {
		result := execChecker(t, tt.body, 0o755).Run(t.Context(), loopback, run("web-check"), tt.timeout)
		if result.Outcome != tt.want || !strings.Contains(result.Detail, tt.says) || result.Took > 10*time.Second {
			t.Errorf("%q: got %v (%s) after %v, want %v (%s)", tt.body, result.Outcome, result.Detail, result.Took, tt.want, tt.says)
		}
	}
}

func TestAnExecCheckIsToldItsSlot(t *testing.T) {
	target := Target{Slot: "web-0", SlotEpoch: 42} // needs no address
	body := `grep -q '"step":"check","attempt":0,.*"slot":"web-0","slot_epoch":42,' && [ "$MOONWATCH_SLOT" = web-0 ]`
	if result := execChecker(t, body, 0o755).Run(t.Context(), target, run("web-check"), ample); result.Outcome != Answers {
		t.Errorf("got %v (%s)", result.Outcome, result.Detail)
	}
}

func TestAnExecCheckThatCannotRunIsNoEvidence(t *testing.T) {
	tests := []struct {
		name string
		mode os.FileMode
		says string
	}{
		{"missing", 0o755, "no such file"},
		{"web-check", 0o777, "others than its owner may write it"},
		{"web-check", 0o644, "want it executable"},
		{"../web-check", 0o755, "want the plain name"},
	}
	for _, tt := range tests {
		result := execChecker(t, "exit 0", tt.mode).Run(t.Context(), loopback, run(tt.name), ample)
		if result.Outcome != Unasked || !strings.Contains(result.Detail, tt.says) {
			t.Errorf("%s %o: got %v (%s), want %q", tt.name, tt.mode, result.Outcome, result.Detail, tt.says)
		}
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if result := execChecker(t, "exit 0", 0o755).Run(gone, loopback, run("web-check"), ample); result.Outcome != Unasked {
		t.Errorf("given up: got %v (%s)", result.Outcome, result.Detail)
	}
}

func run(name string) member.Checks { return member.Checks{Exec: &member.ExecCheck{Name: name}} }

func execChecker(t *testing.T, body string, mode os.FileMode) *Checker {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "checks")
	must(t, os.Mkdir(dir, 0o755))
	path := filepath.Join(dir, "web-check")
	must(t, os.WriteFile(path, []byte("#!/bin/sh\n"+body+"\n"), 0o600))
	must(t, os.Chmod(path, mode))
	return New(Config{Programs: program.Folder{Path: dir, Owners: program.RootOrSelf()}})
}
