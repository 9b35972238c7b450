// Package gate lets the kernel hold back what a slot's processes send while no
// lease of the slot is fresh: also in the moment after a machine stood still, when
// they run again and their keeper does not yet (docs/adr/031).
//
// A gate is a rule of the kernel's packet filter for all that is sent from below the
// keeper's cgroup, and a set of the slots that may send. Each slot is in that set
// with a time-out, which the kernel counts whether or not any process runs. A keeper
// that stands still, hangs or was killed opens nothing: the gate shuts by itself.
//
// It is for the network alone. What a process does to a disk, or says over a unix
// socket, to a packet socket or with a socket that it was handed by somebody
// outside of its slot, passes no gate.
package gate

import (
	"errors"
	"time"

	"moonwatch/member"
)

// The words that people choose a gate with.
const (
	Auto = "auto" // where it works
	NFT  = "nft"  // or the keeper does not begin
	Off  = "off"
)

// Gate is shut for every slot that was not opened. It has no lock: one owner.
type Gate interface {
	// Name says what it is and where people find it.
	Name() string
	// Open lets a slot send for so long from now, whatever it was told before.
	// Nothing of the slot needs to run yet, and nothing that runs notices. After an
	// error the slot is open no longer than it was to be before.
	Open(slot member.SlotID, left time.Duration) error
	// Shut lets a slot send no more. A slot that was not open is no error.
	Shut(slot member.SlotID) error
	// Renew makes the rule anew, for those that are open as well: somebody may have
	// changed it.
	Renew() error
	// Remove takes the gate away, with all that it held back.
	Remove() error
}

// ErrNoCgroup says that the keeper owns its slots' processes by something that the
// packet filter does not know.
var ErrNoCgroup = errors.New("a gate needs slots in a cgroup of version 2")
