//go:build real

package report

import (
	"errors"
	"path/filepath"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

func TestARealDiskThatIsFullHoldsNothingHalfWritten(t *testing.T) {
	above := t.TempDir()
	if err := unix.Mount("tmpfs", above, "tmpfs", 0, "size=128k"); err != nil {
		t.Skipf("needs the right to mount: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(above, 0); err != nil {
			t.Error(err)
		}
	})
	if err := Write(filepath.Join(above, "out"), broken(60)); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("%v, want a full disk", err)
	}
	alone(t, above)
}
