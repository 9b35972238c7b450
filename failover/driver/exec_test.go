package driver

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"moonwatch/internal/program"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestAnExitStatusIsAnOutcome(t *testing.T) {
	tests := []struct {
		body string
		want Outcome
		says string
	}{
		{"exit 0", Done, "exit 0"},
		{"echo 'slot epoch 50 seen' >&2; exit 3", Refused, "exit 3: slot epoch 50 seen"},
		{"exit 75", Retryable, "exit 75"},
		{"exit 100", InProgress, "exit 100"},
		{"echo 'no such unit' >&2; exit 1", Permanent, "exit 1: no such unit"},
		{"exit 126", Permanent, "exit 126"},
		{"kill -KILL $$", Unknown, "ended by somebody else"},
		{"sleep 30 & exit 0", Unknown, "a child held its output open"},
		{"head -c 70000 /dev/zero", Done, "output cut at 65536 bytes"},
	}
	for _, tt := range tests {
		w := newWorld(t)
		w.install("web-start", tt.body)
		result := w.exec().Apply(t.Context(), request())
		if result.Outcome != tt.want || !strings.Contains(result.Detail, tt.says) {
			t.Errorf("%q: got %v (%s), want %v and %q", tt.body, result.Outcome, result.Detail, tt.want, tt.says)
		}
		if len(result.Output) > program.OutputLimit {
			t.Errorf("%q: %d bytes of output", tt.body, len(result.Output))
		}
	}
}

func TestAnActionHearsTheWholeRequest(t *testing.T) {
	w := newWorld(t)
	w.install("web-start", "cat")
	req := request()
	req.Deadline = time.Date(2191, 2, 3, 4, 5, 6, 0, time.UTC)
	want := `{"case":"C-12","step":"activate","attempt":1,"member":"spare-1","pool":"web","slot":"web-0","slot_epoch":42,"deadline":"2191-02-03T04:05:06Z","dry_run":false}` + "\n"
	if got := string(w.exec().Apply(t.Context(), req).Output); got != want {
		t.Errorf("got  %swant %s", got, want)
	}
}

func TestAnActionThatNeverEndsIsUnknown(t *testing.T) {
	w := newWorld(t)
	w.install("web-start", w.mark()+"; sleep 60")
	req := request()
	req.Deadline = time.Now().Add(time.Second)
	for range 2 { // the second one is remembered
		result := w.exec().Apply(t.Context(), req)
		if result.Outcome != Unknown || !strings.Contains(result.Detail, "killed at its deadline") {
			t.Fatalf("got %v (%s)", result.Outcome, result.Detail)
		}
		req.Deadline = time.Now().Add(time.Minute)
	}
	w.wantRuns(1)
}

func TestAServiceOutlivesTheActionThatIsKilled(t *testing.T) {
	w := newWorld(t)
	note := filepath.Join(t.TempDir(), "pid")
	w.install("web-start", "setsid sh -c 'echo $$ >"+note+"; exec sleep 60' </dev/null >/dev/null 2>&1 & sleep 60")
	req := request()
	req.Deadline = time.Now().Add(time.Second)
	if result := w.exec().Apply(t.Context(), req); result.Outcome != Unknown {
		t.Fatalf("got %v (%s)", result.Outcome, result.Detail)
	}
	text, err := os.ReadFile(note)
	must(t, err)
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	must(t, err)
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Errorf("the service had died with its action: %v", err)
	}
}

func TestAnActionThatIsNotSafeToRunDoesNotRunAndMayBeMended(t *testing.T) {
	w := newWorld(t)
	w.install("web-start", w.mark())
	path := filepath.Join(w.actions, "web-start")
	must(t, os.Chmod(path, 0o777))
	result := w.exec().Apply(t.Context(), request())
	if result.Outcome != Permanent || !strings.Contains(result.Detail, "others than its owner may write it") {
		t.Errorf("got %v (%s)", result.Outcome, result.Detail)
	}
	if _, err := w.exec().Plan(request()); err == nil {
		t.Error("it could be planned")
	}
	w.wantRuns(0)
	must(t, os.Chmod(path, 0o755))
	if result := w.exec().Apply(t.Context(), request()); result.Outcome != Done {
		t.Errorf("mended: got %v (%s)", result.Outcome, result.Detail)
	}
	w.wantRuns(1)
}

func TestAMissingActionIsPermanent(t *testing.T) {
	w := newWorld(t)
	result := w.exec().Apply(t.Context(), request())
	if result.Outcome != Permanent || !strings.Contains(result.Detail, "no such file") {
		t.Errorf("got %v (%s)", result.Outcome, result.Detail)
	}
}

func TestAnIncompleteRequestListsAllThatIsMissing(t *testing.T) {
	w := newWorld(t)
	result := w.exec().Apply(t.Context(), Request{Step: "activate"})
	for _, want := range []string{"case is empty", "slot is empty", "deadline is missing"} {
		if result.Outcome != Permanent || !strings.Contains(result.Detail, want) {
			t.Errorf("got %v (%s), want %q", result.Outcome, result.Detail, want)
		}
	}
}

func TestWhatComesTooLateIsNotRun(t *testing.T) {
	w := newWorld(t)
	w.install("web-start", w.mark())
	late := request()
	late.Deadline = time.Now().Add(-time.Second)
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	for _, result := range []Result{w.exec().Apply(t.Context(), late), w.exec().Apply(gone, request())} {
		if result.Outcome != Retryable || !strings.Contains(result.Detail, "not run") {
			t.Errorf("got %v (%s)", result.Outcome, result.Detail)
		}
	}
	w.wantRuns(0)
}

