//go:build !linux

package vip

import (
	"fmt"
	"net/netip"
)

// errNotLinux: other kernels are told in other ways, which nobody has tried.
var errNotLinux = fmt.Errorf("%w: addresses move on Linux only", errSetup)

func onLink(string) error                     { return errNotLinux }
func addresses() ([]placed, error)            { return nil, errNotLinux }
func give(placed) error                       { return errNotLinux }
func take(placed) error                       { return errNotLinux }
func tellNeighbours(string, netip.Addr) error { return errNotLinux }
