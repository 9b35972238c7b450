//go:build !linux

package boottime

import (
	"errors"
	"time"
)

var started = time.Now()

// Now is the time since this process was started: only Linux has the clock, and
// only there are exclusive slots.
func Now() time.Duration { return time.Since(started) }

// Timer is of Linux alone.
type Timer struct{ C <-chan struct{} }

// NewTimer fails.
func NewTimer() (*Timer, error) { return nil, errors.New("make timer: CLOCK_BOOTTIME needs Linux") }

// Set fails.
func (*Timer) Set(time.Duration) error { return errors.New("set timer: needs Linux") }

// Close does nothing.
func (*Timer) Close() error { return nil }
