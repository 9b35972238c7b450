package archive

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"moonwatch/status"
)

// open opens the file, and tells why another one was put aside.
func open(t *testing.T, dir string) (a *Archive, known *status.Chronicle, why error) {
	t.Helper()
	a, known, aside, err := Open(dir, "demo")
	if err != nil {
		t.Fatal(err)
	}
	return a, known, aside
}

func no(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func some() status.Records {
	return status.Records{
		"cursor":                []byte(`{"schema":1,"head":7,"begun":"2026-05-04T12:00:00Z","at":"2026-05-04T12:01:00Z","mode":"normal","slots":{}}`),
		"day/2026-05-04T00:00Z": []byte(`{"known":60000}`),
	}
}

func TestWhatWasWrittenIsThereAfterARestart(t *testing.T) {
	dir := t.TempDir()
	a, known, _ := open(t, dir)
	if !known.AsOf().IsZero() {
		t.Error("a new file knows something")
	}
	no(t, a.Write(some(), nil))
	no(t, a.Write(status.Records{"day/2026-05-03T00:00Z": []byte(`{"known":1}`)}, nil))
	no(t, a.Write(status.Records{"day/2026-05-03T00:00Z": nil}, nil))
	no(t, a.Close())
	a, known, aside := open(t, dir)
	defer func() { no(t, a.Close()) }()
	if aside != nil || known.AsOf().Minute() != 1 {
		t.Errorf("as of %v, put aside: %v", known.AsOf(), aside)
	}
	p := known.Past("demo", known.AsOf(), known.AsOf(), status.Day, 3)
	if p.Cells[2].Known != 60000 || p.Cells[1].Known != 0 {
		t.Errorf("%+v", p.Cells)
	}
}

func TestAFileThatCannotBeUsedIsPutAside(t *testing.T) {
	for name, spoil := range map[string]func(t *testing.T, dir string){
		"cut":           func(t *testing.T, dir string) { no(t, os.Truncate(filepath.Join(dir, Name), 3*4096)) },
		"cut to a byte": func(t *testing.T, dir string) { no(t, os.Truncate(filepath.Join(dir, Name), 1)) },
		"garbage": func(t *testing.T, dir string) {
			no(t, os.WriteFile(filepath.Join(dir, Name), bytes.Repeat([]byte("moon"), 9000), 0o600))
		},
		"no record of ours": func(t *testing.T, dir string) {
			a, _, _ := open(t, dir)
			no(t, a.Write(status.Records{"fortnight/2026": []byte("{}")}, nil))
			no(t, a.Close())
		},
		"of another cluster": func(t *testing.T, dir string) {
			no(t, os.Remove(filepath.Join(dir, Name)))
			a, _, _, err := Open(dir, "other")
			no(t, err)
			no(t, a.Close())
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			a, _, _ := open(t, dir)
			no(t, a.Write(some(), nil))
			no(t, a.Close())
			spoil(t, dir)
			a, known, aside := open(t, dir)
			defer func() { no(t, a.Close()) }()
			if aside == nil || !strings.Contains(aside.Error(), filepath.Join(dir, Name)) {
				t.Fatalf("nothing is said: %v", aside)
			}
			if !known.AsOf().IsZero() {
				t.Error("the new one knows something")
			}
			if n := len(asides(t, dir)); n != 1 {
				t.Errorf("%d files are put aside", n)
			}
			no(t, a.Write(some(), nil))
		})
	}
}

func asides(t *testing.T, dir string) []string {
	t.Helper()
	all, err := filepath.Glob(filepath.Join(dir, Name+damagedEnd+"*"))
	no(t, err)
	return all
}

