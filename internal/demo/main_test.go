package demo

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"moonwatch/internal/program"
)

// TestMain lets the test binary stand in for moonwatch: as the service it is
// the shipped one, as the agent it only runs.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 {
		switch os.Args[1] {
		case "demo-service":
			os.Exit(RunService(context.Background(), os.Args[2:], os.Stderr))
		case "demo-witnessed":
			os.Exit(runWitnessed(os.Args[2:]))
		case "agent":
			time.Sleep(time.Minute)
			return
		}
	}
	// The gossip engine does not wait for its probe under way when it is shut
	// down; the probe ends by its own deadline.
	engine := goleak.IgnoreAnyFunction("github.com/hashicorp/memberlist.(*Memberlist).triggerFunc")
	goleak.VerifyTestMain(m, engine, goleak.Cleanup(func(code int) {
		atEnd()
		os.Exit(code)
	}))
}

// atEnd removes what all tests shared.
var atEnd = func() {}

// testExe is the test binary.
func testExe(t *testing.T) string {
	t.Helper()
	exe, err := os.Executable()
	must(t, err)
	return exe
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// systemTemp is kept from before the tests have registers of their own.
var systemTemp = os.TempDir()

// ownTemp gives the test a register of its own, with a name so short that the
// path of a unix socket in it is none too long.
func ownTemp(t *testing.T) {
	t.Helper()
	dir, err := os.MkdirTemp(systemTemp, "mw-") //nolint:usetesting // t.TempDir has the test's name in its path
	must(t, err)
	t.Cleanup(func() { must(t, os.RemoveAll(dir)) })
	t.Setenv("TMPDIR", dir)
}

// spawn starts a process that lives until it is killed, at the end of the test
// at the latest.
func spawn(t *testing.T, name string, args ...string) program.Process {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	must(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // gone is what is wanted
		_ = cmd.Wait()
	})
	return program.Identify(cmd.Process.Pid)
}

// dead is a process that was and is no more.
func dead(t *testing.T) program.Process {
	t.Helper()
	cmd := exec.Command("sleep", "60")
	must(t, cmd.Start())
	p := program.Identify(cmd.Process.Pid)
	must(t, cmd.Process.Kill())
	_ = cmd.Wait() // killed
	return p
}

// await waits until something that another process does has come about, as long as a
// machine may take whose processors are all at work on something else.
func await(t *testing.T, what string, come func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !come(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s: not after a minute", what)
		}
	}
}

// furnished is a folder with all files of a cluster, as the launcher makes it.
func furnished(t *testing.T) *kit {
	t.Helper()
	ownTemp(t)
	f, err := newFolder("", testExe(t))
	must(t, err)
	t.Cleanup(func() {
		if err := f.end(); err != nil {
			t.Error(err)
		}
	})
	where, err := drawLayout()
	must(t, err)
	k, err := furnish(f, where, "demo", "info", time.Now())
	must(t, err)
	return k
}

func exists(path string) bool {
	_, err := os.Stat(filepath.Clean(path))
	return err == nil
}
