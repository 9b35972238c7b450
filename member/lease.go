package member

import (
	"errors"
	"fmt"
	"time"
)

// LeaseTerms are the times of the lease under which the occupant of an
// exclusive slot runs it (PROTOCOL 6). The occupant counts from the moment when
// it sent the renewal that was granted, the council from the moment when it
// sent the grant, each on its own clock. The zero value stands for the terms of the
// fleet's profile.
type LeaseTerms struct {
	Length    time.Duration `json:"length"`     // L: longer = the slot survives longer without a council, and is given away later
	Renew     time.Duration `json:"renew"`      // r: shorter = more lost renewals are borne, and more datagrams
	Stop      time.Duration `json:"stop"`       // S: the enforcer begins to stop the slot
	Within    time.Duration `json:"within"`     // Ds: so long a stop may take before it is unknown
	Watchdog  time.Duration `json:"watchdog"`   // W: what was not seen to stop is reset by now
	RoundTrip time.Duration `json:"round_trip"` // RTT: of a renewal and its grant
}

// ClockDrift is d, the error of a clock's rate that the protocol bears: 1 %, ten
// times what the clocks of virtual machines were seen to do.
const ClockDrift = 0.01

// LeaseLan is for one network: a slot is served again within 15 s, and the
// council may be without a leader for 4 s before the slots stop.
func LeaseLan() LeaseTerms {
	return LeaseTerms{
		Length: 11 * time.Second, Renew: time.Second, Stop: 6 * time.Second,
		Within: 3 * time.Second, Watchdog: 9 * time.Second, RoundTrip: time.Second,
	}
}

// LeaseCalm is for services that need 5 s to stop in order, and for networks
// with long round trips: served again within 24 s.
func LeaseCalm() LeaseTerms {
	return LeaseTerms{
		Length: 20 * time.Second, Renew: 3 * time.Second, Stop: 9 * time.Second,
		Within: 5 * time.Second, Watchdog: 15 * time.Second, RoundTrip: 2 * time.Second,
	}
}

// LeaseWAN is for councils whose elections take three times as long: served again
// within 65 s.
func LeaseWAN() LeaseTerms {
	return LeaseTerms{
		Length: 60 * time.Second, Renew: 6 * time.Second, Stop: 25 * time.Second,
		Within: 15 * time.Second, Watchdog: 45 * time.Second, RoundTrip: 5 * time.Second,
	}
}

// LeaseProfile finds the terms of a name; the empty name is lan.
func LeaseProfile(name string) (LeaseTerms, bool) {
	switch name {
	case "", "lan":
		return LeaseLan(), true
	case "calm":
		return LeaseCalm(), true
	case "wan":
		return LeaseWAN(), true
	default:
		return LeaseTerms{}, false
	}
}

// Leases are the terms of a fleet's leases.
func (f *Fleet) Leases() LeaseTerms {
	if f == nil {
		return LeaseLan()
	}
	if f.Lease == (LeaseTerms{}) {
		t, _ := LeaseProfile(f.LeaseName())
		return t
	}
	return f.Lease
}

// LeaseName is the name of the terms that go with the fleet's profile. A fleet.yaml that
// names none gets them written out: a build that does not know the profile grants, and
// waits, by the same.
func (f *Fleet) LeaseName() string {
	switch f.Profile {
	case ProfileCloud:
		return "calm"
	case ProfileWAN:
		return "wan"
	default:
		return "lan"
	}
}

// Exclusive reports whether any pool has exclusive slots.
func (f *Fleet) Exclusive() bool {
	if f == nil {
		return false
	}
	for _, p := range f.Pools {
		if p.Exclusive {
			return true
		}
	}
	return false
}

// Slower is how long to wait here until d has surely passed elsewhere: the clock
// here may be fast.
func Slower(d time.Duration) time.Duration { return d + time.Duration(float64(d)*ClockDrift) }

// Faster is how little of d may have passed elsewhere when d has passed here.
func Faster(d time.Duration) time.Duration { return d - time.Duration(float64(d)*ClockDrift) }

// Promote is how long after its last grant the council may give the slot away:
// L(1+d).
func (t LeaseTerms) Promote() time.Duration { return Slower(t.Length) }

// Leaderless is for how long the council may have no leader before occupants
// stop: what is left of S when one renewal has just been missed and the next one
// needs its round trip.
func (t LeaseTerms) Leaderless() time.Duration { return t.Stop - t.Renew - t.RoundTrip }

// Elects is how long 99.9 % of the elections of a council of n take at most
// (PROTOCOL 6): with two voters left votes are split more often than with four. In wan
// raft's ticks are three times as long.
func (f *Fleet) Elects(n int) time.Duration {
	d := 3600 * time.Millisecond
	if n >= 5 {
		d = 1900 * time.Millisecond
	}
	if f.Profile == ProfileWAN {
		d *= 3
	}
	return d
}

// The bounds of each time: below the first one a machine under load cannot keep
// it, above the second one nobody would wait for it.
const (
	shortestLease = 20 * time.Millisecond
	longestLease  = 10 * time.Minute
)

// Validate lists every reason for which two occupants could run a slot at once,
// or for which one would stop without need, with a council whose elections take
// up to elects.
func (t LeaseTerms) Validate(elects time.Duration) error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf("lease: "+format, args...)) }
	for _, x := range []struct {
		key   string
		value time.Duration
	}{{"length", t.Length}, {"renew", t.Renew}, {"stop", t.Stop}, {"within", t.Within}, {"watchdog", t.Watchdog}, {"round_trip", t.RoundTrip}} {
		if x.value < shortestLease || x.value > longestLease {
			bad("%s is %v, want %v to %v", x.key, x.value, shortestLease, longestLease)
		}
	}
	if len(errs) > 0 {
		return errors.Join(errs...) // what follows from a wrong time says nothing new
	}
	if t.Stop+t.Within > t.Watchdog {
		bad("stop + within is %v and watchdog is %v, want at most that: else the machine is reset while its slot still stops in order",
			t.Stop+t.Within, t.Watchdog)
	}
	if most := Faster(t.Length); t.RoundTrip+t.Watchdog > most {
		bad("round_trip + watchdog is %v and length less %v %% is %v, want at most that: else a slot may be given away while its occupant still runs it",
			t.RoundTrip+t.Watchdog, 100*ClockDrift, most)
	}
	if 3*t.Renew > t.Stop {
		bad("3 x renew is %v and stop is %v, want at most that: else two lost renewals stop a slot", 3*t.Renew, t.Stop)
	}
	if t.Leaderless() <= elects {
		bad("stop - renew - round_trip is %v, want more than %v: else an election of the council stops every exclusive slot", t.Leaderless(), elects)
	}
	return errors.Join(errs...)
}
