package vip

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"net"
	"net/netip"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// onLink fails if there is no interface of a name.
func onLink(name string) error {
	_, err := linkOf(name)
	return err
}

// linkOf finds an interface anew each time: one that was taken down and made again
// has another number.
func linkOf(name string) (netlink.Link, error) {
	link, err := netlink.LinkByName(name)
	var missing netlink.LinkNotFoundError
	if errors.As(err, &missing) {
		return nil, fmt.Errorf("%w: no interface %s", errSetup, name)
	}
	return link, err
}

// addresses lists all that this machine has, and where.
func addresses() ([]placed, error) {
	links, err := netlink.LinkList()
	if err != nil {
		return nil, fmt.Errorf("interfaces: %w", err)
	}
	names := map[int]string{}
	for _, l := range links {
		names[l.Attrs().Index] = l.Attrs().Name
	}
	list, err := netlink.AddrList(nil, netlink.FAMILY_ALL)
	if err != nil {
		return nil, fmt.Errorf("addresses: %w", err)
	}
	var all []placed
	for _, a := range list {
		ip, ok := netip.AddrFromSlice(a.IP)
		bits, _ := a.Mask.Size()
		if name := names[a.LinkIndex]; ok && name != "" {
			all = append(all, placed{netip.PrefixFrom(ip.Unmap(), bits), name})
		}
	}
	return all, nil
}

// addr is the address as the kernel wants it. An IPv6 one is not chosen for what
// this machine sends by itself, and begins at once: who had it before may still
// answer for a moment, and a search for duplicates would disable it until people come.
func (p placed) addr() *netlink.Addr {
	a := &netlink.Addr{IPNet: &net.IPNet{IP: p.address.Addr().AsSlice(), Mask: net.CIDRMask(p.address.Bits(), p.address.Addr().BitLen())}}
	if p.address.Addr().Is6() {
		a.Flags, a.ValidLft, a.PreferedLft = unix.IFA_F_NODAD, math.MaxUint32, 0
	}
	return a
}

// give adds an address. That it is there already is as good.
func give(p placed) error {
	link, err := linkOf(p.on)
	if err != nil {
		return err
	}
	if err := netlink.AddrAdd(link, p.addr()); err != nil && !errors.Is(err, unix.EEXIST) {
		return fmt.Errorf("add %s to %s: %w", p.address, p.on, err)
	}
	return nil
}

// take removes an address. That it is gone is as good, also with its interface.
func take(p placed) error {
	link, err := linkOf(p.on)
	if errors.Is(err, errSetup) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := netlink.AddrDel(link, p.addr()); err != nil && !errors.Is(err, unix.EADDRNOTAVAIL) {
		return fmt.Errorf("remove %s from %s: %w", p.address, p.on, err)
	}
	return nil
}

// tellNeighbours says once that the address is at this interface.
func tellNeighbours(on string, address netip.Addr) error {
	link, err := linkOf(on)
	if err != nil {
		return err
	}
	if address.Is4() {
		return gratuitousARP(link.Attrs(), address)
	}
	return unsolicitedNA(link.Attrs(), address)
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
