package whole

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func names(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	all := make([]string, len(entries))
	for i, e := range entries {
		all[i] = e.Name()
	}
	return all
}

// died leaves what a writer of path that dies before its end leaves.
func died(t *testing.T, path string) {
	t.Helper()
	f, err := write(path, []byte("a key, perhaps"), 0o600, (*os.File).Sync)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil { // as the kernel does
		t.Fatal(err)
	}
}

func TestWhatWritersLeftIsClearedAway(t *testing.T) {
	dir := t.TempDir()
	mine, other := filepath.Join(dir, "keys"), filepath.Join(dir, "keys.old")
	for range 3 {
		died(t, mine)
		died(t, other)
	}
	people := []string{"keys.new", "keys.x.new", ".1.new", "keys.1", "keys.1.newer", "keys..new"}
	for _, name := range people {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "keys.7.new"), 0o700); err != nil {
		t.Fatal(err)
	}
	if cleared, err := Clear(mine); err != nil || len(cleared) != 3 {
		t.Errorf("cleared %v, %v, want the three of %s", cleared, err, mine)
	}
	if got := names(t, dir); len(got) != 3+len(people)+1 {
		t.Errorf("left: %v, want those of the other file, and people's", got)
	}
	if cleared, err := ClearFolder(dir); err != nil || len(cleared) != 3 {
		t.Errorf("cleared %v, %v, want the other three", cleared, err)
	}
	want := append(slices.Clone(people), "keys.7.new")
	slices.Sort(want)
	if got := names(t, dir); !slices.Equal(got, want) {
		t.Errorf("left: %v, want %v", got, want)
	}
	if cleared, err := ClearFolder(filepath.Join(dir, "none")); err != nil || len(cleared) > 0 {
		t.Errorf("of no folder: %v, %v", cleared, err)
	}
}

func TestWhatIsBeingWrittenIsNotClearedAway(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	var met []string
	err := replace(path, []byte("x"), 0o600, func(*os.File) error {
		met = names(t, filepath.Dir(path))
		cleared, err := ClearFolder(filepath.Dir(path))
		if len(cleared) > 0 {
			t.Errorf("cleared away under a writer: %v", cleared)
		}
		return err
	})
	if text, _ := content(t, path); err != nil || text != "x" || len(met) != 1 {
		t.Errorf("%q beside %v, %v", text, met, err)
	}
}

func TestAFileIsCreatedOnceAndWhole(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	if err := Create(path, []byte("first"), 0o640); err != nil {
		t.Fatal(err)
	}
	if err := Create(path, []byte("second"), 0o600); !errors.Is(err, fs.ErrExist) {
		t.Errorf("a second time: %v, want that it is there", err)
	}
	if text, mode := content(t, path); text != "first" || mode != 0o640 {
		t.Errorf("%q with mode %o", text, mode)
	}
	if got := names(t, filepath.Dir(path)); len(got) != 1 {
		t.Errorf("left: %v", got)
	}
}

// TestWhatIsCreatedStandsWithoutError: a clearer beside it, and a second name that cannot
// be removed (it is gone), take nothing from a file that has its name.
func TestWhatIsCreatedStandsWithoutError(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	err := create(path, []byte("x"), 0o600, func(from, to string) error {
		if cleared, err := ClearFolder(filepath.Dir(to)); err != nil || len(cleared) > 0 {
			t.Errorf("cleared away before the link: %v, %v", cleared, err)
		}
		return errors.Join(os.Link(from, to), os.Remove(from))
	})
	if text, _ := content(t, path); err != nil || text != "x" {
		t.Errorf("%q, %v", text, err)
	}
}
