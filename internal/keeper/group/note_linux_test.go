package group

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// noted is what the note of a folder says.
func noted(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// A keeper that is killed while it writes where its slots are leaves the note of before, or
// the new one: half of one would have 'keeper end' look nowhere, and find that nothing runs.
func TestTheNoteOfWhereSlotsAreIsWhole(t *testing.T) {
	dir := t.TempDir()
	note, before := filepath.Join(dir, noteFile), filepath.Join(dir, "before")
	if err := os.WriteFile(note, []byte("/sys/fs/cgroup/before\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Link(note, before); err != nil { // what is replaced stays under this name; what is written over does not
		t.Fatal(err)
	}
	if _, err := Open(dir, None); err != nil {
		t.Fatal(err)
	}
	if old, now := noted(t, before), noted(t, note); old != "/sys/fs/cgroup/before\n" || now != "none\n" {
		t.Errorf("the note of before became %q, the new one is %q", old, now)
	}
}

// A keeper that is started again where its slots are writes nothing: there may be no room.
func TestANoteThatIsRightIsLeftAlone(t *testing.T) {
	dir := t.TempDir()
	if _, err := Open(dir, None); err != nil {
		t.Fatal(err)
	}
	note, past := filepath.Join(dir, noteFile), time.Unix(1_700_000_000, 0)
	if err := os.Chtimes(note, past, past); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir, Auto); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(note); err != nil || !info.ModTime().Equal(past) {
		t.Errorf("it was written at %v, %v", info.ModTime(), err)
	}
}

// Nobody knows what runs where the note is cut off; without one, or with sessions, there are
// no parts.
func TestANoteThatIsCutOffProvesNothing(t *testing.T) {
	dir := t.TempDir()
	for text, want := range map[string]bool{"": false, "/": false, "non": false, "none\n": true} {
		if err := os.WriteFile(filepath.Join(dir, noteFile), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if parts, err := Parts(dir); len(parts) > 0 || (err == nil) != want {
			t.Errorf("%q: %v, %v", text, parts, err)
		}
	}
	if parts, err := Parts(t.TempDir()); parts != nil || err != nil {
		t.Errorf("without a note: %v, %v", parts, err)
	}
}
