package boottime

import (
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// Now is the time since the machine was booted. It cannot fail on Linux 2.6.39
// and newer.
func Now() time.Duration {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts); err != nil {
		panic(fmt.Sprintf("boottime: CLOCK_BOOTTIME: %v", err))
	}
	return time.Duration(ts.Nano())
}

// Timer says when a time of this clock has come; also at once when the machine
// wakes and it came meanwhile, which a time.Timer does not.
type Timer struct {
	C    <-chan struct{}
	file *os.File
	done chan struct{}
}

// NewTimer makes a timer that is not set.
func NewTimer() (*Timer, error) {
	fd, err := unix.TimerfdCreate(unix.CLOCK_BOOTTIME, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("make timer: %w", err)
	}
	c := make(chan struct{}, 1)
	t := &Timer{C: c, file: os.NewFile(uintptr(fd), "timer"), done: make(chan struct{})}
	go t.wait(c)
	return t, nil
}

// wait passes expirations on. One that nobody has taken yet stands for all.
func (t *Timer) wait(c chan<- struct{}) {
	defer close(t.done)
	var count [8]byte
	for {
		if _, err := t.file.Read(count[:]); err != nil {
			return // closed
		}
		select {
		case c <- struct{}{}:
		default:
		}
	}
}

// Set lets the timer go off at a time, and then never again; one that has passed
// is now. Forever stops it.
func (t *Timer) Set(at time.Duration) error {
	var spec unix.ItimerSpec
	if at != Forever {
		spec.Value = unix.NsecToTimespec(int64(max(at, 1))) // all zero would stop it
	}
	raw, err := t.file.SyscallConn()
	if err != nil {
		return fmt.Errorf("set timer: %w", err)
	}
	var failed error
	err = raw.Control(func(fd uintptr) {
		failed = unix.TimerfdSettime(int(fd), unix.TFD_TIMER_ABSTIME, &spec, nil)
	})
	if err := errors.Join(err, failed); err != nil {
		return fmt.Errorf("set timer: %w", err)
	}
	return nil
}

// Close ends the timer.
func (t *Timer) Close() error {
	err := t.file.Close()
	<-t.done
	return err
}