// TestTheNewestFilesThatWerePutAsideAreKept: one that is put aside takes no other's place.
func TestTheNewestFilesThatWerePutAsideAreKept(t *testing.T) {
	dir := t.TempDir()
	no(t, os.WriteFile(filepath.Join(dir, Name+damagedEnd), []byte("of a former build"), 0o600))
	for i, want := range []int{2, 2, 2} {
		no(t, os.WriteFile(filepath.Join(dir, Name), bytes.Repeat([]byte{'a' + byte(i)}, 9000), 0o600))
		a, _, aside := open(t, dir)
		if aside == nil {
			t.Fatal("nothing is said")
		}
		no(t, a.Close())
		if n := len(asides(t, dir)); n != want {
			t.Errorf("%d files after %d", n, i+1)
		}
		time.Sleep(2 * time.Millisecond) // their names tell milliseconds
	}
	for i, path := range asides(t, dir) {
		if text, err := os.ReadFile(path); err != nil || text[0] != 'b'+byte(i) {
			t.Errorf("%s is %q, %v", path, text[0], err)
		}
	}
}

// TestAFileThatCannotBeOpenedStays: it may be whole, and the reason may go away.
func TestAFileThatCannotBeOpenedStays(t *testing.T) {
	for name, spoil := range map[string]func(path string) error{
		"a folder":             func(path string) error { return os.Mkdir(path, 0o700) },
		"a mount that is gone": func(path string) error { return os.Symlink(filepath.Join(path, "gone", Name), path) },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			no(t, spoil(filepath.Join(dir, Name)))
			a, _, aside, err := Open(dir, "demo")
			if err == nil || aside != nil || a != nil {
				t.Fatalf("%v, put aside: %v", err, aside)
			}
			if _, err := os.Lstat(filepath.Join(dir, Name)); err != nil || len(asides(t, dir)) != 0 {
				t.Errorf("%v, put aside: %v", err, asides(t, dir))
			}
		})
	}
}

// TestTooFewDescriptorsDamageNothing: the file is whole, and is there when they suffice.
func TestTooFewDescriptorsDamageNothing(t *testing.T) {
	dir := t.TempDir()
	a, _, _ := open(t, dir)
	no(t, a.Write(some(), nil))
	no(t, a.Close())
	var was syscall.Rlimit
	no(t, syscall.Getrlimit(syscall.RLIMIT_NOFILE, &was))
	few := was
	few.Cur = 1
	no(t, syscall.Setrlimit(syscall.RLIMIT_NOFILE, &few))
	_, _, aside, err := Open(dir, "demo")
	no(t, syscall.Setrlimit(syscall.RLIMIT_NOFILE, &was))
	if !errors.Is(err, syscall.EMFILE) || aside != nil {
		t.Fatalf("%v, put aside: %v", err, aside)
	}
	a, known, aside := open(t, dir)
	if aside != nil || known.AsOf().IsZero() {
		t.Errorf("it knows of %v, put aside: %v", known.AsOf(), aside)
	}
	no(t, a.Close())
}

func TestAFileThatIsCutUnderARunningAgentIsAnError(t *testing.T) {
	dir := t.TempDir()
	a, _, _ := open(t, dir)
	no(t, a.Write(some(), nil))
	no(t, os.Truncate(filepath.Join(dir, Name), 4096))
	for range 2 {
		if err := a.Write(some(), nil); err == nil {
			t.Error("written into nothing")
		}
	}
	no(t, a.Close())
}

func TestASecondAgentIsRefused(t *testing.T) {
	dir := t.TempDir()
	a, _, _ := open(t, dir)
	defer a.Close()
	if _, _, _, err := Open(dir, "demo"); !errors.Is(err, ErrInUse) {
		t.Errorf("got %v", err)
	}
}

// saw is a trail of some notes, and what of it is to be written.
func saw(notes int) (*status.Trail, status.Records) {
	trail := &status.Trail{}
	for i := range notes {
		trail.Note(status.LiveFrom{At: noon.Add(time.Duration(i) * time.Second), Sees: []status.LiveSees{
			{Subject: "web-1", RTTMicros: 300, Service: i%2 == 1}, {Subject: "web-2", RTTMicros: 300},
		}})
	}
	return trail, trail.Take(0).Records()
}

