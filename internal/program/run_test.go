package program

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// call is one with time enough for every program that ends by itself.
func call() Call {
	return Call{
		Case: "C-12", Step: "activate", Attempt: 2, Member: "spare-1", Pool: "web", Slot: "web-0", SlotEpoch: 42,
		Deadline: time.Now().Add(20 * time.Second),
	}
}

func TestAnExitStatusIsTheProgramsOwnWord(t *testing.T) {
	for _, code := range []int{0, 1, 3, 75, 100, 255} {
		end := Run(t.Context(), script(t, "exit "+strconv.Itoa(code)), call(), nil)
		if end.Ending != Exited || end.Code != code || end.Err != nil {
			t.Errorf("exit %d: got %+v", code, end)
		}
	}
}

func TestAProgramIsToldItsCallAndNothingElse(t *testing.T) {
	t.Setenv("SECRET", "of the agent")
	c := call()
	c.Deadline = time.Date(2191, 2, 3, 4, 5, 6, 7000000, time.FixedZone("JST", 9*3600))
	c.DryRun = true
	end := Run(t.Context(), script(t, `cat; echo "args: $#"; pwd; env | sort | grep -v '^\(_\|PWD\|OLDPWD\|SHLVL\)='`), c, nil)
	want := `{"case":"C-12","step":"activate","attempt":2,"member":"spare-1","pool":"web","slot":"web-0","slot_epoch":42,"deadline":"2191-02-02T19:05:06.007Z","dry_run":true}
args: 0
/
LANG=C.UTF-8
MOONWATCH_ATTEMPT=2
MOONWATCH_CASE=C-12
MOONWATCH_DEADLINE=2191-02-02T19:05:06.007Z
MOONWATCH_DRY_RUN=true
MOONWATCH_MEMBER=spare-1
MOONWATCH_POOL=web
MOONWATCH_SLOT=web-0
MOONWATCH_SLOT_EPOCH=42
MOONWATCH_STEP=activate
PATH=` + searchPath + "\n"
	if got := string(end.Output); got != want {
		t.Errorf("the program was told\n%s\nwant\n%s", got, want)
	}
}

func TestAProgramNeedNotReadItsInput(t *testing.T) {
	if end := Run(t.Context(), script(t, "exec <&-; exit 0"), call(), nil); end.Ending != Exited || end.Code != 0 {
		t.Errorf("got %+v", end)
	}
}

func TestTheDeadlineHolds(t *testing.T) {
	tests := map[string]string{
		"a program that never ends":            "sleep 60",
		"one that ignores being asked to end":  "trap '' TERM INT HUP; while :; do sleep 1; done",
		"one that writes for ever":             "while :; do echo more; done",
		"a child that holds the output":        "sleep 60 & sleep 60",
		"a child outside the group holding it": `setsid sh -c 'while [ -e "$0" ]; do sleep 0.2; done' "$0" & sleep 60`,
	}
	for claim, body := range tests {
		t.Run(claim, func(t *testing.T) {
			path := script(t, body) // before any runs: a fork beside the write would keep the file busy
			t.Parallel()
			c := call()
			c.Deadline = time.Now().Add(300 * time.Millisecond)
			end := Run(t.Context(), path, c, nil)
			if end.Ending != Killed || end.Err == nil || end.Err.Error() != "killed at its deadline" {
				t.Errorf("got %v (%v), want Killed at the deadline", end.Ending, end.Err)
			}
			if end.Took > 15*time.Second { // without waitDelay or the group it is 60 s
				t.Errorf("took %v", end.Took)
			}
			if len(end.Output) > OutputLimit {
				t.Errorf("kept %d bytes of output", len(end.Output))
			}
		})
	}
}

func TestAChildThatHoldsTheOutputSpoilsACleanExit(t *testing.T) {
	note := filepath.Join(t.TempDir(), "pid")
	end := Run(t.Context(), script(t, "sleep 60 & echo $! >"+note), call(), nil)
	if end.Ending != Held || end.Err == nil || !strings.Contains(end.Err.Error(), "setsid and closed descriptors") {
		t.Fatalf("got %+v", end)
	}
	awaitGone(t, pidIn(t, note))
}

func TestACallerThatGivesUpIsObeyed(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	end := Run(ctx, script(t, "sleep 60"), call(), func(Process) { cancel() })
	if end.Ending != Killed || end.Err == nil || !strings.Contains(end.Err.Error(), "context canceled") {
		t.Errorf("got %+v", end)
	}
}

func TestAProgramThatSomebodyElseEndsIsNoExit(t *testing.T) {
	end := Run(t.Context(), script(t, "kill -KILL $$"), call(), nil)
	if end.Ending != Signalled || !strings.Contains(end.Summary(), "signal: killed") {
		t.Errorf("got %+v", end)
	}
}

