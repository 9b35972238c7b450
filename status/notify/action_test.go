package notify

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"moonwatch/internal/program"
	"moonwatch/status"
)

// installed puts a script where actions are.
func installed(t *testing.T, text string) *Action {
	t.Helper()
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "page-oncall"), []byte("#!/bin/sh\n"+text), 0o755); err != nil {
		t.Fatal(err)
	}
	return NewAction(ActionConfig{Folder: program.Folder{Path: dir, Owners: program.RootOrSelf()}, Run: "page-oncall"})
}

func TestAnInstalledActionGetsTheMessage(t *testing.T) {
	out := t.TempDir()
	a := installed(t, `cat > `+out+`/body; printf %s "$MOONWATCH_SAYS $MOONWATCH_MATTER $MOONWATCH_SEVERITY $MOONWATCH_RUNBOOK $MOONWATCH_TITLE" > `+out+`/words`)
	m := fall(status.SaysBegun)
	if err := a.Send(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	var got status.Message
	body, err := os.ReadFile(filepath.Join(out, "body"))
	if err != nil || json.Unmarshal(body, &got) != nil || got.ID != m.ID || got.Notice.What != m.Notice.What {
		t.Errorf("%v: it got %s", err, body)
	}
	words, err := os.ReadFile(filepath.Join(out, "words"))
	if want := "begun verdict/V-31 warning docs/runbooks/MoonwatchMemberDown.md " + m.Title(); err != nil || string(words) != want {
		t.Errorf("%v: %q, want %q", err, words, want)
	}
}

func TestAnActionThatFailsSaysWhy(t *testing.T) {
	err := installed(t, "echo first >&2; echo the pager is gone >&2; exit 75").Send(t.Context(), fall(status.SaysBegun))
	if err == nil || err.Error() != "action page-oncall: exit 75: the pager is gone" {
		t.Errorf("%v", err)
	}
	a := installed(t, "exit 0")
	if err := os.Chmod(filepath.Join(a.config.Folder.Path, "page-oncall"), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := a.Send(t.Context(), fall(status.SaysBegun)); err == nil || !strings.Contains(err.Error(), "others than its owner may write it") {
		t.Errorf("%v, want that it is not run", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	hangs := installed(t, `echo > "$(dirname "$0")/begun"; sleep 600`)
	ended := make(chan error, 1)
	go func() { ended <- hangs.Send(ctx, fall(status.SaysBegun)) }()
	for range 600 {
		if _, err := os.Stat(filepath.Join(hangs.config.Folder.Path, "begun")); err == nil {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	cancel()
	select {
	case err := <-ended:
		if err == nil || !strings.Contains(err.Error(), "killed") {
			t.Errorf("%v, want that it was killed", err)
		}
	case <-time.After(30 * time.Second):
		t.Fatal("it waits for an action that hangs")
	}
}
