//go:build linux && (amd64 || arm64)

package nowait

import (
	"encoding/binary"
	"io"
	"net"
	"net/netip"
	"os"
	"strconv"
	"syscall"
	"unsafe"
)

// Raw says whether this package knows the system's calls.
const Raw = true

// flags of every call: it never waits, and a stream whose other end is gone is an error
// and no signal.
const flags uintptr = syscall.MSG_DONTWAIT | syscall.MSG_NOSIGNAL

type rawUDP struct {
	syscall.RawConn

	six bool // its addresses are of IPv6, also where they stand for one of IPv4
}

func (r *rawUDP) open(c *net.UDPConn) error {
	raw, err := c.SyscallConn()
	if err != nil {
		return err
	}
	r.RawConn = raw
	var at syscall.Sockaddr
	if e := raw.Control(func(fd uintptr) { at, err = syscall.Getsockname(int(fd)) }); e != nil {
		return e
	}
	_, r.six = at.(*syscall.SockaddrInet6)
	return os.NewSyscallError("getsockname", err)
}

// ReadFromUDPAddrPort is that of net.UDPConn.
func (u *UDP) ReadFromUDPAddrPort(b []byte) (n int, from netip.AddrPort, err error) {
	var at syscall.RawSockaddrAny
	var failed syscall.Errno
	err = u.raw.Read(func(fd uintptr) (done bool) {
		size := uint32(unsafe.Sizeof(at))
		n, failed = again(func() (uintptr, syscall.Errno) {
			r, _, e := syscall.RawSyscall6(syscall.SYS_RECVFROM, fd, uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)), flags,
				uintptr(unsafe.Pointer(&at)), uintptr(unsafe.Pointer(&size)))
			return r, e
		})
		return failed != syscall.EAGAIN
	})
	switch {
	case err != nil:
		return 0, netip.AddrPort{}, err
	case failed != 0:
		return 0, netip.AddrPort{}, &net.OpError{Op: "read", Net: "udp", Source: u.LocalAddr(), Err: os.NewSyscallError("recvfrom", failed)}
	}
	hasRead()
	return n, addrPortOf(&at), nil
}

// WriteToUDPAddrPort is that of net.UDPConn.
func (u *UDP) WriteToUDPAddrPort(b []byte, to netip.AddrPort) (n int, err error) {
	if to.Addr().Zone() != "" || !u.raw.six && !to.Addr().Unmap().Is4() {
		return u.UDPConn.WriteToUDPAddrPort(b, to) // which knows the numbers of zones, and what to say
	}
	at, size := u.raw.sockaddr(to)
	written()
	var failed syscall.Errno
	err = u.raw.Write(func(fd uintptr) (done bool) {
		n, failed = again(func() (uintptr, syscall.Errno) {
			r, _, e := syscall.RawSyscall6(syscall.SYS_SENDTO, fd, uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)), flags,
				uintptr(unsafe.Pointer(&at)), size)
			return r, e
		})
		return failed != syscall.EAGAIN
	})
	if err == nil && failed != 0 {
		err = &net.OpError{Op: "write", Net: "udp", Source: u.LocalAddr(), Addr: net.UDPAddrFromAddrPort(to), Err: os.NewSyscallError("sendto", failed)}
	}
	if err != nil {
		return 0, err
	}
	return n, nil
}

// sockaddr is an address in the system's form, and how many bytes of it count.
func (r *rawUDP) sockaddr(a netip.AddrPort) (at syscall.RawSockaddrInet6, size uintptr) {
	if r.six {
		at.Family, at.Addr = syscall.AF_INET6, a.Addr().As16()
		binary.BigEndian.PutUint16((*[2]byte)(unsafe.Pointer(&at.Port))[:], a.Port())
		return at, unsafe.Sizeof(at)
	}
	four := (*syscall.RawSockaddrInet4)(unsafe.Pointer(&at))
	four.Family, four.Addr = syscall.AF_INET, a.Addr().Unmap().As4()
	binary.BigEndian.PutUint16((*[2]byte)(unsafe.Pointer(&four.Port))[:], a.Port())
	return at, unsafe.Sizeof(*four)
}

// addrPortOf reads an address in the system's form. A zone is a number, which package net
// takes for the name it stands for.
func addrPortOf(at *syscall.RawSockaddrAny) netip.AddrPort {
	switch at.Addr.Family {
	case syscall.AF_INET:
		four := (*syscall.RawSockaddrInet4)(unsafe.Pointer(at))
		return netip.AddrPortFrom(netip.AddrFrom4(four.Addr), binary.BigEndian.Uint16((*[2]byte)(unsafe.Pointer(&four.Port))[:]))
	case syscall.AF_INET6:
		six := (*syscall.RawSockaddrInet6)(unsafe.Pointer(at))
		addr := netip.AddrFrom16(six.Addr)
		if six.Scope_id != 0 {
			addr = addr.WithZone(strconv.FormatUint(uint64(six.Scope_id), 10))
		}
		return netip.AddrPortFrom(addr, binary.BigEndian.Uint16((*[2]byte)(unsafe.Pointer(&six.Port))[:]))
	default:
		return netip.AddrPort{}
	}
}

type rawTCP struct{ syscall.RawConn }

func (r *rawTCP) open(c *net.TCPConn) (err error) {
	r.RawConn, err = c.SyscallConn()
	return err
}

// Read is that of net.TCPConn.
func (t *TCP) Read(b []byte) (n int, err error) {
	if len(b) == 0 {
		return t.TCPConn.Read(b)
	}
	var failed syscall.Errno
	err = t.raw.Read(func(fd uintptr) (done bool) {
		n, failed = again(func() (uintptr, syscall.Errno) {
			r, _, e := syscall.RawSyscall6(syscall.SYS_RECVFROM, fd, uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)), flags, 0, 0)
			return r, e
		})
		return failed != syscall.EAGAIN
	})
	switch {
	case err != nil:
		return 0, err
	case failed != 0:
		return 0, t.failed("read", "recvfrom", failed)
	case n == 0:
		return 0, io.EOF
	}
	hasRead()
	return n, nil
}

// Write is that of net.TCPConn: all of b, or an error.
func (t *TCP) Write(b []byte) (n int, err error) {
	written()
	var failed syscall.Errno
	err = t.raw.Write(func(fd uintptr) (done bool) {
		for n < len(b) {
			rest := b[n:]
			var m int
			m, failed = again(func() (uintptr, syscall.Errno) {
				r, _, e := syscall.RawSyscall6(syscall.SYS_SENDTO, fd, uintptr(unsafe.Pointer(unsafe.SliceData(rest))), uintptr(len(rest)), flags, 0, 0)
				return r, e
			})
			if failed != 0 {
				return failed != syscall.EAGAIN
			}
			n += m
		}
		return true
	})
	if err == nil && failed != 0 {
		err = t.failed("write", "sendto", failed)
	}
	return n, err
}

func (t *TCP) failed(op, call string, why syscall.Errno) error {
	return &net.OpError{Op: op, Net: "tcp", Source: t.LocalAddr(), Addr: t.RemoteAddr(), Err: os.NewSyscallError(call, why)}
}

// again makes a call until no signal interrupts it.
func again(call func() (uintptr, syscall.Errno)) (int, syscall.Errno) {
	for {
		n, failed := call()
		if failed == 0 {
			return int(n), 0
		}
		if failed != syscall.EINTR {
			return 0, failed
		}
	}
}
