package keeper

import (
	"fmt"
	"time"
)

// dog is what the keeper knows of the machine's watchdog. It is armed before the
// first lease is taken and disarmed when nothing runs that it would have to end:
// an idle keeper resets no machine.
type dog struct {
	present bool
	armed   bool
	swept   bool // what a killed keeper left armed was armed anew, or disarmed
	sweeps  bool // the Arm under way is for that
	timeout time.Duration
	waiting []Handed // leases that wait for Armed
}

// backs says whether the watchdog stands behind a lease. To open the device is
// to feed it, so a lease that is older than a round trip has to wait for the next.
func (d *dog) backs(now time.Duration, ev Handed) (why string, wait bool) {
	t := ev.Lease.Timing
	switch age := now - ev.Lease.Sent; {
	case !d.present:
		return "", false
	case d.armed:
		return d.fits(t), false
	case age > t.RoundTrip:
		return fmt.Sprintf("sent %v ago, want at most %v to arm the watchdog", age.Round(time.Millisecond), t.RoundTrip), false
	default:
		d.waiting = append(d.waiting, ev)
		return "", true
	}
}

// fits compares the device's own time-out with what a lease wants: shorter, it
// would reset a machine whose slot still stops; longer, the council would promote
// before it.
func (d *dog) fits(t Timing) string {
	if d.timeout < t.Stop+t.Within || d.timeout > t.Watchdog {
		return fmt.Sprintf("the watchdog's time-out is %v, want %v to %v", d.timeout, t.Stop+t.Within, t.Watchdog)
	}
	return ""
}

func (k *Keeper) armed(now time.Duration, ev Armed, out []Effect) []Effect {
	d := &k.dog
	waiting := d.waiting
	d.waiting, d.sweeps = nil, false
	d.armed, d.timeout, d.swept = ev.Err == "", ev.Timeout, true
	for _, h := range waiting {
		why := ev.Err
		if why == "" {
			why = d.fits(h.Lease.Timing)
		}
		if why == "" {
			why = k.refusal(now, h.Lease) // time has passed
		}
		if why != "" {
			out = append(out, k.refuse(now, h.Ask, h.Lease.Slot, why))
			continue
		}
		out = k.take(now, h, out)
	}
	return out
}

// rest gives the watchdog its rest while nothing runs. A keeper that was killed
// may have left it armed: opening it feeds it, so that waits until every slot
// has been seen to be empty.
func (k *Keeper) rest(out []Effect) []Effect {
	d := &k.dog
	if !d.present || len(d.waiting) > 0 {
		return out
	}
	for _, w := range k.slots {
		if w.state != Vacant || !w.seen || w.running > 0 {
			return out
		}
	}
	switch {
	case d.armed:
		d.armed = false
		return append(out, Disarm{})
	case !d.swept && !d.sweeps:
		d.sweeps = true
		return append(out, Arm{})
	}
	return out
}
