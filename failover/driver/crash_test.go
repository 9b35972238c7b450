package driver

import (
	"bufio"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// lifeVariable makes this test binary an agent that does one step and waits.
const lifeVariable = "MOONWATCH_TEST_LIFE"

// TestKillingTheAgentInTheMiddleOfAStepRunsItOnce kills a real process with
// SIGKILL while its action runs, and asks the next life for the same step.
func TestKillingTheAgentInTheMiddleOfAStepRunsItOnce(t *testing.T) {
	if dir := os.Getenv(lifeVariable); dir != "" {
		w := &world{t: t, actions: dir + "/actions", records: dir + "/steps", marks: dir + "/marks"}
		w.restart()
		req := request()
		req.Deadline = time.Now().Add(time.Minute)
		w.exec().Apply(t.Context(), req)
		return
	}
	w := newWorld(t)
	dir := strings.TrimSuffix(w.actions, "/actions")
	told := dir + "/told" // by which the action says that it runs
	must(t, syscall.Mkfifo(told, 0o600))
	w.install("web-start", w.mark()+"; echo running >"+told+"; sleep 60")

	life := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$")
	life.Env = append(os.Environ(), lifeVariable+"="+dir)
	must(t, life.Start())
	pipe, err := os.Open(told)
	must(t, err)
	defer func() { _ = pipe.Close() }()
	if line, err := bufio.NewReader(pipe).ReadString('\n'); line != "running\n" {
		t.Fatalf("the action said %q, %v", line, err)
	}
	must(t, life.Process.Kill())
	_ = life.Wait()

	w.restart()
	again := request()
	if result := w.exec().Apply(t.Context(), again); result.Outcome != InProgress {
		t.Errorf("while its program runs on: got %v (%s)", result.Outcome, result.Detail)
	}
	next := request()
	next.Attempt++
	if result := w.exec().Apply(t.Context(), next); result.Outcome != Retryable {
		t.Errorf("another attempt beside it: got %v (%s)", result.Outcome, result.Detail)
	}
	if result := w.journal.observe(again, time.Now().Add(time.Hour)); result.Outcome != Unknown {
		t.Errorf("after its deadline: got %v (%s)", result.Outcome, result.Detail)
	}
	w.install("web-start", w.mark())
	if result := w.exec().Apply(t.Context(), again); result.Outcome != Unknown {
		t.Errorf("the same attempt: got %v (%s)", result.Outcome, result.Detail)
	}
	w.wantRuns(1)
	if result := w.exec().Apply(t.Context(), next); result.Outcome != Done {
		t.Errorf("the next attempt: got %v (%s)", result.Outcome, result.Detail)
	}
	w.wantRuns(2)
}
