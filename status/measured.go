package status

import (
	"time"

	"moonwatch/agent"
	"moonwatch/member"
)

// MeasuredDocument is what one agent has seen of its ways and of its own machine.
type MeasuredDocument struct {
	Schema   int            `json:"schema"`
	Now      time.Time      `json:"now"`
	Self     member.ID      `json:"self"`
	Profile  string         `json:"profile"` // by which it observes
	Members  int            `json:"members"` // of the fleet
	Measured agent.Measured `json:"measured"`
	// Vain is how many probes had no answer that were sent to members which a verdict called
	// out of reach: they are left out of Measured.
	Vain uint64 `json:"in_vain"`
}
