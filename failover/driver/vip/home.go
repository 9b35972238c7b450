package vip

import (
	"fmt"
	"net/netip"
	"time"

	"moonwatch/member"
)

// home is the interface that gets an address: the one that was named, or the one
// with the smallest network that holds it.
func (d *Driver) home(address netip.Addr) (string, error) {
	if name := d.config.Interface; name != "" {
		return name, onLink(name)
	}
	all, err := addresses()
	if err != nil {
		return "", err
	}
	best := placed{}
	for _, a := range all {
		if a.address.Addr() != address && a.address.Contains(address) && a.address.Bits() > best.address.Bits() {
			best = a
		}
	}
	if best.on == "" {
		return "", fmt.Errorf("%w: no interface is in a network that holds %s: name one with interface", errSetup, address)
	}
	return best.on, nil
}

// A cutover is told three times, for one frame may be lost.
const (
	announcements = 3
	announceApart = 10 * time.Millisecond
)

// announce tells the neighbours who has the address now, at a cutover or when it
// is time again.
func (d *Driver) announce(slot member.SlotID, on string, cutover bool) error {
	if !cutover && time.Since(d.announced[slot]) < d.config.AnnounceEvery {
		return nil
	}
	times := 1
	if cutover {
		times = announcements
	}
	for i := range times {
		if i > 0 {
			time.Sleep(announceApart)
		}
		if err := tellNeighbours(on, d.config.Addresses[slot].Addr()); err != nil {
			return err
		}
	}
	d.announced[slot] = time.Now()
	return nil
}
