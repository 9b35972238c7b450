package driver

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"moonwatch/internal/program"
)

func TestARepeatedRequestRunsNothingAlsoAfterARestart(t *testing.T) {
	w := newWorld(t)
	w.install("web-start", w.mark()+"; echo 'no such unit' >&2; exit 1")
	first := w.exec().Apply(t.Context(), request())
	for _, life := range []string{"the same life", "the next life"} {
		for _, again := range []Result{w.exec().Apply(t.Context(), request()), w.exec().Observe(t.Context(), request())} {
			if again.Outcome != Permanent || again.Detail != "remembered: "+first.Detail {
				t.Errorf("%s: got %v (%s)", life, again.Outcome, again.Detail)
			}
		}
		w.restart()
	}
	w.wantRuns(1)

	next := request()
	next.Attempt++
	if result := w.exec().Observe(t.Context(), next); result.Outcome != Retryable {
		t.Errorf("an attempt that nobody began: got %v (%s)", result.Outcome, result.Detail)
	}
	w.exec().Apply(t.Context(), next)
	w.wantRuns(2)
}

func TestALateCopyOfAnEarlierStepRunsNothing(t *testing.T) {
	w := newWorld(t)
	w.install("web-start", w.mark())
	for attempt := range 10 {
		req := request()
		req.Attempt = attempt
		w.exec().Apply(t.Context(), req)
	}
	w.exec().Apply(t.Context(), request())
	w.wantRuns(10)
}

func TestAnOlderSlotEpochIsRefusedAlsoAfterARestart(t *testing.T) {
	w := newWorld(t)
	w.install("web-start", w.mark())
	w.exec().Apply(t.Context(), request())
	old := request()
	old.Case, old.SlotEpoch = "C-11", 41
	for range 2 {
		result := w.exec().Apply(t.Context(), old)
		if result.Outcome != Refused || !strings.Contains(result.Detail, "this member has acted at slot epoch 42") {
			t.Errorf("got %v (%s)", result.Outcome, result.Detail)
		}
		w.restart()
	}
	must(t, w.journal.Raise("web-0", 43))
	must(t, w.journal.Raise("web-0", 42)) // never lowers
	w.restart()
	newer := request()
	newer.Attempt = 2
	if result := w.exec().Apply(t.Context(), newer); result.Outcome != Refused {
		t.Errorf("after the ledger showed slot epoch 43: got %v (%s)", result.Outcome, result.Detail)
	}
	other := request()
	other.Slot, other.SlotEpoch = "web-1", 7
	if result := w.exec().Apply(t.Context(), other); result.Outcome != Done {
		t.Errorf("another slot: got %v (%s)", result.Outcome, result.Detail)
	}
	w.wantRuns(2)
}

func TestAStepInProgressIsAskedAgainUntilItEnds(t *testing.T) {
	w := newWorld(t)
	w.install("web-start", w.mark()+`; [ $(wc -l <`+w.marks+`) -ge 3 ] || exit 100`)
	other := request()
	other.Case = "C-13"
	for range 2 {
		if result := w.exec().Apply(t.Context(), request()); result.Outcome != InProgress {
			t.Fatalf("got %v (%s)", result.Outcome, result.Detail)
		}
		if result := w.exec().Observe(t.Context(), request()); result.Outcome != InProgress {
			t.Errorf("observed: got %v (%s)", result.Outcome, result.Detail)
		}
		if result := w.exec().Apply(t.Context(), other); result.Outcome != Retryable || !strings.Contains(result.Detail, "activate of C-12 is under way") {
			t.Errorf("another step of the slot: got %v (%s)", result.Outcome, result.Detail)
		}
		w.restart()
	}
	for range 2 {
		if result := w.exec().Apply(t.Context(), request()); result.Outcome != Done {
			t.Errorf("got %v (%s)", result.Outcome, result.Detail)
		}
	}
	w.wantRuns(3)
}

func TestAStepInProgressThatNobodyAsksAboutEndsAtItsDeadline(t *testing.T) {
	w := newWorld(t)
	req := request()
	if _, run := w.journal.begin(req, time.Now()); !run {
		t.Fatal("did not begin")
	}
	w.journal.finish(req, Result{Outcome: InProgress})
	if got := w.journal.observe(req, req.Deadline); got.Outcome != Unknown {
		t.Errorf("got %v (%s)", got.Outcome, got.Detail)
	}
	other := request()
	other.Case = "C-13"
	if _, run := w.journal.begin(other, req.Deadline); !run {
		t.Error("the slot stayed taken")
	}
}

