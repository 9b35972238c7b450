package failover

import (
	"time"

	"moonwatch/consensus"
	"moonwatch/member"
)

// The kinds of facts that this package applies.
const (
	KindCaseOpened consensus.FactKind = "case-opened"
	KindCaseStep   consensus.FactKind = "case-step"
	KindReport     consensus.FactKind = "step-report"
	KindBrake      consensus.FactKind = "brake"
	KindReturned   consensus.FactKind = "member-returned"
	KindEnforcer   consensus.FactKind = "enforcer"
	KindFencer     consensus.FactKind = "fencer"
	KindFenceOrder consensus.FactKind = "fence-order"
)

// CaseOpened begins a case: the occupant of a slot stands under a verdict.
// Traffic is taken away at once, as far as the drain's floor allows.
type CaseOpened struct {
	Slot    member.SlotID    `json:"slot"`
	Subject member.ID        `json:"subject"`
	Epoch   member.SlotEpoch `json:"slot_epoch"`
	Verdict uint64           `json:"verdict"`
}

// CaseStep moves a case from one state to the next. It is a compare-and-swap
// on Version: a step that somebody else took first leaves it without effect.
type CaseStep struct {
	Case    uint64     `json:"case"`
	Version int        `json:"version"`
	To      CaseState  `json:"to"`
	Held    HeldReason `json:"held,omitempty"`
	Rung    Rung       `json:"rung,omitempty"`
	Spare   member.ID  `json:"spare,omitempty"`
	Proof   string     `json:"proof,omitempty"` // of FENCED, where the leader has it
	Detail  string     `json:"detail,omitempty"`
}

// StepKind is what an executor does.
type StepKind string

// The steps of an executor.
const (
	StepActivate StepKind = "activate"
	StepRestart  StepKind = "restart"
	StepStop     StepKind = "stop"
	StepFence    StepKind = "fence" // another member, from outside
)

// Report is an executor's own word about a step of its own. Nobody else's
// counts.
type Report struct {
	Case    uint64           `json:"case,omitempty"` // 0: outside of a case
	Attempt int              `json:"attempt,omitempty"`
	Step    StepKind         `json:"step"`
	Slot    member.SlotID    `json:"slot"`
	Epoch   member.SlotEpoch `json:"slot_epoch"`
	Done    bool             `json:"done"`
	Detail  string           `json:"detail,omitempty"`
	Took    time.Duration    `json:"took,omitempty"`
}

// Returned makes a member that was quarantined a spare again.
type Returned struct {
	Member member.ID `json:"member"`
}