// TestATrailIsThereAfterARestart beside the history, and without one.
func TestATrailIsThereAfterARestart(t *testing.T) {
	dir := t.TempDir()
	a, _, _ := open(t, dir)
	if trail, err := a.Trail(); err != nil || !trail.Since().IsZero() {
		t.Errorf("a new file has seen something since %v, %v", trail.Since(), err)
	}
	_, records := saw(6)
	no(t, a.Write(nil, records))
	no(t, a.Close())
	a, known, aside := open(t, dir)
	defer func() { no(t, a.Close()) }()
	if aside != nil || !known.AsOf().IsZero() {
		t.Errorf("it knows of %v, put aside: %v", known.AsOf(), aside)
	}
	trail, err := a.Trail()
	no(t, err)
	if x, ok := trail.At(noon.Add(3 * time.Second)); !ok || len(x.Sees) != 2 || !x.Sees[0].Service || x.Sees[1].Down() {
		t.Errorf("%v, %+v", ok, x)
	}
}

// TestATrailThatCannotBeReadBeginsAnew and is no reason to begin a new history.
func TestATrailThatCannotBeReadBeginsAnew(t *testing.T) {
	dir := t.TempDir()
	a, _, _ := open(t, dir)
	_, records := saw(6)
	no(t, a.Write(some(), records))
	no(t, a.Write(nil, status.Records{"head": []byte(`{"schema":`)}))
	no(t, a.Close())
	a, known, aside := open(t, dir)
	if aside != nil || known.AsOf().IsZero() {
		t.Errorf("the history is of %v, put aside: %v", known.AsOf(), aside)
	}
	trail, err := a.Trail()
	if err == nil || !strings.Contains(err.Error(), "record head") || !strings.Contains(err.Error(), dir) || !trail.Since().IsZero() {
		t.Errorf("since %v, %v", trail.Since(), err)
	}
	_, records = saw(3)
	no(t, a.Write(nil, records))
	no(t, a.Close())
	a, _, _ = open(t, dir)
	defer func() { no(t, a.Close()) }()
	if trail, err := a.Trail(); err != nil || !trail.Since().Equal(noon) {
		t.Errorf("the new one is of %v, %v", trail.Since(), err)
	}
}

// TestAFullDiskTakesNothingFromWhatIsKept and what it refused is written when there is room.
func TestAFullDiskTakesNothingFromWhatIsKept(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=4m"); err != nil {
		t.Skipf("mount a small file system: %v", err)
	}
	t.Cleanup(func() { no(t, syscall.Unmount(dir, syscall.MNT_DETACH)) })
	a, _, _ := open(t, dir)
	trail, records := saw(6)
	no(t, a.Write(some(), records))
	trail.Kept(true)
	ballast := filepath.Join(dir, "ballast")
	if err := os.WriteFile(ballast, make([]byte, 8<<20), 0o600); !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("filling the disk: %v", err)
	}
	for i := range 2000 {
		trail.Note(status.LiveFrom{At: noon.Add(time.Minute + time.Duration(i)*time.Second), Sees: []status.LiveSees{{Subject: "web-1", RTTMicros: 300, Uneasy: i%2 == 0}}})
	}
	if err := a.Write(nil, trail.Take(0).Records()); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("written on a full disk: %v", err)
	}
	trail.Kept(false)
	no(t, a.Close())

	a, known, aside := open(t, dir)
	before, err := a.Trail()
	no(t, err)
	if x, ok := before.At(noon.Add(5 * time.Second)); aside != nil || known.AsOf().IsZero() || !ok || !x.Sees[0].Service {
		t.Errorf("what was kept: %v, %+v; history of %v, put aside: %v", ok, x, known.AsOf(), aside)
	}
	no(t, os.Remove(ballast))
	no(t, a.Write(nil, trail.Take(0).Records()))
	trail.Kept(true)
	no(t, a.Close())
	a, _, _ = open(t, dir)
	defer func() { no(t, a.Close()) }()
	after, err := a.Trail()
	no(t, err)
	if x, ok := after.At(noon.Add(time.Minute + 1000*time.Second)); !ok || len(x.Sees) != 1 || !x.Sees[0].Uneasy {
		t.Errorf("what came when there was room: %v, %+v", ok, x)
	}
}
