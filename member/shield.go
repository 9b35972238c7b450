package member

import "fmt"

// ShieldPolicy says what the doors do about a flooded subdomain.
type ShieldPolicy struct {
	// Mode is what comes of the shield's decisions; empty is shadow: a new policy
	// is looked at before it acts.
	Mode string `json:"mode,omitempty"`
	// Capacity is how many requests a second the pools serve together, well; 0:
	// it is learned at the first trouble, and nobody is held before.
	Capacity int `json:"capacity,omitempty"`
}

// The modes of the shield.
const (
	ShieldOff     = "off"     // nothing is decided
	ShieldShadow  = "shadow"  // everything is decided and shown, and nothing done
	ShieldEnforce = "enforce" // a subdomain above its share is held
)

// MaxCapacity bounds a capacity in requests a second. More is a mistake in
// writing.
const MaxCapacity = 10_000_000

// Doing is the mode in force.
func (p ShieldPolicy) Doing() string {
	if p.Mode == "" {
		return ShieldShadow
	}
	return p.Mode
}

func (p ShieldPolicy) validate() error {
	switch p.Doing() {
	case ShieldOff, ShieldShadow, ShieldEnforce:
	default:
		return fmt.Errorf("shield.mode is %q, want %s, %s or %s", p.Mode, ShieldOff, ShieldShadow, ShieldEnforce)
	}
	if p.Capacity < 0 || p.Capacity > MaxCapacity {
		return fmt.Errorf("shield.capacity is %d, want 1 to %d requests a second, or none", p.Capacity, MaxCapacity)
	}
	return nil
}
