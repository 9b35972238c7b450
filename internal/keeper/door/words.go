package door

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"moonwatch/internal/keeper"
	"moonwatch/member"
)

// Version is the protocol's. Both sides say theirs with every line; a keeper
// outlives upgrades of its agent, so a new version has to go on answering this.
const Version = 1

// lineLimit bounds a request, in bytes: a lease has 300. answerLimit bounds an answer: a
// status has 200 for each slot that this machine had since it was booted, of which a spare
// of a large pool sees hundreds.
const (
	lineLimit   = 8 << 10
	answerLimit = 1 << 20
)

// What an agent may ask.
const (
	doHand    = "hand"    // a lease
	doEnter   = "enter"   // be one of the slot's processes
	doRelease = "release" // stop the slot and forget its lease
	doStatus  = "status"
)

// request is one line to the keeper.
type request struct {
	Version int              `json:"v"`
	Do      string           `json:"do"`
	Lease   *keeper.Lease    `json:"lease,omitempty"`
	Slot    member.SlotID    `json:"slot,omitempty"`
	Epoch   member.SlotEpoch `json:"slot_epoch,omitempty"`
}

// reply is one line back.
type reply struct {
	Version  int              `json:"v"`
	Refused  string           `json:"refused,omitempty"`
	Standing *keeper.Standing `json:"standing,omitempty"`
	Status   *Status          `json:"status,omitempty"`
}

// Status is what a keeper tells about itself. An agent publishes it: a lease
// proves something only while its enforcer does.
type Status struct {
	Started  time.Time         `json:"started"`
	Boot     string            `json:"boot"`
	Dir      string            `json:"dir"`                // of its records; it names the keeper
	Owns     string            `json:"owns"`               // what holds a slot's processes: cgroup v1, cgroup v2 or session
	Watchdog string            `json:"watchdog,omitempty"` // the device; empty: none
	Gate     Gate              `json:"gate,omitzero"`      // what the kernel holds back
	Test     Test              `json:"test"`               // the last self-test
	Disk     string            `json:"disk,omitempty"`     // why records cannot be written
	Slots    []keeper.Standing `json:"slots,omitempty"`
}

// Gate tells how what slots send is held back while they have no fresh lease.
type Gate struct {
	Name    string `json:"name,omitempty"`    // what it is and where; empty: there is none
	None    string `json:"none,omitempty"`    // why there is none
	Test    string `json:"test,omitempty"`    // what the last self-test said of it: good, or what was wrong
	Trouble string `json:"trouble,omitempty"` // why it was not told the newest lease
}

// TestValid is how long a self-test proves that the enforcer works (PROTOCOL 6).
const TestValid = 15 * time.Minute

// Test is a self-test: a process that shows no goodwill was put under a lease,
// and ended when the lease did.
type Test struct {
	At   time.Duration `json:"at"`   // since the machine was booted; 0: none yet
	Good bool          `json:"good"` // it was seen to end in time
	Took time.Duration `json:"took"` // from the end of its lease to the confirmed stop
	Note string        `json:"note,omitempty"`
}

// Enforces says why the keeper's word is no proof at this moment, in the same
// boot of the machine; nil if it is one.
func (s Status) Enforces(now time.Duration) error {
	switch {
	case s.Test.At == 0:
		return errors.New("keeper: no self-test yet")
	case !s.Test.Good:
		return fmt.Errorf("keeper: its self-test failed: %s", s.Test.Note)
	case now-s.Test.At > TestValid:
		return fmt.Errorf("keeper: its last self-test is %v old, want at most %v", (now - s.Test.At).Round(time.Second), TestValid)
	}
	return nil
}

// decode reads one line strictly.
func decode(line []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(line))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("more than one object in a line")
	}
	return nil
}

// wanting lists what is missing in a request, or too much.
func (r request) wanting() error {
	switch {
	case r.Version != Version:
		return fmt.Errorf("version is %d, this keeper speaks %d", r.Version, Version)
	case r.Do == doHand && (r.Lease == nil || r.Slot != "" || r.Epoch != 0):
		return errors.New("hand wants a lease, and slot and slot epoch in it alone")
	case (r.Do == doEnter || r.Do == doRelease) && (r.Slot == "" || r.Epoch == 0 || r.Lease != nil):
		return fmt.Errorf("%s wants slot and slot_epoch, and no lease", r.Do)
	case r.Do == doStatus && (r.Slot != "" || r.Epoch != 0 || r.Lease != nil):
		return errors.New("status wants nothing else")
	case r.Do != doHand && r.Do != doEnter && r.Do != doRelease && r.Do != doStatus:
		return fmt.Errorf("do is %q, want hand, enter, release or status", r.Do)
	case r.Slot != "" && !isName(r.Slot), r.Lease != nil && !isName(r.Lease.Slot):
		return errors.New("slot is no name of a slot")
	}
	return nil
}

// isName accepts what fleet.yaml accepts as a slot's name: it becomes the name
// of a file and of a group.
func isName(slot member.SlotID) bool {
	if len(slot) == 0 || len(slot) > member.MaxNameLength || slot[0] == '.' || slot[0] == '-' {
		return false
	}
	for _, c := range []byte(slot) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '.' && c != '_' {
			return false
		}
	}
	return true
}
