package watchdog

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// chip is a watchdog of software, behind the requests that a device answers. The
// file is an ordinary one: it keeps the bytes that were written.
type chip struct {
	flags   uint32
	seconds int
	step    int // hardware that counts in steps
	fed     int
	broken  error
}

func (c *chip) options(*os.File) (uint32, error) { return c.flags, c.broken }

func (c *chip) setTimeout(_ *os.File, seconds int) error {
	if seconds > 255 {
		return unix.EINVAL
	}
	c.seconds = max(1, c.step) * ((seconds + max(1, c.step) - 1) / max(1, c.step))
	return nil
}

func (c *chip) timeout(*os.File) (int, error) { return c.seconds, nil }
func (c *chip) keepAlive(*os.File) error      { c.fed++; return c.broken }

func newChip(t *testing.T) (*chip, *device) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "watchdog")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	c := &chip{flags: unix.WDIOF_SETTIMEOUT | unix.WDIOF_MAGICCLOSE | unix.WDIOF_KEEPALIVEPING, seconds: 60}
	return c, &device{path: path, k: c}
}

func written(t *testing.T, d *device) string {
	t.Helper()
	b, err := os.ReadFile(d.path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestADeviceIsArmedFedAndClosedForGood(t *testing.T) {
	c, d := newChip(t)
	got, err := d.Arm(9500 * time.Millisecond)
	if err != nil || got != 9*time.Second {
		t.Errorf("arm: %v, %v; want 9s, for longer is no enforcer", got, err)
	}
	if err := d.Feed(); err != nil || c.fed != 1 {
		t.Errorf("feed: %v, fed %d times", err, c.fed)
	}
	if err := d.Disarm(); err != nil || written(t, d) != "V" {
		t.Errorf("disarm: %v, wrote %q", err, written(t, d))
	}
	if err := d.Feed(); err == nil {
		t.Error("a closed device was fed")
	}
}

func TestTheTimeOutIsTheDevicesOwnAnswer(t *testing.T) {
	c, d := newChip(t)
	c.step = 8
	if got, err := d.Arm(9 * time.Second); err != nil || got != 16*time.Second {
		t.Errorf("got %v, %v; want the 16s that the hardware made of it", got, err)
	}
	d.Close()
}

func TestArmingWithoutATimeOutLeavesIt(t *testing.T) {
	_, d := newChip(t)
	if got, err := d.Arm(0); err != nil || got != time.Minute {
		t.Errorf("got %v, %v", got, err)
	}
	d.Close()
}

func TestADeviceThatDoesNotTakeTheTimeOutIsDisarmedAgain(t *testing.T) {
	c, d := newChip(t)
	if _, err := d.Arm(10 * time.Minute); err == nil || !strings.Contains(err.Error(), "set its time-out to 10m0s: invalid argument") {
		t.Errorf("got %v", err)
	}
	if written(t, d) != "V" || d.f != nil {
		t.Error("it goes on counting, with nobody to feed it")
	}
	c.flags &^= unix.WDIOF_SETTIMEOUT
	if _, err := d.Arm(time.Second); err == nil || !strings.Contains(err.Error(), "cannot be set") {
		t.Errorf("got %v", err)
	}
}

func TestADeviceWithoutMagicCloseStaysOpenToBeFed(t *testing.T) {
	c, d := newChip(t)
	c.flags &^= unix.WDIOF_MAGICCLOSE
	if _, err := d.Arm(9 * time.Second); err != nil {
		t.Fatal(err)
	}
	if err := d.Disarm(); err == nil || !strings.Contains(err.Error(), "nowayout") {
		t.Errorf("got %v", err)
	}
	if err := d.Feed(); err != nil {
		t.Errorf("it cannot be fed any more: %v", err)
	}
	d.Close()
	if written(t, d) != "" {
		t.Error("something was written")
	}
}

func TestACrashWritesNoMagic(t *testing.T) {
	_, d := newChip(t)
	if _, err := d.Arm(9 * time.Second); err != nil {
		t.Fatal(err)
	}
	if err := d.Close(); err != nil || written(t, d) != "" {
		t.Errorf("%v, wrote %q", err, written(t, d))
	}
}

func TestABrokenDeviceSaysSo(t *testing.T) {
	c, d := newChip(t)
	if _, err := d.Arm(9 * time.Second); err != nil {
		t.Fatal(err)
	}
	c.broken = unix.EIO
	if err := errors.Join(d.Feed()); !errors.Is(err, unix.EIO) {
		t.Errorf("got %v", err)
	}
	if err := d.Disarm(); !errors.Is(err, unix.EIO) {
		t.Errorf("got %v", err)
	}
	d.Close()
}

func TestWhatIsNoDeviceIsRefused(t *testing.T) {
	if _, err := Open(filepath.Join(t.TempDir(), "none")); err == nil {
		t.Error("a device that is not there")
	}
	plain := filepath.Join(t.TempDir(), "plain")
	if err := os.WriteFile(plain, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(plain); err == nil || !strings.Contains(err.Error(), "no character device") {
		t.Errorf("got %v", err)
	}
	// A device that is none of this kind answers the first question wrongly.
	d, err := Open("/dev/null")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.Arm(9 * time.Second); err == nil || !strings.Contains(err.Error(), "ask what it can") {
		t.Errorf("got %v", err)
	}
	d.Close()
}
