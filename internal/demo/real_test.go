//go:build real

package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"moonwatch/consensus"
	"moonwatch/failover"
	"moonwatch/internal/program"
)

// moonwatch builds the shipped binary, once for all tests, or takes MOONWATCH_EXE,
// which many processes that measure share.
var moonwatch = sync.OnceValues(func() (string, error) {
	if exe := os.Getenv("MOONWATCH_EXE"); exe != "" {
		return exe, nil
	}
	dir, err := os.MkdirTemp(systemTemp, "moonwatch-real-")
	if err != nil {
		return "", err
	}
	atEnd = func() { _ = os.RemoveAll(dir) } // the system clears what stays
	exe := filepath.Join(dir, "moonwatch")
	out, err := exec.Command("go", "build", "-o", exe, "moonwatch/cmd/moonwatch").CombinedOutput()
	if err != nil {
		return "", errors.New(string(out))
	}
	return exe, nil
})

// launch starts the shipped demo in the test's register. wait gives its exit
// status and what it printed on both outputs. However the test ends, the demo is ended too.
func launch(t *testing.T, args ...string) (cmd *exec.Cmd, wait func() (exit int, out, progress string)) {
	t.Helper()
	exe, err := moonwatch()
	must(t, err)
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute) // a story that is told once more, each time with an election
	var out, complaints bytes.Buffer
	cmd = exec.CommandContext(ctx, exe, append([]string{"demo"}, args...)...)
	cmd.Stdout, cmd.Stderr = &out, &complaints
	cmd.WaitDelay = time.Second
	must(t, cmd.Start())
	waited := sync.OnceFunc(func() { _ = cmd.Wait() }) // the exit status says it
	t.Cleanup(func() {
		cancel()
		waited()
		if _, err := sweep(); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Log(complaints.String())
		}
	})
	return cmd, func() (int, string, string) {
		waited()
		return cmd.ProcessState.ExitCode(), out.String(), complaints.String()
	}
}

// leftBehind are the processes of the binary under test that still run.
func leftBehind(t *testing.T) []string {
	t.Helper()
	exe, err := moonwatch()
	must(t, err)
	lines, err := filepath.Glob("/proc/[0-9]*/cmdline")
	must(t, err)
	var found []string
	for _, path := range lines {
		text, err := os.ReadFile(path)
		if err == nil && bytes.HasPrefix(text, append([]byte(exe), 0)) {
			found = append(found, string(bytes.ReplaceAll(text, []byte{0}, []byte{' '})))
		}
	}
	return found
}

func wantNothingLeft(t *testing.T) {
	t.Helper()
	for _, line := range leftBehind(t) {
		t.Errorf("left behind: %s", line)
	}
	folders, err := filepath.Glob(filepath.Join(os.TempDir(), folderPrefix+"*"))
	must(t, err)
	for _, path := range folders {
		t.Errorf("left behind: %s", path)
	}
}

// storyOf tells a story with the shipped binary.
func storyOf(t *testing.T, fault string) Result {
	t.Helper()
	ownTemp(t)
	begun := time.Now()
	exit, out, progress, r := tellOnce(t, fault)
	for tries := 1; !r.OK && strings.Contains(progress, errHeldTooLong.Error()) && tries < 3; tries++ {
		t.Logf("told again, for it was another story: %s", progress)
		ownTemp(t) // the one that failed keeps its logs
		exit, out, progress, r = tellOnce(t, fault)
	}
	if exit != exitOK || !r.OK {
		t.Fatalf("exit %d, ok %t: %s", exit, r.OK, out)
	}
	t.Logf("%s took %v: worst mode %s", fault, time.Since(begun).Round(100*time.Millisecond), r.ModeMax)
	wantNothingLeft(t)
	return r
}

func tellOnce(t *testing.T, fault string) (exit int, out, progress string, r Result) {
	t.Helper()
	_, wait := launch(t, "--once", "--fault", fault, "--json")
	exit, out, progress = wait()
	if err := json.Unmarshal([]byte(out), &r); err != nil {
		t.Fatalf("exit %d: %v: %s", exit, err, out)
	}
	return exit, out, progress, r
}

