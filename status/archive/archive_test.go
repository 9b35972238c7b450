package archive

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

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
	no(t, a.Write(some()))
	no(t, a.Write(status.Records{"day/2026-05-03T00:00Z": []byte(`{"known":1}`)}))
	no(t, a.Write(status.Records{"day/2026-05-03T00:00Z": nil}))
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
			no(t, a.Write(status.Records{"fortnight/2026": []byte("{}")}))
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
			no(t, a.Write(some()))
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
			if _, err := os.Stat(filepath.Join(dir, Name+damagedEnd)); err != nil {
				t.Error(err)
			}
			no(t, a.Write(some()))
		})
	}
}

func TestAFileThatIsCutUnderARunningAgentIsAnError(t *testing.T) {
	dir := t.TempDir()
	a, _, _ := open(t, dir)
	no(t, a.Write(some()))
	no(t, os.Truncate(filepath.Join(dir, Name), 4096))
	for range 2 {
		if err := a.Write(some()); err == nil {
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
