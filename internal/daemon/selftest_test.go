package daemon

import (
	"bytes"
	"os"
	"path/filepath"
	"runtime/pprof"
	"strings"
	"syscall"
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

// TestADiskThatHangsIsWrittenToOnce: each write to one keeps a thread, and a spare tests its
// disk every fifteen minutes. A pipe that nobody reads hangs as such a disk does.
func TestADiskThatHangsIsWrittenToOnce(t *testing.T) {
	dir := t.TempDir()
	d := &Daemon{actions: program.Folder{Path: dir, Owners: program.RootOrSelf()}}
	d.cfg.Agent = &config.Agent{DataDir: dir}
	pool := member.Pool{Name: "web"}
	pipe := filepath.Join(dir, testFile("web"))
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if err := d.fit(t.Context(), pool, time.Now().Add(50*time.Millisecond)); err == nil || !strings.Contains(err.Error(), "disk: no answer") {
			t.Errorf("got %v", err)
		}
	}
	var at bytes.Buffer
	if err := pprof.Lookup("goroutine").WriteTo(&at, 2); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(at.String(), "daemon.writeTest("); n != 1 {
		t.Errorf("%d writes are under way, want 1", n)
	}
	reader, err := os.Open(pipe) // the disk is back
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	for end := time.Now().Add(time.Minute); d.fit(t.Context(), pool, end) != nil; {
		if time.Now().After(end) {
			t.Fatal("the disk is back, and its test fails")
		}
	}
}