func TestAKilledMemberIsReplaced(t *testing.T) {
	r := storyOf(t, FaultKill)
	if *r.VerdictKind != consensus.VerdictDown || r.Failovers != 1 || r.Restarts != 0 || len(r.Promotions) != 1 {
		t.Errorf("%+v", r)
	}
	if *r.Verdict > *r.Serving || *r.Drained > *r.Serving || *r.Accused > *r.Verdict {
		t.Errorf("accused %d, verdict %d, drained %d, serving %d: out of order", *r.Accused, *r.Verdict, *r.Drained, *r.Serving)
	}
	if r.FailedAfterDrain != 0 {
		t.Errorf("%d requests failed after the drain", r.FailedAfterDrain)
	}
}

func TestAnAgentThatDiesMovesNothing(t *testing.T) {
	r := storyOf(t, FaultAgent)
	if *r.VerdictKind != consensus.VerdictAgentLost || r.Failovers != 0 || r.Destructive != 0 || r.Failed != 0 {
		t.Errorf("%+v", r)
	}
}

func TestHalfOfTheFleetIsLeftAlone(t *testing.T) {
	r := storyOf(t, FaultHalf)
	if r.ModeMax.Rank() < failover.Cascade.Rank() || r.Destructive != 0 || len(r.Members) != 3 || len(r.Promotions) != 0 {
		t.Errorf("%+v", r)
	}
	if r.Serving == nil {
		t.Error("the slots are not served again by who held them")
	}
}

func TestSIGTERMLeavesNothingBehind(t *testing.T) {
	// At the start, while the cluster forms, and when it is up.
	for _, after := range []time.Duration{100 * time.Millisecond, 1200 * time.Millisecond, 5 * time.Second} {
		ownTemp(t)
		cmd, wait := launch(t, "--once", "--fault", FaultAgent)
		time.Sleep(after) // what is interrupted is for chance to say
		must(t, cmd.Process.Signal(syscall.SIGTERM))
		if exit, _, _ := wait(); exit == exitOK || exit == exitMissed {
			t.Errorf("exit %d after SIGTERM at %v, want an error", exit, after)
		}
		wantNothingLeft(t)
	}
}

func TestTheNextLauncherSweepsWhatAKilledOneLeft(t *testing.T) {
	ownTemp(t)
	cmd, wait := launch(t)
	await(t, "all services", func() bool {
		found, err := filepath.Glob(filepath.Join(os.TempDir(), folderPrefix+"*", "members", "*", "service.pid"))
		return err == nil && len(found) == slots
	})
	must(t, cmd.Process.Kill())
	wait()
	if n := len(leftBehind(t)); n != 7+slots {
		t.Errorf("%d processes outlive their launcher, want 7 agents and %d services", n, slots)
	}
	ended, err := sweep()
	must(t, err)
	if ended < 7+slots { // an action may just be ending, too
		t.Errorf("swept %d processes, want %d at least", ended, 7+slots)
	}
	wantNothingLeft(t)
}

func TestCommandsFromASecondTerminal(t *testing.T) {
	ownTemp(t)
	cmd, wait := launch(t)
	var f *folder
	await(t, "the control socket", func() bool {
		var err error
		f, err = running("")
		return err == nil && exists(filepath.Join(f.path, socketFile))
	})
	ctx := context.Background()
	member := newChild(f, place{Name: "vm-3"}, nil)
	agent, err := readPID(filepath.Join(member.dir, "agent.pid"))
	must(t, err)
	for _, do := range []string{DoIsolate, DoHeal, DoStop, DoHeal, DoKill} {
		var out strings.Builder
		must(t, Control(ctx, "", do, "vm-3", &out))
		if !strings.Contains(out.String(), "vm-3") {
			t.Errorf("%s says %q", do, out.String())
		}
	}
	await(t, "the agent's end", func() bool { return agent.Fate() != program.Runs })
	must(t, Control(ctx, f.path, DoHeal, "vm-3", new(strings.Builder)))
	again, err := readPID(filepath.Join(member.dir, "agent.pid"))
	must(t, err)
	if again.Fate() != program.Runs || again == agent {
		t.Error("heal did not start the agent again")
	}
	if err := Control(ctx, "", DoKill, "vm-99", new(strings.Builder)); err == nil || !strings.Contains(err.Error(), "vm-99") {
		t.Errorf("an unknown member: %v", err)
	}
	must(t, cmd.Process.Signal(syscall.SIGINT))
	if exit, _, _ := wait(); exit != exitOK {
		t.Errorf("exit %d after ctrl-C, want 0: that is how it ends", exit)
	}
	wantNothingLeft(t)
}
