package whole

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

func content(t *testing.T, path string) (string, fs.FileMode) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b), info.Mode().Perm()
}

func TestAFileIsReplacedWithItsMode(t *testing.T) {
	for name, put := range map[string]func(string, []byte, fs.FileMode) error{"to last": Replace, "for now": ReplaceForNow} {
		path := filepath.Join(t.TempDir(), "f")
		for _, want := range []struct {
			text string
			mode fs.FileMode
		}{{"first", 0o600}, {"a second, longer one", 0o666}, {"3", 0o640}} {
			if err := put(path, []byte(want.text), want.mode); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if text, mode := content(t, path); text != want.text || mode != want.mode {
				t.Errorf("%s: %q with mode %o, want %q with %o", name, text, mode, want.text, want.mode)
			}
			if left, _ := filepath.Glob(path + "*" + End); len(left) > 0 {
				t.Errorf("%s: %v are there still", name, left)
			}
		}
	}
}

// TestWritersDoNotDisturbEachOther: the file is some writer's, whole.
func TestWritersDoNotDisturbEachOther(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	var all sync.WaitGroup
	for _, text := range []string{"a", "bb", "ccc", "dddd"} {
		all.Go(func() {
			for range 20 {
				if err := ReplaceForNow(path, bytes.Repeat([]byte(text), 4096), 0o600); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	if text, _ := content(t, path); len(text)%4096 != 0 || strings.Trim(text, text[:1]) != "" {
		t.Errorf("%d bytes of several writers", len(text))
	}
}

func TestWhatCannotBeReplacedIsAsItWas(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "f")
	if err := os.MkdirAll(filepath.Join(path, "in"), 0o700); err != nil { // no file takes a folder's place
		t.Fatal(err)
	}
	if err := Replace(path, []byte("x"), 0o600); err == nil {
		t.Error("a folder was replaced")
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 1 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	if err := Replace(filepath.Join(dir, "none", "f"), []byte("x"), 0o600); err == nil {
		t.Error("written into a folder that is not there")
	}
}
