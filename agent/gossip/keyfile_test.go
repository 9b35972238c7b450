package gossip

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"moonwatch/internal/whole"
)

func TestAKeyFileComesBackAndIsNeverOverwritten(t *testing.T) {
	path := filepath.Join(t.TempDir(), "gossip.key")
	key, err := WriteKey(path)
	if err != nil {
		t.Fatal(err)
	}
	if keys, err := LoadKeys(path); err != nil || len(keys) != 1 || !bytes.Equal(keys[0], key) {
		t.Errorf("keys %x, %v", keys, err)
	}
	if _, err := WriteKey(path); !errors.Is(err, fs.ErrExist) {
		t.Errorf("second write: %v", err)
	}
	if err := replaceKeys(path, [][]byte{testKey, otherKey}); err != nil {
		t.Fatal(err)
	}
	if keys, err := LoadKeys(path); err != nil || len(keys) != 2 || !bytes.Equal(keys[0], testKey) {
		t.Errorf("keys %x, %v", keys, err)
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(path), "*"+whole.End)); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestAKeyFileThatOthersReadIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "gossip.key")
	if _, err := WriteKey(path); err != nil {
		t.Fatal(err)
	}
	for mode, fine := range map[fs.FileMode]bool{0o600: true, 0o640: true, 0o400: true, 0o644: false, 0o660: false} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		_, err := LoadKeys(path)
		if fine != (err == nil) || !fine && !strings.Contains(err.Error(), "want 0600") {
			t.Errorf("%04o: %v", mode, err)
		}
	}
}

func TestAMissingKeyFileIsNamed(t *testing.T) {
	if _, err := LoadKeys("/nowhere/gossip.key"); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "/nowhere/gossip.key") {
		t.Errorf("error is %v", err)
	}
	if _, err := WriteKey("/nowhere/gossip.key"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("error is %v", err)
	}
}

func TestKeyFileMistakesNameTheLineAndNotTheKey(t *testing.T) {
	for _, tt := range []struct{ text, want string }{
		{"", "no key in it"},
		{"# only a comment\n\n", "no key in it"},
		{"# head\nc2VjcmV0\n", "line 2 holds 6 bytes, want a key of 32"},
		{"not base64!\n", "line 1 is not base64"},
	} {
		_, err := parseKeys(tt.text)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%q: %v", tt.text, err)
		}
		if err != nil && (strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), "not base64!")) {
			t.Errorf("the error shows what is in the file: %v", err)
		}
	}
}

// Whoever was killed while it made a cluster leaves no half of a key: it would be kept, for
// a key file is never overwritten.
func TestAKeyFileIsWholeAsSoonAsItIsThere(t *testing.T) {
	dir := t.TempDir()
	for i := range 50 {
		path := filepath.Join(dir, fmt.Sprintf("gossip-%d.key", i))
		var failed error
		over := make(chan struct{})
		go func() {
			defer close(over)
			_, failed = WriteKey(path)
		}()
		for there := false; !there; {
			_, err := os.Lstat(path)
			there = err == nil
			select {
			case <-over:
				there = true
			default:
			}
		}
		if _, err := LoadKeys(path); err != nil {
			t.Error("as soon as it is there:", err)
		}
		if <-over; failed != nil {
			t.Fatal(failed)
		}
	}
}
