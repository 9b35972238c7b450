package daemon

import (
	"moonwatch/shield"
	"moonwatch/shield/count"
)

// polledDoor is one in another program, which is asked now and then. A tick ends with its
// answer.
type polledDoor interface {
	shieldedDoor
	// Ticks is the stream of moments up to which was counted, answered or not.
	Ticks() <-chan count.Tick
	// Problem says why it does not do as it is told; empty: it does.
	Problem() string
	// Close lets everybody in, if it answers, and ends.
	Close()
}

// shieldedDoor is a door as the shield's loop sees it: it counts what passes and
// does what the measures say. The built-in gateway is one.
type shieldedDoor interface {
	// Rotate closes a tick and says what was counted in it: the totals, the heaviest
	// subdomains, and exactly those that are wanted. learn is how many subdomains
	// may become known in the next one.
	Rotate(learn int, wanted []shield.Key) (count.Total, []shield.Count)
	// Trouble reports, since it was last called, whether the door or its occupants
	// had more to do than they can.
	Trouble() bool
	// Learned is the stream of hosts that became known.
	Learned() <-chan string
	// Known is how many hosts and buckets are counted alone; Full, that one could
	// not be for want of room; Counts, whether a request was ever counted under a key.
	Known() int
	Full() bool
	Counts(shield.Key) bool
	// Enforce replaces what is done about subdomains; nil lets everybody in.
	Enforce(*shield.Measures)
	// Measures are those in force.
	Measures() *shield.Measures
}
