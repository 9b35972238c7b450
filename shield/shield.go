// Package shield decides how much of a flooded subdomain's traffic is let in,
// so that the other subdomains do not feel the flood.
//
// It protects capacity and does not police rates: whoever asks for much is left
// alone while there is enough for all. Only when the demand nears the capacity
// is it shared out, fairly, beginning with what each subdomain usually needs.
// Growth of everybody is an overload, and singles out nobody.
//
// The places where traffic passes are doors. Each door counts (shield/count)
// and tells the others a few times a second what it counted (Report). All doors
// hold the others' reports together (Merge) and come to the same shares
// (FairShare) by the same function, so shaping needs no election. How hard a
// subdomain is held climbs a ladder of rungs (Ladder): a door shapes alone at
// once, all doors shape together when two have evidence, and from challenge up
// the doors vote and the council writes it down (Throttle, Standing).
//
// Nothing here has a clock, a goroutine or a lock: the caller says what time it
// is, and is the only owner of a value. Whatever is not renewed ends by itself.
package shield

import "fmt"

// Key names a subdomain in tables and datagrams: the hash of its normal form.
// Zero is no subdomain.
type Key uint64

// Nameless is the key under which everything is counted whose Host is no name
// and whose parent nobody knows: empty, too long, raw bytes, an unknown name
// without a known parent.
const Nameless Key = 1

// Rung says how hard a subdomain is held. Higher is harder.
type Rung uint8

// The rungs of the ladder, in order.
const (
	Observe    Rung = iota // counted, and nothing is done to it
	ShapeLocal             // this door admits a fraction, by its own decision
	ShapeFleet             // every door admits the same fraction
	Challenge              // who proves to be a browser gets in; voted
	Stop                   // everybody gets a static page; voted
	Drop                   // connections are refused by the name in their handshake; voted
	rungs
)

var rungNames = [rungs]string{"observe", "shape-local", "shape-fleet", "challenge", "stop", "drop"}

func (r Rung) String() string {
	if r < rungs {
		return rungNames[r]
	}
	return "unknown rung"
}

// RungOf reads the name of a rung.
func RungOf(name string) (Rung, bool) {
	for r, n := range rungNames {
		if n == name {
			return Rung(r), true
		}
	}
	return Observe, false
}

// MarshalText is the rung's name.
func (r Rung) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText reads a rung's name.
func (r *Rung) UnmarshalText(b []byte) error {
	got, ok := RungOf(string(b))
	if !ok {
		return fmt.Errorf("rung %q, want one of %v", b, rungNames)
	}
	*r = got
	return nil
}

// Rungs are those on which something is done, in order.
func Rungs() []Rung { return []Rung{ShapeLocal, ShapeFleet, Challenge, Stop, Drop} }

// Voted reports that the rung needs votes of the doors and a fact in the ledger.
func (r Rung) Voted() bool { return r >= Challenge && r < rungs }
