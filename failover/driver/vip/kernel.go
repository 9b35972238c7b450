package vip

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"moonwatch/member"
)

// link finds the interface anew each time: one that was taken down and made again
// has another number.
func (d *Driver) link() (netlink.Link, error) {
	link, err := netlink.LinkByName(d.config.Interface)
	var missing netlink.LinkNotFoundError
	if errors.As(err, &missing) {
		return nil, fmt.Errorf("%w: no interface %s", errSetup, d.config.Interface)
	}
	return link, err
}

// has reports whether an address is on the interface.
func (d *Driver) has(address netip.Prefix) (bool, error) {
	link, err := d.link()
	if err != nil {
		return false, err
	}
	list, err := netlink.AddrList(link, familyOf(address))
	if err != nil {
		return false, fmt.Errorf("addresses of %s: %w", d.config.Interface, err)
	}
	for _, a := range list {
		if have, ok := netip.AddrFromSlice(a.IP); ok && have.Unmap() == address.Addr() {
			return true, nil
		}
	}
	return false, nil
}

func familyOf(a netip.Prefix) int {
	if a.Addr().Is4() {
		return netlink.FAMILY_V4
	}
	return netlink.FAMILY_V6
}

// bring adds or removes a slot's address. That it is there, or gone, already is as
// good.
func (d *Driver) bring(slot member.SlotID, here bool) error {
	link, err := d.link()
	if err != nil {
		return err
	}
	p := d.config.Addresses[slot]
	a := &netlink.Addr{IPNet: &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}}
	if p.Addr().Is6() {
		a.Flags = unix.IFA_F_NODAD // who had it before may still answer for a moment, and the address would wait for people
	}
	if here {
		if err := netlink.AddrAdd(link, a); err != nil && !errors.Is(err, unix.EEXIST) {
			return fmt.Errorf("add %s to %s: %w", p, d.config.Interface, err)
		}
		return nil
	}
	if err := netlink.AddrDel(link, a); err != nil && !errors.Is(err, unix.EADDRNOTAVAIL) {
		return fmt.Errorf("remove %s from %s: %w", p, d.config.Interface, err)
	}
	return nil
}

// A cutover is told three times, for one frame may be lost.
const (
	announcements = 3
	announceApart = 10 * time.Millisecond
)

// announce tells the neighbours who has the address now, at a cutover or when it
// is time again.
func (d *Driver) announce(slot member.SlotID, cutover bool) error {
	if !cutover && time.Since(d.announced[slot]) < d.config.AnnounceEvery {
		return nil
	}
	link, err := d.link()
	if err != nil {
		return err
	}
	times := 1
	if cutover {
		times = announcements
	}
	address := d.config.Addresses[slot].Addr()
	for i := range times {
		if i > 0 {
			time.Sleep(announceApart)
		}
		if address.Is4() {
			err = gratuitousARP(link.Attrs(), address)
		} else {
			err = unsolicitedNA(link.Attrs(), address)
		}
		if err != nil {
			return err
		}
	}
	d.announced[slot] = time.Now()
	return nil
}

// arpFrame asks everybody for the address, and answers in the question.
func arpFrame(mac net.HardwareAddr, address netip.Addr) []byte {
	broadcast := []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}
	ip := address.As4()
	f := append(append([]byte{}, broadcast...), mac...)
	f = append(f, 0x08, 0x06, 0, 1, 0x08, 0x00, 6, 4, 0, 1) // ARP; Ethernet, IPv4, a request
	f = append(append(f, mac...), ip[:]...)
	return append(append(f, 0, 0, 0, 0, 0, 0), ip[:]...)
}

func gratuitousARP(link *netlink.LinkAttrs, address netip.Addr) error {
	if len(link.HardwareAddr) != 6 {
		return fmt.Errorf("%w: %s is no Ethernet: it has the address %q", errSetup, link.Name, link.HardwareAddr)
	}
	const arp = unix.ETH_P_ARP&0xff<<8 | unix.ETH_P_ARP>>8 // in the network's order
	socket, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, arp)
	if err != nil {
		return fmt.Errorf("announce %s: %w", address, err)
	}
	defer func() { _ = unix.Close(socket) }()
	to := &unix.SockaddrLinklayer{Ifindex: link.Index, Protocol: arp, Halen: 6, Addr: [8]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}}
	if err := unix.Sendto(socket, arpFrame(link.HardwareAddr, address), 0, to); err != nil {
		return fmt.Errorf("announce %s: %w", address, err)
	}
	return nil
}

// advertisement is an ICMPv6 neighbour advertisement that overrides what
// neighbours know; the kernel adds the checksum.
func advertisement(mac net.HardwareAddr, address netip.Addr) []byte {
	const override = 1 << 29
	ip := address.As16()
	m := []byte{136, 0, 0, 0}
	m = binary.BigEndian.AppendUint32(m, override)
	m = append(m, ip[:]...)
	return append(append(m, 2, 1), mac...) // the target's own link-layer address
}

func unsolicitedNA(link *netlink.LinkAttrs, address netip.Addr) error {
	if len(link.HardwareAddr) != 6 {
		return fmt.Errorf("%w: %s is no Ethernet: it has the address %q", errSetup, link.Name, link.HardwareAddr)
	}
	socket, err := unix.Socket(unix.AF_INET6, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.IPPROTO_ICMPV6)
	if err != nil {
		return fmt.Errorf("announce %s: %w", address, err)
	}
	defer func() { _ = unix.Close(socket) }()
	const hops = 255 // a neighbour's word has not crossed a router
	if err := errors.Join(
		unix.SetsockoptInt(socket, unix.IPPROTO_IPV6, unix.IPV6_MULTICAST_HOPS, hops),
		unix.SetsockoptInt(socket, unix.IPPROTO_IPV6, unix.IPV6_MULTICAST_IF, link.Index),
		unix.Bind(socket, &unix.SockaddrInet6{Addr: address.As16(), ZoneId: uint32(link.Index)}),
	); err != nil {
		return fmt.Errorf("announce %s: %w", address, err)
	}
	everybody := netip.MustParseAddr("ff02::1").As16()
	if err := unix.Sendto(socket, advertisement(link.HardwareAddr, address), 0, &unix.SockaddrInet6{Addr: everybody, ZoneId: uint32(link.Index)}); err != nil {
		return fmt.Errorf("announce %s: %w", address, err)
	}
	return nil
}
