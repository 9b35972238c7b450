package keeper

import (
	"time"

	"moonwatch/member"
)

// Lease is a grant of the council as the agent hands it over.
type Lease struct {
	Slot  member.SlotID    `json:"slot"`
	Epoch member.SlotEpoch `json:"slot_epoch"`
	// Boot names the life of the machine in which Sent was read.
	Boot string `json:"boot"`
	// Sent is when the renewal was sent that this grants, since the machine was
	// booted. Not when the grant came: the council counts from no later moment.
	Sent   time.Duration `json:"sent"`
	Timing Timing        `json:"timing"`
}

// Until is when the stop begins unless a newer lease comes.
func (l Lease) Until() time.Duration { return l.Sent + l.Timing.Stop }

// Record is what of a slot outlives the keeper, on the disk.
type Record struct {
	Slot    member.SlotID    `json:"slot"`
	Highest member.SlotEpoch `json:"highest_slot_epoch"` // leases of lower ones are refused
	// Released says that the highest one was given back: it gets no lease again.
	Released bool   `json:"released,omitempty"`
	Stops    int    `json:"stops,omitempty"`
	Lease    *Lease `json:"lease,omitempty"` // the newest; an older one on the disk only stops earlier
}

// State is how a slot stands with the keeper.
type State string

// The states.
const (
	Vacant   State = "vacant"   // no lease, and nothing of it runs
	Held     State = "held"     // under a fresh lease
	Stopping State = "stopping" // being stopped, and not yet seen to have ended
	Unknown  State = "unknown"  // the stop was not confirmed in time; it is still tried
)

// Standing tells about one slot.
type Standing struct {
	Slot  member.SlotID    `json:"slot"`
	Epoch member.SlotEpoch `json:"slot_epoch"`
	State State            `json:"state"`
	// Stops counts how often the keeper ended the slot under this slot epoch because
	// nobody had a lease for what ran.
	Stops   int           `json:"stops,omitempty"`
	Left    time.Duration `json:"left,omitempty"` // until the stop begins; negative: since it should have
	Running int           `json:"running"`        // processes of the slot at the last look
	Detail  string        `json:"detail,omitempty"`
}

// Ask is an id that the caller gives to what it wants answered.
type Ask uint64

// Event is what a Keeper can be told. The set is closed.
type Event interface{ isEvent() }

// Handed is a lease that the agent hands over.
type Handed struct {
	Ask   Ask
	Lease Lease
}

// Entering is a process that asks to be the slot's: it has done nothing yet, and
// goes on only if it is let in.
type Entering struct {
	Ask   Ask
	Slot  member.SlotID
	Epoch member.SlotEpoch
	PID   int
}

// Entered tells how an Admit ended; an empty Err is success.
type Entered struct {
	Ask  Ask
	Slot member.SlotID
	Err  string
}

// Released asks to stop the slot and to forget its lease. It is answered when
// nothing of the slot runs any more, or when that cannot be confirmed.
type Released struct {
	Ask   Ask
	Slot  member.SlotID
	Epoch member.SlotEpoch
}

// Looked tells how many processes of a slot there are; with an Err nothing is
// known.
type Looked struct {
	Slot    member.SlotID
	Running int
	Err     string
}

// Armed tells how an Arm ended: the time-out that the device really has.
type Armed struct {
	Timeout time.Duration
	Err     string
}

// Woken tells that the time of Wake has come.
type Woken struct{}

func (Handed) isEvent()   {}
func (Entering) isEvent() {}
func (Entered) isEvent()  {}
func (Released) isEvent() {}
func (Looked) isEvent()   {}
func (Armed) isEvent()    {}
func (Woken) isEvent()    {}

// Effect is what a Keeper wants done. The set is closed.
type Effect interface{ isEffect() }

// Answer answers an Ask. Refused says why not; then nothing has changed.
type Answer struct {
	Ask      Ask
	Refused  string
	Standing Standing
}

// Admit makes a process one of the slot's and answers with Entered.
type Admit struct {
	Ask  Ask
	Slot member.SlotID
	PID  int
}

// Signal asks all processes of a slot to end, or ends them.
type Signal struct {
	Slot member.SlotID
	Kill bool
}

// Look counts the processes of a slot and answers with Looked.
type Look struct{ Slot member.SlotID }

// Save puts a record on the disk. Nothing waits for it: until it is there, an
// older one stops the slot earlier, and none at all stops it at once.
type Save struct{ Record Record }

// Arm opens the watchdog with this time-out and answers with Armed.
type Arm struct{ Timeout time.Duration }

// Feed puts the watchdog's reset off by its time-out.
type Feed struct{}

// Disarm closes the watchdog for good: nothing runs that it would have to end.
type Disarm struct{}

// Open lets what the slot's processes send pass the gate until then, since the
// machine was booted, and no longer, whatever happens to the keeper. Nothing waits
// for it, and there may be no gate.
type Open struct {
	Slot  member.SlotID
	Until time.Duration
}

// Shut lets nothing of the slot pass the gate any more.
type Shut struct{ Slot member.SlotID }

func (Answer) isEffect() {}
func (Admit) isEffect()  {}
func (Signal) isEffect() {}
func (Look) isEffect()   {}
func (Save) isEffect()   {}
func (Arm) isEffect()    {}
func (Feed) isEffect()   {}
func (Disarm) isEffect() {}
func (Open) isEffect()   {}
func (Shut) isEffect()   {}
