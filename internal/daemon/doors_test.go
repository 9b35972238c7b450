package daemon

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"testing"
)

// A killed agent's socket gives way. Whatever else has that name was named by mistake.
func TestOnlyASocketGivesWayToASocket(t *testing.T) {
	dir := t.TempDir()
	left := filepath.Join(dir, "agent.sock")
	l, err := net.Listen("unix", left)
	if err != nil {
		t.Fatal(err)
	}
	if err := freeSocket(t.Context(), left); err == nil {
		t.Error("a socket at which somebody answers was taken away")
	}
	l.(*net.UnixListener).SetUnlinkOnClose(false) // as after kill -9
	l.Close()
	if err := freeSocket(t.Context(), left); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(left); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("what a killed agent left is still there: %v", err)
	}
	key := filepath.Join(dir, "ca.key")
	if err := os.WriteFile(key, []byte("a secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := freeSocket(t.Context(), key); err == nil {
		t.Error("a file was taken for a socket")
	}
	if b, err := os.ReadFile(key); string(b) != "a secret" {
		t.Errorf("it holds %q, %v", b, err)
	}
}
