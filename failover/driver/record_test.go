package driver

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"moonwatch/internal/whole"
	"moonwatch/member"
)

func TestAHalfWrittenFileLeavesTheOneBefore(t *testing.T) {
	w := newWorld(t)
	w.install("web-start", w.mark())
	w.exec().Apply(t.Context(), request())
	must(t, os.WriteFile(filepath.Join(w.records, "web-0"+fileEnd+whole.End), []byte(heading+" 12"), 0o600))
	w.restart()
	if result := w.exec().Apply(t.Context(), request()); result.Outcome != Done {
		t.Errorf("got %v (%s)", result.Outcome, result.Detail)
	}
	w.wantRuns(1)
	if left, _ := filepath.Glob(filepath.Join(w.records, "*"+whole.End)); len(left) != 0 {
		t.Errorf("%v is left", left)
	}
}

func TestADamagedJournalIsARefusalToStartThatNamesTheFileAndTheWayBack(t *testing.T) {
	w := newWorld(t)
	w.install("web-start", "exit 0")
	w.exec().Apply(t.Context(), request())
	path := filepath.Join(w.records, "web-0.steps")
	whole, err := os.ReadFile(path)
	must(t, err)

	for length := range whole {
		wantDamaged(t, w.records, path, whole[:length])
	}
	for i := range whole {
		flipped := append([]byte(nil), whole...)
		flipped[i] ^= 1 << (i % 8)
		wantDamaged(t, w.records, path, flipped)
	}
	must(t, os.WriteFile(path, whole, 0o600))
	must(t, os.Rename(path, filepath.Join(w.records, "web-1.steps")))
	if _, err := OpenJournal(w.records, nil); err == nil || !strings.Contains(err.Error(), "holds the steps of slot web-0") {
		t.Errorf("a file of another slot: %v", err)
	}
}

func wantDamaged(t *testing.T, dir, path string, content []byte) {
	t.Helper()
	must(t, os.WriteFile(path, content, 0o600))
	_, err := OpenJournal(dir, nil)
	if err == nil || !strings.Contains(err.Error(), path+": damaged") || !strings.Contains(err.Error(), "move the file away") {
		t.Fatalf("%q: got %v", content, err)
	}
}

func TestAllDamagedFilesAreNamedAtOnce(t *testing.T) {
	w := newWorld(t)
	for _, name := range []string{"a.steps", "b.steps"} {
		must(t, os.WriteFile(filepath.Join(w.records, name), []byte("?"), 0o600))
	}
	if _, err := OpenJournal(w.records, nil); err == nil || !strings.Contains(err.Error(), "a.steps") || !strings.Contains(err.Error(), "b.steps") {
		t.Errorf("got %v", err)
	}
}

func TestAFolderThatCannotBeIsARefusalToStart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "steps")
	must(t, os.WriteFile(path, nil, 0o600))
	if _, err := OpenJournal(path, nil); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("got %v", err)
	}
}

func TestWithoutRoomForItsRecordAStepIsNotRun(t *testing.T) {
	w := newWorld(t)
	w.install("web-start", w.mark())
	save := w.journal.save
	w.journal.save = func(string, []byte) error { return syscall.ENOSPC }
	result := w.exec().Apply(t.Context(), request())
	if result.Outcome != Retryable || !strings.Contains(result.Detail, "not run: record step: no space left on device") {
		t.Errorf("got %v (%s)", result.Outcome, result.Detail)
	}
	if err := w.journal.Raise("web-0", 99); !errors.Is(err, syscall.ENOSPC) || w.journal.Highest("web-0") != 0 {
		t.Errorf("raise: got %v, highest %d", err, w.journal.Highest("web-0"))
	}
	w.wantRuns(0)
	w.journal.save = save
	if result := w.exec().Apply(t.Context(), request()); result.Outcome != Done {
		t.Errorf("with room again: got %v (%s)", result.Outcome, result.Detail)
	}
	w.wantRuns(1)
}

