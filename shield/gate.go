package shield

import (
	"errors"
	"fmt"
)

// Gate says in one word which rule forbids a rung that doors vote for.
type Gate string

// The gates (PROTOCOL 9).
const (
	GatePinned         Gate = "pinned"          // an operator has said otherwise
	GateDrained        Gate = "drained"         // traffic was taken away from somebody just now
	GateBudget         Gate = "budget"          // too many new rungs in a minute
	GateNeverStop      Gate = "never-stop"      // it is on the list of those that are never stopped
	GateMostSubdomains Gate = "most-subdomains" // too many would be stopped
	GateMostTraffic    Gate = "most-traffic"    // those stopped would have too much of the normal traffic
	GateHighest        Gate = "highest"         // the policy does not allow the rung
	GateVotes          Gate = "votes"           // too few doors vote, or one alone that is not trusted
	GateOther          Gate = "other"           // what the ledger refuses besides, such as an end that is over
)

// Gates lists them all.
func Gates() []Gate {
	return []Gate{GatePinned, GateDrained, GateBudget, GateNeverStop, GateMostSubdomains, GateMostTraffic, GateHighest, GateVotes, GateOther}
}

// shutGate is an error with the gate that it comes from.
type shutGate struct {
	gate Gate
	text string
}

func (e shutGate) Error() string { return e.text }

func (g Gate) shut(format string, args ...any) error {
	return shutGate{gate: g, text: fmt.Sprintf(format, args...)}
}

// GateOf is the gate that an error of [Standing.Check] comes from.
func GateOf(err error) Gate {
	if e, ok := errors.AsType[shutGate](err); ok {
		return e.gate
	}
	return GateOther
}
