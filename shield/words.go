package shield

import (
	"errors"
	"time"

	"moonwatch/member"
)

// Event is what a shield is told.
type Event interface{ event() }

// Counted is what the door counted in the tick that just ended: the totals
// since the life began, the hot subdomains, and those that Wanted named.
type Counted struct {
	Tick       time.Duration // how long the tick was
	Asked      uint64        // since the life began
	Refused    uint64
	Served     uint64 // requests that were answered well
	Cost       uint64
	Counts     []Count
	Subdomains int
	Trouble    bool // the door waits for occupants, or they answer with errors
	Handshakes bool // connections alone are trouble; no door says so yet
}

// Heard is a report of another door; its signature was checked.
type Heard struct{ Report Report }

// Doors says which doors there are: those of the policy whose members stand
// under no verdict. If this door is none of them, it proposes nothing.
type Doors struct{ Doors []member.ID }

// FloorsHeard brings floors that the council's leader has published.
type FloorsHeard struct{ Floors Floors }

// Leads says whether this door's agent leads the council.
type Leads struct{ Leading bool }

// Ruled brings what the ledger says of subdomains, whenever that changes.
type Ruled struct{ Standing Standing }

func (Counted) event()     {}
func (Heard) event()       {}
func (Doors) event()       {}
func (FloorsHeard) event() {}
func (Leads) event()       {}
func (Ruled) event()       {}

// Effect is what a shield wants done.
type Effect interface{ effect() }

// Say sends the report to all other doors, signed.
type Say struct{ Report Report }

// Enforce replaces the door's measures.
type Enforce struct{ Measures *Measures }

// Publish sends floors to all doors, signed.
type Publish struct{ Floors Floors }

// Propose hands a throttle to the council.
type Propose struct{ Throttle Throttle }

// Note is something that people may want to read.
type Note struct {
	What  What
	Key   Key
	Host  string
	Rung  Rung
	Admit int // permille
	Text  string
	Why   Refusal // of Refused
	Gate  Gate    // of Suppressed
}

func (Say) effect()     {}
func (Enforce) effect() {}
func (Publish) effect() {}
func (Propose) effect() {}
func (Note) effect()    {}

// Refusal says in one word why something that another door said is not believed.
type Refusal string

// The refusals.
const (
	UnknownDoor Refusal = "unknown-door" // no door of this fleet
	Replayed    Refusal = "replayed"     // it came before, or a younger one did
	Absurd      Refusal = "absurd"       // what it says cannot be
	OtherFormat Refusal = "other-format" // it cannot be read, or its keys are of another salt
	BadFloors   Refusal = "floors"       // floors that no leader makes
)

// Refusals lists them all.
func Refusals() []Refusal { return []Refusal{UnknownDoor, Replayed, Absurd, OtherFormat, BadFloors} }

// refusalOf names what a report was refused for.
func refusalOf(err error) Refusal {
	switch {
	case errors.Is(err, ErrUnknownDoor):
		return UnknownDoor
	case errors.Is(err, ErrReplayed):
		return Replayed
	case errors.Is(err, ErrOtherSalt), errors.Is(err, ErrReport):
		return OtherFormat
	default:
		return Absurd
	}
}

// What a Note is about.
type What uint8

// The kinds of notes.
const (
	PressureBegan What = iota
	PressureEnded
	OverloadBegan // asked for too much, and nobody in particular is to blame
	OverloadEnded
	Came       // a subdomain came onto the ladder
	Climbed    // to another rung
	Left       // the ladder
	Refused    // a report or floors were not believed
	Suppressed // what the doors voted for, and a gate forbids
)

var whatNames = [...]string{"pressure", "pressure-ended", "overload", "overload-ended", "held", "rung", "released", "refused", "suppressed"}

func (w What) String() string {
	if int(w) < len(whatNames) {
		return whatNames[w]
	}
	return "unknown note"
}