func TestTheWholeGroupDiesAtTheDeadlineAndAServiceOfItsOwnSessionLives(t *testing.T) {
	dir := t.TempDir()
	child, service := filepath.Join(dir, "child"), filepath.Join(dir, "service")
	c := call()
	c.Deadline = time.Now().Add(time.Second)
	body := "setsid sh -c 'echo $$ >" + service + "; exec sleep 60' </dev/null >/dev/null 2>&1 &\n" +
		"sleep 60 & echo $! >" + child + "\n wait"
	if end := Run(t.Context(), script(t, body), c, nil); end.Ending != Killed {
		t.Fatalf("got %+v", end)
	}
	awaitGone(t, pidIn(t, child))
	pid := pidIn(t, service)
	if err := syscall.Kill(pid, 0); err != nil {
		t.Errorf("the service (%d) died with the group: %v", pid, err)
	}
	must(t, syscall.Kill(pid, syscall.SIGKILL))
}

func TestTooMuchOutputIsCutAndSaid(t *testing.T) {
	end := Run(t.Context(), script(t, "head -c 65537 /dev/zero; exit 0"), call(), nil)
	if end.Code != 0 || len(end.Output) != OutputLimit || !end.Cut || !strings.Contains(end.Summary(), "output cut at 65536 bytes") {
		t.Errorf("kept %d bytes, cut %v, %q", len(end.Output), end.Cut, end.Summary())
	}
	end = Run(t.Context(), script(t, "head -c 65536 /dev/zero"), call(), nil)
	if len(end.Output) != OutputLimit || end.Cut {
		t.Errorf("at the limit: kept %d bytes, cut %v", len(end.Output), end.Cut)
	}
}

func TestTheLastWordsOfAProgramAreQuotedInOneLine(t *testing.T) {
	end := Run(t.Context(), script(t, `seq 5000 >&2; printf 'no such unit: \033[31mweb\n\n' >&2; exit 1`), call(), nil)
	if got, want := end.Summary(), "exit 1: no such unit:  [31mweb"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if len(end.Complaint) != complaintLimit {
		t.Errorf("kept %d bytes of standard error", len(end.Complaint))
	}
	long := End{Complaint: []byte(strings.Repeat("ü", 1000))}
	if got := long.Summary(); len(got) > lineLimit+20 || !strings.HasSuffix(got, "ü ...") {
		t.Errorf("got %q", got)
	}
}

func TestWhatCannotStartSaysWhetherItPasses(t *testing.T) {
	path := filepath.Join(t.TempDir(), "start")
	must(t, os.WriteFile(path, []byte("#!/no/such/shell\n"), 0o755))
	if end := Run(t.Context(), path, call(), nil); end.Ending != NotStarted || end.Err == nil || Transient(end.Err) {
		t.Errorf("a missing interpreter: got %+v", end)
	}
	late := call()
	late.Deadline = time.Now().Add(-time.Second)
	if end := Run(t.Context(), script(t, "exit 0"), late, nil); end.Ending != NotStarted || !Transient(end.Err) {
		t.Errorf("a deadline in the past: got %+v", end)
	}
	if !Transient(errors.Join(syscall.ETXTBSY)) {
		t.Error("a program that is being written is not transient")
	}
}

func TestAProcessIsToldFromALaterOneWithItsID(t *testing.T) {
	var seen Process
	end := Run(t.Context(), script(t, "read line"), call(), func(p Process) { seen = p })
	if end.Ending != Exited || seen.PID == 0 {
		t.Fatalf("got %+v of %+v", end, seen)
	}
	if got := seen.Fate(); got != Gone {
		t.Errorf("after its end it is %v, want Gone", got)
	}
	self := Identify(os.Getpid())
	if got := self.Fate(); got != Runs {
		t.Errorf("this process is %v, want Runs", got)
	}
	self.Start++
	if got := self.Fate(); got != Gone {
		t.Errorf("one with our id that started later is %v, want Gone", got)
	}
	if err := self.Kill(); err != nil { // and kills nobody
		t.Error(err)
	}
	if got := (Process{PID: 1}).Fate(); got != Unknowable {
		t.Errorf("a bare id is %v, want Unknowable", got)
	}
}

func script(t *testing.T, body string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "program")
	must(t, os.WriteFile(path, []byte("#!/bin/sh\n"+body+"\n"), 0o755))
	return path
}

func pidIn(t *testing.T, path string) int {
	t.Helper()
	text, err := os.ReadFile(path)
	must(t, err)
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	must(t, err)
	return pid
}

// awaitGone waits for the init system to reap what was killed.
func awaitGone(t *testing.T, pid int) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if _, state := look(pid); state == "" || state == "Z" {
			return
		}
	}
	t.Errorf("process %d still runs", pid)
}
