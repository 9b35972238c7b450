//go:build !linux || !(amd64 || arm64)

package nowait

import "net"

// Raw says whether this package knows the system's calls.
const Raw = false

type rawUDP struct{}

func (rawUDP) open(*net.UDPConn) error { return nil }

type rawTCP struct{}

func (rawTCP) open(*net.TCPConn) error { return nil }