func TestADryRunHasNoEffectOnTheJournal(t *testing.T) {
	w := newWorld(t)
	w.install("web-start", w.mark()+`; [ "$MOONWATCH_DRY_RUN" = true ] || exit 1`)
	req := request()
	req.DryRun = true
	for range 2 {
		if result := w.exec().Apply(t.Context(), req); result.Outcome != Done {
			t.Errorf("got %v (%s)", result.Outcome, result.Detail)
		}
	}
	w.wantRuns(2)
	if got := w.journal.Highest(req.Slot); got != 0 {
		t.Errorf("the journal took slot epoch %d from it", got)
	}
	must(t, w.journal.Raise(req.Slot, 43))
	if result := w.exec().Apply(t.Context(), req); result.Outcome != Refused {
		t.Errorf("an older one: got %v (%s)", result.Outcome, result.Detail)
	}
}

func TestCompensateRunsTheUndoActionAsAStepOfItsOwn(t *testing.T) {
	w := newWorld(t)
	w.install("web-start", "exit 0")
	w.install("web-stop", w.mark()+`; printf %s "$MOONWATCH_STEP"`)
	both := NewExec(w.folder(), "web-start", "web-stop", w.journal)
	if result := both.Apply(t.Context(), request()); result.Outcome != Done {
		t.Fatalf("got %v (%s)", result.Outcome, result.Detail)
	}
	result := both.Compensate(t.Context(), request())
	if result.Outcome != Done || string(result.Output) != "undo activate" {
		t.Errorf("got %v (%s), step %q", result.Outcome, result.Detail, result.Output)
	}
	both.Compensate(t.Context(), request())
	w.wantRuns(1)
	if result := w.exec().Compensate(t.Context(), request()); result.Outcome != Permanent {
		t.Errorf("without an undo action: got %v (%s)", result.Outcome, result.Detail)
	}
}

func TestAPlanNamesActionAndStep(t *testing.T) {
	w := newWorld(t)
	w.install("web-start", "exit 0")
	got, err := w.exec().Plan(request())
	if want := "run action web-start: activate of C-12 for slot web-0 at slot epoch 42, attempt 1"; got != want || err != nil {
		t.Errorf("got %q, %v; want %q", got, err, want)
	}
}

// world is a member with a folder of actions and a journal.
type world struct {
	t       *testing.T
	actions string
	records string
	marks   string // gets one line for each run of an action with mark
	journal *Journal
}

func newWorld(t *testing.T) *world {
	t.Helper()
	dir := t.TempDir()
	w := &world{t: t, actions: filepath.Join(dir, "actions"), records: filepath.Join(dir, "steps"), marks: filepath.Join(dir, "marks")}
	must(t, os.Mkdir(w.actions, 0o755))
	w.restart()
	return w
}

// restart begins a new life of the agent: only the disk is left of the old one.
func (w *world) restart() {
	w.t.Helper()
	journal, err := OpenJournal(w.records, nil)
	must(w.t, err)
	w.journal = journal
}

func (w *world) folder() program.Folder {
	return program.Folder{Path: w.actions, Owners: program.RootOrSelf()}
}

func (w *world) exec() *Exec { return NewExec(w.folder(), "web-start", "", w.journal) }

func (w *world) install(name, body string) {
	w.t.Helper()
	must(w.t, os.WriteFile(filepath.Join(w.actions, name), []byte("#!/bin/sh\n"+body+"\n"), 0o755))
}

func (w *world) mark() string { return "echo run >>" + w.marks }

func (w *world) wantRuns(want int) {
	w.t.Helper()
	text, _ := os.ReadFile(w.marks) // none yet: no run
	if got := strings.Count(string(text), "run"); got != want {
		w.t.Errorf("the action ran %d times, want %d", got, want)
	}
}

func request() Request {
	return Request{
		Case: "C-12", Step: "activate", Attempt: 1, Member: "spare-1", Pool: "web", Slot: "web-0", SlotEpoch: 42,
		Deadline: time.Now().Add(20 * time.Second),
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func ExampleExec() {
	dir, _ := os.MkdirTemp("", "")
	defer func() { _ = os.RemoveAll(dir) }()
	actions := program.Folder{Path: dir, Owners: program.RootOrSelf()}
	_ = os.WriteFile(filepath.Join(dir, "web-start"), []byte("#!/bin/sh\necho start $MOONWATCH_SLOT\n"), 0o755)
	journal, err := OpenJournal(filepath.Join(dir, "steps"), nil)
	if err != nil {
		fmt.Println(err)
		return
	}

	start := NewExec(actions, "web-start", "", journal)
	req := Request{
		Case: "C-12", Step: "activate", Attempt: 1, Member: "spare-1", Slot: "web-0", SlotEpoch: 42,
		Deadline: time.Now().Add(time.Minute),
	}
	first := start.Apply(context.Background(), req)
	fmt.Printf("%s: %s", first.Outcome, first.Output)
	again := start.Apply(context.Background(), req) // a copy of the request runs nothing
	fmt.Printf("%s: %d bytes\n", again.Outcome, len(again.Output))
	req.SlotEpoch = 41
	fmt.Println(start.Apply(context.Background(), req).Outcome)
	// Output:
	// done: start web-0
	// done: 0 bytes
	// refused
}
