package keeper

import (
	"errors"
	"fmt"
	"time"
)

// Timing is how long things may take, counted from the moment when the renewal
// was sent that the council granted. The fleet's profile sets it, and it
// travels with each lease: a keeper has no second opinion that could differ.
type Timing struct {
	Stop      time.Duration `json:"stop"`       // S: the stop begins; longer = more lost renewals are borne, and a later promotion
	Within    time.Duration `json:"within"`     // Ds: the stop is confirmed, or unknown; half of it is the slot's own time to end
	Watchdog  time.Duration `json:"watchdog"`   // W: the machine is reset, counted from the last feed
	RoundTrip time.Duration `json:"round_trip"` // the oldest lease that still feeds the watchdog
}

// Lan is the lease profile of one network (PROTOCOL 6), for examples and tests.
func Lan() Timing {
	return Timing{Stop: 6 * time.Second, Within: 3 * time.Second, Watchdog: 9 * time.Second, RoundTrip: time.Second}
}

// shortest is below what a machine under load can keep: processes need some
// time to end, and a look at them some to be had.
const shortest = 20 * time.Millisecond

// longest bounds what a mistaken agent could ask for: above it nobody would
// wait for the promotion.
const longest = 10 * time.Minute

// Validate lists every mistake with the value and what was wanted.
func (t Timing) Validate() error {
	var errs []error
	for _, x := range []struct {
		name  string
		value time.Duration
	}{{"stop", t.Stop}, {"within", t.Within}, {"watchdog", t.Watchdog}, {"round_trip", t.RoundTrip}} {
		if x.value < shortest || x.value > longest {
			errs = append(errs, fmt.Errorf("%s is %v, want %v to %v", x.name, x.value, shortest, longest))
		}
	}
	if t.Stop+t.Within > t.Watchdog {
		errs = append(errs, fmt.Errorf("stop + within is %v and watchdog is %v, want at most that: else the machine is reset while its slot still stops in order",
			t.Stop+t.Within, t.Watchdog))
	}
	if t.RoundTrip >= t.Stop {
		errs = append(errs, fmt.Errorf("round_trip is %v and stop is %v, want less: else a lease is over before it is known", t.RoundTrip, t.Stop))
	}
	return errors.Join(errs...)
}
