package watchdog

import (
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// magic is what the device wants to read before it is closed for good.
const magic = "V"

// kernel asks a device that is open. Tests put a fake in its place.
type kernel interface {
	options(f *os.File) (uint32, error) // the WDIOF_ flags
	setTimeout(f *os.File, seconds int) error
	timeout(f *os.File) (seconds int, err error)
	keepAlive(f *os.File) error
}

type device struct {
	path string
	k    kernel
	f    *os.File
}

// Open names a device, such as /dev/watchdog, and looks whether it is there. It
// opens nothing: to open it is to arm it.
func Open(path string) (Device, error) {
	st, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("watchdog: %w", err)
	}
	if st.Mode()&os.ModeCharDevice == 0 {
		return nil, fmt.Errorf("watchdog %s: it is no character device; where there is no hardware, modprobe softdog makes one", path)
	}
	return &device{path: path, k: linux{}}, nil
}

func (d *device) Name() string { return d.path }
func (d *device) Armed() bool  { return d.f != nil }

func (d *device) Arm(timeout time.Duration) (time.Duration, error) {
	if d.f == nil {
		f, err := os.OpenFile(d.path, os.O_WRONLY, 0)
		if errors.Is(err, unix.EBUSY) {
			err = fmt.Errorf("%w: another program has it; systemd's RuntimeWatchdogSec= is one", err)
		}
		if err != nil {
			return 0, fmt.Errorf("arm watchdog: %w", err)
		}
		d.f = f
	}
	got, err := d.set(timeout)
	if err != nil {
		// Nothing runs on the strength of it yet, so it need not stay armed.
		return 0, errors.Join(fmt.Errorf("arm watchdog %s: %w", d.path, err), d.Disarm())
	}
	return got, nil
}

// set sets and reads back: drivers round, and some say so only when asked.
func (d *device) set(timeout time.Duration) (time.Duration, error) {
	options, err := d.k.options(d.f)
	if err != nil {
		return 0, err
	}
	if timeout > 0 {
		if options&unix.WDIOF_SETTIMEOUT == 0 {
			return 0, errors.New("its time-out cannot be set")
		}
		if err := d.k.setTimeout(d.f, int(timeout/time.Second)); err != nil {
			return 0, fmt.Errorf("set its time-out to %v: %w", timeout.Truncate(time.Second), err)
		}
	}
	got, err := d.k.timeout(d.f)
	if err != nil {
		return 0, fmt.Errorf("read its time-out: %w", err)
	}
	return time.Duration(got) * time.Second, nil
}

func (d *device) Feed() error {
	if d.f == nil {
		return fmt.Errorf("feed watchdog %s: it is not armed", d.path)
	}
	if err := d.k.keepAlive(d.f); err != nil {
		return fmt.Errorf("feed watchdog %s: %w", d.path, err)
	}
	return nil
}

func (d *device) Disarm() error {
	if d.f == nil {
		return nil
	}
	options, err := d.k.options(d.f)
	if err != nil {
		return fmt.Errorf("disarm watchdog %s: %w", d.path, err)
	}
	if options&unix.WDIOF_MAGICCLOSE == 0 {
		// Closing it would leave it counting for ever, with nobody to feed it.
		return fmt.Errorf("disarm watchdog %s: it knows no magic close (nowayout): it has to be fed until the machine goes down", d.path)
	}
	_, err = d.f.WriteString(magic)
	err = errors.Join(err, d.f.Close())
	d.f = nil
	if err != nil {
		return fmt.Errorf("disarm watchdog %s: %w", d.path, err)
	}
	return nil
}

func (d *device) Close() error {
	if d.f == nil {
		return nil
	}
	err := d.f.Close()
	d.f = nil
	return err
}

// linux is the real kernel.
type linux struct{}

func (linux) options(f *os.File) (uint32, error) {
	var got *unix.WatchdogInfo
	err := control(f, func(fd int) (err error) { got, err = unix.IoctlGetWatchdogInfo(fd); return err })
	if err != nil {
		return 0, fmt.Errorf("ask what it can: %w", err)
	}
	return got.Options, nil
}

func (linux) setTimeout(f *os.File, seconds int) error {
	return control(f, func(fd int) error { return unix.IoctlSetPointerInt(fd, unix.WDIOC_SETTIMEOUT, seconds) })
}

func (linux) timeout(f *os.File) (int, error) {
	var got uint32
	err := control(f, func(fd int) (err error) { got, err = unix.IoctlGetUint32(fd, unix.WDIOC_GETTIMEOUT); return err })
	return int(got), err
}

func (linux) keepAlive(f *os.File) error { return control(f, unix.IoctlWatchdogKeepalive) }

func control(f *os.File, do func(fd int) error) error {
	raw, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	err = raw.Control(func(fd uintptr) { failed = do(int(fd)) })
	return errors.Join(err, failed)
}
