package daemon

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"moonwatch/internal/config"
	"moonwatch/internal/program"
	"moonwatch/member"
)

func TestAMemberIsFitOnlyWithItsActionsItsDiskAndItsClock(t *testing.T) {
	dir := t.TempDir()
	actions := filepath.Join(dir, "actions.d")
	install := func(name string) {
		t.Helper()
		if err := os.MkdirAll(actions, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(actions, name), []byte("#!/bin/sh\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	pool := member.Pool{Actions: member.Actions{Activate: "web-start", Stop: "web-stop"}}
	d := &Daemon{actions: program.Folder{Path: actions, Owners: program.RootOrSelf()}}
	d.cfg.Agent = &config.Agent{DataDir: dir}
	wants := func(texts ...string) {
		t.Helper()
		err := d.fit(t.Context(), pool, time.Now().Add(time.Minute))
		if len(texts) == 0 && err != nil {
			t.Errorf("unfit: %v", err)
		}
		for _, x := range texts {
			if err == nil || !strings.Contains(err.Error(), x) {
				t.Errorf("%v, want it to say %q", err, x)
			}
		}
	}
	install("web-start")
	wants("web-stop")
	install("web-stop")
	wants()
	d.clockAhead.Store(int64(3 * time.Second))
	wants("clock: more than 1s off")
	d.cfg.Agent.DataDir = filepath.Join(dir, "gone")
	wants("disk: ", "clock: ") // all at once
	if left, _ := filepath.Glob(filepath.Join(dir, "self-test*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}
