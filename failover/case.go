package failover

import (
	"fmt"
	"slices"
	"time"

	"moonwatch/consensus"
	"moonwatch/member"
)

// CaseState is where a case stands (DESIGN 5).
type CaseState string

// The states of a case.
const (
	Opened     CaseState = "OPEN"
	Draining   CaseState = "DRAINING"
	Held       CaseState = "HELD"
	Ready      CaseState = "READY"
	Restarting CaseState = "RESTARTING"
	Fencing    CaseState = "FENCING"
	Fenced     CaseState = "FENCED"
	Claiming   CaseState = "CLAIMING"
	Activating CaseState = "ACTIVATING"
	Verifying  CaseState = "VERIFYING"
	Cutover    CaseState = "CUTOVER"
	Settling   CaseState = "SETTLING"
	Aborting   CaseState = "ABORTING"
	Escalated  CaseState = "ESCALATED"
	Closed     CaseState = "CLOSED"
)

// HeldReason says what a case waits for. The list is closed, and every reason
// has a runbook.
type HeldReason string

// The reasons for which a case is held.
const (
	HeldBrake     HeldReason = "brake"
	HeldBudget    HeldReason = "budget"
	HeldDisarmed  HeldReason = "disarmed" // by fleet.yaml, or by somebody's command
	HeldPoolEmpty HeldReason = "pool-empty"
	HeldEvidence  HeldReason = "stale-evidence" // the second look was not clear
	HeldFence     HeldReason = "no-fence-proof"
	HeldReserve   HeldReason = "reserve"  // the last spares are kept for worse
	HeldApproval  HeldReason = "approval" // people have been asked to let it go on

	// People forbid it.
	HeldHold        HeldReason = "hold"
	HeldMaintenance HeldReason = "maintenance"
	HeldDryRun      HeldReason = "dry-run"
)

// HeldReasons lists them all.
func HeldReasons() []HeldReason {
	return []HeldReason{
		HeldBrake, HeldBudget, HeldDisarmed, HeldPoolEmpty, HeldEvidence, HeldFence, HeldReserve, HeldApproval,
		HeldHold, HeldMaintenance, HeldDryRun,
	}
}

// Outcome is how a case was closed.
type Outcome string

// The outcomes.
const (
	OutcomeReplaced  Outcome = "replaced"
	OutcomeRestarted Outcome = "restarted"
	OutcomeAborted   Outcome = "aborted" // the verdict was withdrawn before anything irreversible, or a switchover was given up
	OutcomeSwitched  Outcome = "switched-over"
)

// Case is the durable record of one failover. Whoever leads next continues it.
type Case struct {
	ID       uint64                `json:"id"` // ledger index of its first fact
	Slot     member.SlotID         `json:"slot"`
	Pool     string                `json:"pool"`
	Subject  member.ID             `json:"subject"`
	Epoch    member.SlotEpoch      `json:"slot_epoch"` // of the occupant that is lost
	Kind     consensus.VerdictKind `json:"kind"`
	Verdict  uint64                `json:"verdict"`
	State    CaseState             `json:"state"`
	Held     HeldReason            `json:"held,omitempty"`
	Rung     Rung                  `json:"rung,omitempty"` // of a case without a spare
	Why      string                `json:"why,omitempty"`  // the held reason or obstacle in words
	Version  int                   `json:"version"`        // grows with every accepted step
	Since    time.Time             `json:"since"`          // of the present state
	Deadline time.Time             `json:"deadline,omitzero"`
	Silent   time.Time             `json:"silent_since,omitzero"`
	Drained  bool                  `json:"drained"`
	Restart  bool                  `json:"restart,omitempty"` // the present round is a restart in place
	Attempt  int                   `json:"attempt,omitempty"`
	Spare    member.ID             `json:"spare,omitempty"`
	NewEpoch member.SlotEpoch      `json:"new_slot_epoch,omitempty"` // of the present attempt
	Fencee   member.ID             `json:"fencee,omitempty"`         // who is, or was, fenced: the subject, or the spare of an attempt that failed
	// FenceEpoch is the fencee's slot epoch: from FENCING on nobody may run it.
	FenceEpoch member.SlotEpoch `json:"fence_slot_epoch,omitempty"`
	Proof      string           `json:"proof,omitempty"`   // of the fence
	Outside    *Outside         `json:"outside,omitempty"` // the newest order to fence from outside
	Again      *Again           `json:"again,omitempty"`   // the newest time that the fencee was told to stop once more
	Would      time.Time        `json:"would,omitzero"`    // when it would have gone on, were it armed
	Outcome    Outcome          `json:"outcome,omitempty"`
	History    []Passage        `json:"history"`

	Planned bool   `json:"planned,omitempty"` // a switchover, as long as its occupant is well
	Order   *Order `json:"order,omitempty"`   // of the people who wanted it
	Forced  uint64 `json:"forced,omitempty"`  // the request of two people who wanted it at once, and not in order

	Preparing []Preparation `json:"preparing,omitempty"` // spares that it has, and none of them live; never changed in place
}

// Passage is one state that a case went through.
type Passage struct {
	State  CaseState  `json:"state"`
	At     time.Time  `json:"at"`
	Fact   uint64     `json:"fact"`
	Held   HeldReason `json:"held,omitempty"`
	Detail string     `json:"detail,omitempty"`
}

// noProof stands for the proof where none is wanted: a replicated slot, of which
// two occupants do no harm.
const noProof = "none"

// Name is the case's id as people see it.
func (c *Case) Name() string { return fmt.Sprintf("C-%d", c.ID) }

// Open reports whether the case goes on.
func (c *Case) Open() bool { return c.State != Closed }

// inFlight reports that the case has begun what cannot be undone and has not
// yet cut over: what the budget counts as under way.
func (c *Case) inFlight() bool {
	switch c.State {
	case Fencing, Fenced, Claiming, Activating, Verifying, Cutover, Escalated:
		return !c.Restart
	default:
		return false
	}
}

// abortable reports that nothing irreversible has happened yet.
func (c *Case) abortable() bool {
	switch c.State {
	case Opened, Draining, Held, Ready:
		return true
	case Fencing: // the second and later fences are against spares
		return c.Fencee == c.Subject && c.Outside == nil // who was told to switch it off may have done so
	case Restarting, Verifying:
		return c.Restart
	case Fenced: // without a proof, and nobody claimed, it is a word and no deed
		return c.Proof == noProof && c.Spare == ""
	default:
		return false
	}
}

// enter books a passage into the next state.
func (c *Case) enter(s CaseState, f consensus.Fact, detail string) {
	c.State, c.Since, c.Held, c.Rung, c.Why = s, f.Time, "", "", ""
	c.Deadline = time.Time{}
	c.History = append(c.History, Passage{State: s, At: f.Time, Fact: f.Index, Detail: detail})
}

// fencedFrom is the fact with which the present fence began.
func (c *Case) fencedFrom() uint64 {
	for _, p := range slices.Backward(c.History) {
		if p.State == Fencing {
			return p.Fact
		}
	}
	return 0
}
