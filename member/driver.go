package member

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// Driver names something in the world that a failover has to tell: a door, by
// which clients reach the slots of a pool. What it needs to know stands under
// its kind; secrets stand in files on the members that use them, and never here.
type Driver struct {
	Kind string `json:"kind"`           // gateway, haproxy, dns, webhook, systemd, vip
	Name string `json:"name,omitempty"` // tells two of one kind apart; the kind if empty
	Port int    `json:"port,omitempty"` // where the occupants serve; the check's port if 0
	On   []ID   `json:"on,omitempty"`   // the members that tell it; none for a gateway, a unit or an address

	HAProxy *HAProxyDriver `json:"haproxy,omitempty"`
	DNS     *DNSDriver     `json:"dns,omitempty"`
	Webhook *WebhookDriver `json:"webhook,omitempty"`
	Systemd *SystemdDriver `json:"systemd,omitempty"`
	VIP     *VIPDriver     `json:"vip,omitempty"`
}

// HAProxyDriver says which HAProxy serves the slots, and as what. Either each
// member of On has one of its own, at Socket, or the Instances are elsewhere.
type HAProxyDriver struct {
	Backend      string            `json:"backend"`
	Map          string            `json:"map"`
	KeepSessions bool              `json:"keep_sessions,omitempty"`
	Socket       string            `json:"socket,omitempty"`     // a path on each member of On
	StateFile    string            `json:"state_file,omitempty"` // a path beside it
	Instances    map[string]string `json:"instances,omitempty"`  // host:port by name
}

// DNSDriver says which zone holds the slots' addresses.
type DNSDriver struct {
	Server  string        `json:"server"`   // the zone's primary, host:port
	Zone    string        `json:"zone"`     // holds all records
	Record  string        `json:"record"`   // of a slot's address; {slot} stands for the slot's name
	KeyFile string        `json:"key_file"` // as tsig-keygen writes it, on the members of On
	TTL     time.Duration `json:"ttl"`
}

// WebhookDriver says who is asked.
type WebhookDriver struct {
	URL        string `json:"url"`
	SecretFile string `json:"secret_file"`       // on the members of On
	CAFile     string `json:"ca_file,omitempty"` // whom to trust, if not whom the system trusts
}

// SystemdDriver says which unit runs a slot's service. It is no door: it takes the
// place of installed actions on whoever holds the slot.
type SystemdDriver struct {
	Unit string `json:"unit"` // {slot} stands for the slot's name
}

// VIPDriver gives each slot an address of its own, which the occupant has on an
// interface of its machine.
type VIPDriver struct {
	Addresses map[SlotID]netip.Prefix `json:"addresses"`
	Interface string                  `json:"interface,omitempty"` // empty: the one whose network holds the address
}

// Unit is the systemd unit of a slot's service; empty if it is started by
// installed actions.
func (p Pool) Unit(slot SlotID) string {
	for _, d := range p.Drivers {
		if d.Systemd != nil {
			return strings.ReplaceAll(d.Systemd.Unit, "{slot}", string(slot))
		}
	}
	return ""
}

// Door is the driver's name within its pool.
func (d Driver) Door() string {
	if d.Name != "" {
		return d.Name
	}
	return d.Kind
}

// Told reports whether members have to tell it of each change. A gateway reads
// the ledger itself, and units are the business of those that hold the slots.
func (d Driver) Told() bool { return d.Kind != "gateway" && d.Kind != "systemd" }

// Own reports whether each member that tells it has a target of its own.
func (d Driver) Own() bool { return d.HAProxy != nil && d.HAProxy.Socket != "" || d.Carried() }

// Carried reports whether the slots' occupants are the door themselves: then every
// member of the pool tells its own machine what it has to carry.
func (d Driver) Carried() bool { return d.VIP != nil }

// Carriers lists who may get a slot of a pool, and its address with it: its members
// and those of the pools that lend it spares.
func (f *Fleet) Carriers(p Pool) []ID {
	var all []ID
	for _, m := range f.Members {
		if !m.Retired && (m.Pool == p.Name || slices.Contains(p.Spares.BorrowFrom, m.Pool)) {
			all = append(all, m.ID)
		}
	}
	return all
}

// At is where the occupants of a pool serve, 0 if that is not known.
func (d Driver) At(p Pool) int {
	if d.Port != 0 {
		return d.Port
	}
	return p.Checks.Port()
}

// Name is the record of one slot's address.
func (d DNSDriver) Name(slot SlotID) string {
	return strings.ReplaceAll(d.Record, "{slot}", string(slot))
}

// Driver finds a driver by its name.
func (p Pool) Driver(door string) (Driver, bool) {
	i := slices.IndexFunc(p.Drivers, func(d Driver) bool { return d.Door() == door })
	if i < 0 {
		return Driver{}, false
	}
	return p.Drivers[i], true
}

// validateDrivers looks at what the ledger itself relies on: names that tell
// doors apart, and tellers that are members. A secret has no place in a Driver
// but a URL.
func (f *Fleet) validateDrivers(members map[ID]bool) (errs []error) {
	for _, p := range f.Pools {
		doors := map[string]bool{}
		for _, d := range p.Drivers {
			bad := func(format string, args ...any) {
				errs = append(errs, fmt.Errorf("pools.%s.drivers: %s "+format, append([]any{p.Name, d.Door()}, args...)...))
			}
			if doors[d.Door()] {
				bad("stands there twice, want a name of its own")
			}
			doors[d.Door()] = true
			if d.Told() && !d.Carried() && len(d.On) == 0 {
				bad("names nobody who tells it: want members in on")
			}
			for _, id := range d.On {
				if !members[id] {
					bad("is told by %s, want the name of a member", id)
				}
			}
			if d.Carried() && len(d.On) > 0 {
				bad("names members in on: want none, for every member of the pool is told")
			}
			for _, s := range p.Slots {
				if d.Carried() && !d.VIP.Addresses[s].IsValid() {
					bad("has no address for slot %s", s)
				}
			}
			if d.Webhook != nil && strings.ContainsAny(d.Webhook.URL, "@?#") {
				bad("has a url with a user, a query or a fragment: want none, for the ledger holds no secret")
			}
		}
	}
	return errs
}
