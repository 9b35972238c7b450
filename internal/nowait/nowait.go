// Package nowait reads and writes sockets without a word to Go's scheduler about each
// system call.
//
// A call of package net announces itself, for it might wait. The first one after a moment
// of rest so wakes the scheduler's watcher (runtime.sysmon), a thread of its own, which
// then looks every 20 µs until the process rests again. An agent that is idle rests between
// any two datagrams: the watcher took a third of all that such an agent took, and did more
// than half of its switches between threads.
//
// The sockets of package net are non-blocking, so that no call on them ever waits: it says
// that there is nothing now, and the goroutine is parked until there is. Such calls need
// no watcher. Where a system's calls are not known here ([Raw] is false), those of package
// net are used.
//
// What is promised is what package net promises: deadlines, Close from another goroutine,
// and errors, which are the same ones to errors.Is and errors.As.
package nowait

import "net"

// UDP is a socket for packets.
type UDP struct {
	*net.UDPConn
	raw rawUDP
}

// NewUDP takes a socket over.
func NewUDP(c *net.UDPConn) (*UDP, error) {
	u := &UDP{UDPConn: c}
	if err := u.raw.open(c); err != nil {
		return nil, err
	}
	return u, nil
}

// TCP is a stream.
type TCP struct {
	*net.TCPConn
	raw rawTCP
}

// NewTCP takes a connection over.
func NewTCP(c *net.TCPConn) (*TCP, error) {
	t := &TCP{TCPConn: c}
	if err := t.raw.open(c); err != nil {
		return nil, err
	}
	return t, nil
}
