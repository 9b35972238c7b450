// Package watchdog is the machine's watchdog: a device that resets the machine
// when nobody has fed it for its time-out.
package watchdog

import "time"

// Device is a watchdog that can be armed. A keeper uses it from one goroutine.
type Device interface {
	// Arm opens the device, which feeds it, sets its time-out and answers what that
	// really is: hardware counts in steps of its own. A time-out of 0 leaves it as
	// it is. Arm of an open device only sets the time-out.
	Arm(timeout time.Duration) (time.Duration, error)
	// Feed puts the reset off by the time-out.
	Feed() error
	// Disarm closes the device so that it does not reset the machine. A device
	// that cannot be disarmed is an error: the machine will be reset.
	Disarm() error
	// Close lets go of the device as a crash would: it goes on counting.
	Close() error
	// Armed reports that the device is open, and counts.
	Armed() bool
	// Name is its path.
	Name() string
}