func TestOneSlotDoesOneStepAtATime(t *testing.T) {
	w := newWorld(t)
	fifo := filepath.Join(t.TempDir(), "go")
	must(t, syscall.Mkfifo(fifo, 0o600))
	w.install("web-start", w.mark()+"; read line <"+fifo+"; exit 0")
	var group sync.WaitGroup
	group.Go(func() {
		if result := w.exec().Apply(t.Context(), request()); result.Outcome != Done {
			t.Errorf("got %v (%s)", result.Outcome, result.Detail)
		}
	})
	gate, err := os.OpenFile(fifo, os.O_WRONLY, 0) // opens when the action reads
	must(t, err)
	if result := w.exec().Apply(t.Context(), request()); result.Outcome != InProgress {
		t.Errorf("the same step: got %v (%s)", result.Outcome, result.Detail)
	}
	other := request()
	other.Case, other.SlotEpoch = "C-13", 43
	if result := w.exec().Apply(t.Context(), other); result.Outcome != Retryable {
		t.Errorf("another step: got %v (%s)", result.Outcome, result.Detail)
	}
	must(t, gate.Close())
	group.Wait()
	w.wantRuns(1)
}

// A crash of the agent is a journal that began a step and never finished it.
func TestAfterACrashAStepIsUnknownOnceItsProgramIsGone(t *testing.T) {
	w := newWorld(t)
	if _, run := w.journal.begin(request(), time.Now()); !run {
		t.Fatal("did not begin")
	}
	child := exec.Command("true")
	must(t, child.Start())
	w.journal.started(request(), processOf(t, child))
	must(t, child.Wait())
	w.restart()
	w.install("web-start", w.mark())
	for _, result := range []Result{w.exec().Observe(t.Context(), request()), w.exec().Apply(t.Context(), request())} {
		if result.Outcome != Unknown || !strings.Contains(result.Detail, "the agent ended before the step did") {
			t.Errorf("got %v (%s)", result.Outcome, result.Detail)
		}
	}
	w.wantRuns(0)
	next := request()
	next.Attempt++
	if result := w.exec().Apply(t.Context(), next); result.Outcome != Done {
		t.Errorf("the next attempt: got %v (%s)", result.Outcome, result.Detail)
	}
	w.wantRuns(1)
}

func TestAfterACrashAProgramKeepsItsTimeAndThenIsKilled(t *testing.T) {
	w := newWorld(t)
	req := request()
	if _, run := w.journal.begin(req, time.Now()); !run {
		t.Fatal("did not begin")
	}
	child := exec.Command("sleep", "60")
	child.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	must(t, child.Start())
	w.journal.started(req, processOf(t, child))
	w.restart()

	other := request()
	other.Attempt++
	if result, run := w.journal.begin(other, time.Now()); run || result.Outcome != Retryable {
		t.Errorf("another attempt beside it: got %v (%s), run %v", result.Outcome, result.Detail, run)
	}
	if result := w.journal.observe(req, time.Now()); result.Outcome != InProgress {
		t.Errorf("before its deadline: got %v (%s)", result.Outcome, result.Detail)
	}
	if result := w.journal.observe(req, req.Deadline); result.Outcome != Unknown {
		t.Errorf("at its deadline: got %v (%s)", result.Outcome, result.Detail)
	}
	if err := child.Wait(); err == nil || !strings.Contains(err.Error(), "killed") {
		t.Errorf("the program ended with %v, want killed", err)
	}
}

func TestAfterACrashBeforeTheProgramWasNotedItsDeadlineIsWaitedFor(t *testing.T) {
	w := newWorld(t)
	req := request()
	if _, run := w.journal.begin(req, time.Now()); !run {
		t.Fatal("did not begin")
	}
	must(t, os.WriteFile(w.journal.running(req.Slot), []byte(`{"key":{"ca`), 0o600)) // torn
	w.restart()
	if result := w.journal.observe(req, time.Now()); result.Outcome != InProgress {
		t.Errorf("before its deadline: got %v (%s)", result.Outcome, result.Detail)
	}
	if result := w.journal.observe(req, req.Deadline); result.Outcome != Unknown {
		t.Errorf("at its deadline: got %v (%s)", result.Outcome, result.Detail)
	}
}

