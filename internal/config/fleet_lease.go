package config

import (
	"fmt"
	"strings"
	"time"

	"moonwatch/internal/strict"
	"moonwatch/member"
)

// lease reads the terms of the exclusive slots' leases: those of a profile, each
// of which may be set alone. What depends on each other is checked together.
func (r *fleetReader) lease(top object) {
	v, ok := top.Get("lease", "profile and, where they differ, its times")
	if !ok {
		if name := r.fleet.LeaseName(); name != "lan" && r.fleet.Exclusive() {
			r.fleet.Lease, _ = member.LeaseProfile(name)
		}
		return
	}
	o := r.object("lease", v, "profile", "length", "renew", "stop", "within", "watchdog", "round_trip")
	usual := r.fleet.LeaseName() // of the fleet's own profile
	t, _ := member.LeaseProfile(o.Text("profile", usual, "lan, calm or wan", oneOf("lan", "calm", "wan")))
	for _, x := range []struct {
		key string
		to  *time.Duration
	}{
		{"length", &t.Length},
		{"renew", &t.Renew},
		{"stop", &t.Stop},
		{"within", &t.Within},
		{"watchdog", &t.Watchdog},
		{"round_trip", &t.RoundTrip},
	} {
		*x.to = o.Duration(x.key, *x.to, 20*time.Millisecond, 10*time.Minute, *x.to)
	}
	if usual != "lan" || t != member.LeaseLan() {
		r.fleet.Lease = t // the default stays the default of the build
	}
}

// checkLeases refuses terms under which two occupants could run a slot at once.
func (r *fleetReader) checkLeases(top object) {
	if !r.fleet.Exclusive() && !top.Has("lease") {
		return
	}
	at := top.Where("lease")
	if err := r.fleet.Leases().Validate(r.fleet.Elects(r.fleet.Councillors())); err != nil {
		for line := range strings.Lines(err.Error()) {
			r.Wrong(at, "%s", strings.TrimSpace(line))
		}
	}
}

// exclusivePool refuses an exclusive pool that nothing could fence.
func (r *fleetReader) exclusivePool(o object, pool *member.Pool) {
	if !pool.Exclusive {
		return
	}
	enforced := func(level string) bool { return level == "lease" || level == "watchdog" || level == "power" }
	found := false
	for _, level := range pool.Fence {
		found = found || enforced(level)
	}
	if !found {
		r.Wrong(o.Where("fence"), "%s is %s and the pool is exclusive: no enforcer, want lease, watchdog or power, else two occupants may act at once",
			o.Join("fence"), strict.Words(pool.Fence, "and"))
	}
}

// leaseText is how a fleet's terms are shown.
func leaseText(t member.LeaseTerms) string {
	if t == (member.LeaseTerms{}) {
		return ""
	}
	for _, name := range []string{"lan", "calm", "wan"} {
		if p, _ := member.LeaseProfile(name); p == t {
			return fmt.Sprintf("{profile: %s}", name)
		}
	}
	s := strict.Short
	return fmt.Sprintf("{length: %s, renew: %s, stop: %s, within: %s, watchdog: %s, round_trip: %s}",
		s(t.Length), s(t.Renew), s(t.Stop), s(t.Within), s(t.Watchdog), s(t.RoundTrip))
}
