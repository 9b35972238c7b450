package member

import (
	"errors"
	"fmt"
	"slices"
)

// MaxNameLength bounds a member's name, so that sixteen votes fit into one
// datagram.
const MaxNameLength = 32

// Validate lists every mistake of a fleet that is wrong whatever the state of
// the cluster is. fleet.yaml is checked with the same rules, and with line
// numbers, before it is proposed; this is the ledger's own look.
func (f *Fleet) Validate() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if f.Version != 1 {
		bad("version is %d, want 1", f.Version)
	}
	if err := f.checkProfile(); err != nil {
		errs = append(errs, err)
	}
	if err := f.Shield.check(f.Members); err != nil {
		errs = append(errs, err)
	}
	if err := f.Notify.check(f.Members); err != nil {
		errs = append(errs, err)
	}
	seen := map[ID]bool{}
	inPool := map[string]int{}
	for _, m := range f.Members {
		if m.ID == "" || len(m.ID) > MaxNameLength {
			bad("members: name %q has %d bytes, want 1 to %d", m.ID, len(m.ID), MaxNameLength)
		}
		if seen[m.ID] {
			bad("members: %s stands there twice", m.ID)
		}
		seen[m.ID] = true
		if m.Domain == "" {
			bad("members.%s.failure_domain is empty: want the name of what fails together with it", m.ID)
		}
		if !m.Retired {
			inPool[m.Pool]++
		}
	}
	slots := map[SlotID]bool{}
	pools := map[string]bool{}
	for _, p := range f.Pools {
		pools[p.Name] = true
		for _, s := range p.Slots {
			if slots[s] {
				bad("pools.%s.slots: %s stands there twice", p.Name, s)
			}
			slots[s] = true
		}
		if n := inPool[p.Name]; n < len(p.Slots) {
			bad("pools.%s: %d slots, and %d members in the pool: want at least as many members as slots", p.Name, len(p.Slots), n)
		}
		errs = append(errs, f.CheckLoans(p)...)
		if p.Exclusive && slices.ContainsFunc(p.Drivers, func(d Driver) bool { return d.Kind == "systemd" }) {
			bad("pools.%s is exclusive and run by a systemd driver: systemd starts a unit outside of the keeper, and nobody would end it with its lease; want actions", p.Name)
		}
		for _, level := range p.Fence {
			switch level {
			case "none", "self", "lease", "watchdog", "power", "network":
			default:
				bad("pools.%s.fence is %q, want none, self, lease, watchdog, power or network", p.Name, level)
			}
		}
	}
	if f.Exclusive() {
		if err := f.Leases().Validate(f.Elects(f.Councillors())); err != nil {
			errs = append(errs, err)
		}
	}
	errs = append(errs, f.validateDrivers(seen)...)
	for _, m := range f.Members {
		if m.Pool != "" && !pools[m.Pool] {
			bad("members.%s.pool is %q, want the name of a pool", m.ID, m.Pool)
		}
	}
	return errors.Join(errs...)
}

// Councillors is how many seats the council of this fleet has: 3 up to 6 members, 5
// from 7, never more than may sit there.
func (f *Fleet) Councillors() int {
	members, allowed := 0, 0
	for _, m := range f.Members {
		switch {
		case m.Retired:
		case m.Council:
			members, allowed = members+1, allowed+1
		default:
			members++
		}
	}
	if members <= 6 {
		return min(3, allowed)
	}
	return min(5, allowed)
}
