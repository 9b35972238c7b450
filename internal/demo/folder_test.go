package demo

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"moonwatch/internal/program"
)

// abandoned is a folder whose launcher was killed, with an agent and a service
// that still run.
func abandoned(t *testing.T) (f *folder, left []program.Process) {
	t.Helper()
	f, err := newFolder("", testExe(t))
	must(t, err)
	dir := f.memberDir("vm-1")
	must(t, os.MkdirAll(dir, 0o700))
	pidFile := filepath.Join(dir, "service.pid")
	service := spawn(t, f.record.Exe, "demo-service", "--listen", "127.0.0.1:0", "--slot", "web-0", "--epoch", "2", "--pid-file", pidFile)
	await(t, "the service's pid file", func() bool { return exists(pidFile) })
	// An agent that was started the moment before its launcher was killed: it
	// has no pid file yet.
	agent := spawn(t, f.record.Exe, "agent", "--config", filepath.Join(dir, "agent.yaml"))
	f.disown(t)
	return f, []program.Process{service, agent}
}

// disown makes the folder look as if its launcher were dead.
func (f *folder) disown(t *testing.T) {
	t.Helper()
	path := filepath.Join(f.path, recordFile)
	text, err := os.ReadFile(path)
	must(t, err)
	f.record.Launcher = dead(t)
	parts := strings.SplitAfter(string(text), `"exe"`)
	p := f.record.Launcher
	must(t, os.WriteFile(path, []byte(`{"launcher":{"pid":`+strconv.Itoa(p.PID)+`,"start":`+strconv.Itoa(int(p.Start))+`,"boot":"`+p.Boot+`"},"exe"`+parts[1]), 0o600))
}

func TestSweepEndsWhatAKilledLauncherLeft(t *testing.T) {
	ownTemp(t)
	f, left := abandoned(t)
	ended, err := sweep()
	must(t, err)
	if ended != len(left) {
		t.Errorf("ended %d processes, want %d", ended, len(left))
	}
	for _, p := range left {
		if p.Fate() == program.Runs {
			t.Errorf("process %d still runs", p.PID)
		}
	}
	if exists(f.path) {
		t.Error("the folder is still there")
	}
}

func TestSweepLeavesBystandersAlone(t *testing.T) {
	ownTemp(t)
	f, _ := abandoned(t)
	log := filepath.Join(f.memberDir("vm-1"), "agent.log")
	must(t, os.WriteFile(log, nil, 0o600))
	reader := spawn(t, "tail", "-f", log) // reads a file of the folder
	other := spawn(t, "sleep", "60")
	reused := other // a pid file names its id, but another start
	reused.Start--
	must(t, os.WriteFile(filepath.Join(f.memberDir("vm-1"), "agent.pid"), []byte(pidLine(reused)+"\n"), 0o600))
	_, err := sweep()
	must(t, err)
	for _, p := range []program.Process{reader, other} {
		if p.Fate() != program.Runs {
			t.Errorf("process %d was ended and is none of ours", p.PID)
		}
	}
}

func TestSweepLeavesARunningDemoAlone(t *testing.T) {
	ownTemp(t)
	f, err := newFolder("", testExe(t))
	must(t, err)
	ended, err := sweep()
	must(t, err)
	if ended != 0 || !exists(f.path) {
		t.Error("swept the folder of a launcher that lives")
	}
	must(t, f.remove())
}

func TestSweepKeepsLogsThatWereKept(t *testing.T) {
	ownTemp(t)
	f, _ := abandoned(t)
	must(t, os.WriteFile(filepath.Join(f.path, "ca.key"), nil, 0o600))
	must(t, f.keep())
	_, err := sweep()
	must(t, err)
	if !exists(f.path) {
		t.Error("removed logs that were kept")
	}
	if exists(filepath.Join(f.path, "ca.key")) {
		t.Error("kept a key beside the logs")
	}
	if left := f.processes(); len(left) != 0 {
		t.Errorf("%d processes run on", len(left))
	}
}

func TestNobodyElsesFolderIsOpened(t *testing.T) {
	ownTemp(t)
	f, err := newFolder("", testExe(t))
	must(t, err)
	must(t, os.Chmod(f.path, 0o777))
	if _, err := openFolder(f.path); err == nil {
		t.Error("believed a folder that others can write")
	}
	link := filepath.Join(os.TempDir(), folderPrefix+"link")
	must(t, os.Chmod(f.path, 0o700))
	must(t, os.Symlink(f.path, link))
	if _, err := openFolder(link); err == nil {
		t.Error("followed a link")
	}
}

func TestTheDemosFolderMustBeEmpty(t *testing.T) {
	dir := t.TempDir()
	must(t, os.WriteFile(filepath.Join(dir, "thesis.txt"), nil, 0o600))
	if _, err := newFolder(dir, testExe(t)); err == nil || !strings.Contains(err.Error(), "thesis.txt") {
		t.Errorf("got %v, want a refusal that names what is there", err)
	}
}

func TestControlNeedsOneRunningDemo(t *testing.T) {
	ownTemp(t)
	err := Control(context.Background(), "", DoKill, "vm-1", io.Discard)
	if err == nil || !strings.Contains(err.Error(), "no demo runs") {
		t.Errorf("no demo: %v", err)
	}
	one, err := newFolder("", testExe(t))
	must(t, err)
	if err := Control(context.Background(), "", DoKill, "vm-1", io.Discard); err == nil || !strings.Contains(err.Error(), "takes no commands") {
		t.Errorf("a demo that is not up: %v", err)
	}
	two, err := newFolder("", testExe(t))
	must(t, err)
	err = Control(context.Background(), "", DoKill, "vm-1", io.Discard)
	if err == nil || !strings.Contains(err.Error(), "--dir") || !strings.Contains(err.Error(), one.path) || !strings.Contains(err.Error(), two.path) {
		t.Errorf("two demos: %v, want both named", err)
	}
	one.disown(t)
	if err := Control(context.Background(), one.path, DoKill, "vm-1", io.Discard); err == nil || !strings.Contains(err.Error(), "does not run") {
		t.Errorf("a dead launcher: %v", err)
	}
}