func TestAStepThatCouldNotBeginDoesNotTakeTheSlot(t *testing.T) {
	w := newWorld(t)
	w.install("web-start", w.mark())
	crashed := request()
	crashed.Case, crashed.Deadline = "C-11", time.Now()
	if _, run := w.journal.begin(crashed, time.Now()); !run {
		t.Fatal("did not begin")
	}
	w.restart()
	save := w.journal.save
	w.journal.save = func(string, []byte) error { return syscall.ENOSPC }
	if result := w.exec().Apply(t.Context(), request()); result.Outcome != Retryable {
		t.Errorf("got %v (%s)", result.Outcome, result.Detail)
	}
	w.journal.save = save
	if result := w.exec().Apply(t.Context(), request()); result.Outcome != Done {
		t.Errorf("with room again: got %v (%s)", result.Outcome, result.Detail)
	}
}

func TestAResultThatCannotBeRecordedIsTrueInThisLifeAndUnknownInTheNext(t *testing.T) {
	w := newWorld(t)
	w.install("web-start", w.mark())
	save, writes := w.journal.save, 0
	w.journal.save = func(path string, content []byte) error {
		if writes++; writes > 1 {
			return syscall.ENOSPC
		}
		return save(path, content)
	}
	result := w.exec().Apply(t.Context(), request())
	if result.Outcome != Done || !strings.Contains(result.Detail, "not remembered beyond a restart: record step: no space") {
		t.Errorf("got %v (%s)", result.Outcome, result.Detail)
	}
	if result := w.exec().Apply(t.Context(), request()); result.Outcome != Done {
		t.Errorf("in this life: got %v (%s)", result.Outcome, result.Detail)
	}
	w.restart()
	late := request()
	if result := w.journal.observe(late, late.Deadline.Add(time.Minute)); result.Outcome != Unknown {
		t.Errorf("in the next life: got %v (%s)", result.Outcome, result.Detail)
	}
	w.wantRuns(1)
}

func TestARealFullFolderLosesNothing(t *testing.T) {
	w := newWorld(t)
	if err := syscall.Mount("tmpfs", w.records, "tmpfs", 0, "size=32k"); err != nil {
		t.Skipf("mount a small file system: %v", err)
	}
	t.Cleanup(func() { must(t, syscall.Unmount(w.records, syscall.MNT_DETACH)) })
	w.install("web-start", w.mark())
	if result := w.exec().Apply(t.Context(), request()); result.Outcome != Done {
		t.Fatalf("got %v (%s)", result.Outcome, result.Detail)
	}
	ballast := filepath.Join(w.records, "ballast")
	if err := os.WriteFile(ballast, make([]byte, 64<<10), 0o600); !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("filling the folder: %v", err)
	}
	next := request()
	next.Attempt++
	result := w.exec().Apply(t.Context(), next)
	if result.Outcome != Retryable || !strings.Contains(result.Detail, "no space left on device") {
		t.Errorf("got %v (%s)", result.Outcome, result.Detail)
	}
	w.restart()
	if result := w.exec().Observe(t.Context(), request()); result.Outcome != Done {
		t.Errorf("the step before: got %v (%s)", result.Outcome, result.Detail)
	}
	must(t, os.Remove(ballast))
	if result := w.exec().Apply(t.Context(), next); result.Outcome != Done {
		t.Errorf("with room again: got %v (%s)", result.Outcome, result.Detail)
	}
	w.wantRuns(2)
}

func TestASlotsFileStaysSmallAndInItsFolder(t *testing.T) {
	w := newWorld(t)
	slots := []member.SlotID{"../../etc/passwd", ".", "web 0/ü", "web-0"}
	for _, slot := range slots {
		for attempt := range 3 * remembered {
			req := request()
			req.Slot, req.Attempt = slot, attempt
			if _, run := w.journal.begin(req, time.Now()); !run {
				t.Fatalf("%s did not begin", req)
			}
			w.journal.finish(req, Result{Outcome: Permanent, Detail: strings.Repeat("x", 300)})
		}
	}
	files, err := filepath.Glob(filepath.Join(w.records, "*"+fileEnd))
	must(t, err)
	if len(files) != len(slots) {
		t.Errorf("files %q, want one for each of %q", files, slots)
	}
	for _, file := range files {
		info, err := os.Stat(file)
		must(t, err)
		if info.Size() > 16<<10 {
			t.Errorf("%s has %d bytes", file, info.Size())
		}
	}
	w.restart()
	for _, slot := range slots {
		if got := w.journal.Highest(slot); got != 42 {
			t.Errorf("slot %s: highest %d, want 42", slot, got)
		}
	}
}