func TestMetricsCountOutcomesOnce(t *testing.T) {
	reg := prometheus.NewRegistry()
	w := newWorld(t)
	journal, err := OpenJournal(w.records, reg)
	must(t, err)
	w.journal = journal
	w.install("web-start", "exit 0")
	w.exec().Apply(t.Context(), request())
	w.exec().Apply(t.Context(), request()) // remembered
	want := "# HELP moonwatch_driver_steps_total Attempts at a step by an installed action that this member answered anew, by outcome.\n" +
		"# TYPE moonwatch_driver_steps_total counter\n"
	for outcome, n := range map[Outcome]int{Done: 1, InProgress: 0, Permanent: 0, Refused: 0, Retryable: 0, Unknown: 0} {
		want += fmt.Sprintf("moonwatch_driver_steps_total{outcome=%q} %d\n", outcome, n)
	}
	if err := testutil.CollectAndCompare(journal.metrics.steps, strings.NewReader(want)); err != nil {
		t.Error(err)
	}
	if problems, err := testutil.GatherAndLint(reg); err != nil || len(problems) > 0 {
		t.Errorf("lint: %v, %v", problems, err)
	}
}

func TestAnOutcomeHasANameAndNothingElseIsRead(t *testing.T) {
	for o := Unknown; o <= Permanent; o++ {
		var back Outcome
		if err := back.UnmarshalText([]byte(o.String())); err != nil || back != o {
			t.Errorf("%v came back as %v, %v", o, back, err)
		}
	}
	if err := new(Outcome).UnmarshalText([]byte("well done")); err == nil {
		t.Error("read an outcome that does not exist")
	}
	if got := Outcome(9).String(); got != "outcome 9" {
		t.Errorf("got %q", got)
	}
}

// processOf reads what the agent would note of a program that it started.
func processOf(t *testing.T, cmd *exec.Cmd) program.Process {
	t.Helper()
	p := program.Identify(cmd.Process.Pid)
	if p.PID == 0 {
		t.Skip("this system does not tell processes apart")
	}
	return p
}

// What was started here before the machine was booted ended with it. A service that was
// restarted is of the present life again; one that no build wrote a life for is not said
// to be of an earlier one.
func TestTheJournalKnowsWhatEndedWithAnEarlierLifeOfTheMachine(t *testing.T) {
	w := newWorld(t)
	w.install("web-start", "exit 0")
	if w.journal.boot == "" {
		t.Skip("this machine does not say which life it is in: nothing can be told apart")
	}
	w.journal.boot = "" // a build of before
	w.exec().Apply(t.Context(), request())
	w.restart()
	if got := w.journal.Bygone(); len(got) != 0 {
		t.Errorf("of no life: %v", got)
	}
	again := request()
	again.Attempt = 2
	w.exec().Apply(t.Context(), again)
	w.restart()
	if got := w.journal.Bygone(); len(got) != 0 || w.journal.Holding()["web-0"] != 42 {
		t.Errorf("of this life: %v", got)
	}
	w.journal.boot = "another"
	if got := w.journal.Bygone(); len(got) != 1 || got["web-0"] != 42 {
		t.Errorf("after a boot: %v, want web-0 at slot epoch 42", got)
	}
	again.Attempt, again.Step = 3, "restart"
	w.exec().Apply(t.Context(), again)
	if got := w.journal.Bygone(); len(got) != 0 {
		t.Errorf("started since: %v", got)
	}
	again.Attempt = 4
	w.journal.boot = "one more"
	w.install("web-start", "exit 3") // refused: nothing was done
	w.exec().Apply(t.Context(), again)
	w.restart()
	w.journal.boot = "one more"
	if got := w.journal.Bygone(); len(got) != 1 || got["web-0"] != 42 {
		t.Errorf("what was begun since has done nothing, and it ended with its machine: %v, want web-0", got)
	}
	again.Attempt, again.Step = 5, stepStop
	w.install("web-start", "exit 0")
	w.journal.boot = "a third"
	w.exec().Apply(t.Context(), again)
	if got := w.journal.Bygone(); len(got) != 0 {
		t.Errorf("stopped: %v", got)
	}
}
