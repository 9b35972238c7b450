package whole

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
)

// clearing clears the folder again and again until the test calls stop.
func clearing(t *testing.T, dir string) (stop func()) {
	t.Helper()
	done := make(chan struct{})
	var cleaner sync.WaitGroup
	cleaner.Go(func() {
		for {
			select {
			case <-done:
				return
			default:
			}
			if _, err := ClearFolder(dir); err != nil {
				t.Error(err)
				return
			}
		}
	})
	return func() { close(done); cleaner.Wait() }
}

// TestWritersFinishBesideAClearer: an agent that starts clears the folder in which a
// keeper, or a command that renews a certificate, writes at that moment.
func TestWritersFinishBesideAClearer(t *testing.T) {
	dir := t.TempDir()
	stop := clearing(t, dir)
	var writers sync.WaitGroup
	for w := range 2 {
		writers.Go(func() {
			failed := 0
			for i := range 500 {
				name := filepath.Join(dir, "w"+strconv.Itoa(w))
				want := bytes.Repeat([]byte{byte(i)}, 512)
				err := ReplaceForNow(name, want, 0o600)
				if got, e := os.ReadFile(name); err == nil && (e != nil || !bytes.Equal(got, want)) {
					t.Errorf("%s: another content after a success, %v", name, e)
				}
				if err == nil {
					name = filepath.Join(dir, "c"+strconv.Itoa(w))
					err = errors.Join(Create(name, want, 0o600), os.Remove(name))
				}
				if err != nil {
					if failed++; failed == 1 {
						t.Error(err)
					}
				}
			}
			if failed > 0 {
				t.Errorf("%d of 500 writes failed", failed)
			}
		})
	}
	writers.Wait()
	stop()
	if got := names(t, dir); len(got) != 2 {
		t.Errorf("left: %v, want what was replaced", got)
	}
}
