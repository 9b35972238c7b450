package scenario

import (
	"moonwatch/consensus"
	"moonwatch/failover"
)

// Expectations are what a scenario expects of its story, beside the promises
// that hold in every one. What is not set is not asked.
type Expectations struct {
	DetectP50  Duration `json:"detect_p50,omitempty"`  // crash of a member to its verdict
	DetectP99  Duration `json:"detect_p99,omitempty"`  // likewise
	RecoverMax Duration `json:"recover_max,omitempty"` // loss of a slot's service to service again

	Verdicts      *Range          `json:"verdicts,omitempty"`       // members condemned, each time counted
	Verdict       []WantedVerdict `json:"verdict,omitempty"`        // who has to be condemned, and how
	FalseVerdicts *Range          `json:"false_verdicts,omitempty"` // on members that were well

	Failovers   *Range `json:"failovers,omitempty"`   // slots that went to another member
	Restarts    *Range `json:"restarts,omitempty"`    // of services in place
	Destructive *Range `json:"destructive,omitempty"` // steps that agents carried out for cases

	ModeMax failover.Mode   `json:"mode_max,omitempty"` // the most binding one
	Modes   []failover.Mode `json:"modes,omitempty"`    // each of these was reached

	OccupantChanged []Selector `json:"occupant_changed,omitempty"` // slots, or whose
	OccupantKept    []Selector `json:"occupant_kept,omitempty"`
	ServedBy        []Server   `json:"served_by,omitempty"` // at the end

	FailedRequestsMax *int   `json:"failed_requests_max,omitempty"`
	Quorum            string `json:"quorum,omitempty"` // the council's: kept all the time, or lost at some time

	ShieldWanted

	Facts []string `json:"facts,omitempty"` // stand in the transcript, in this order
	Never []string `json:"never,omitempty"` // stand nowhere in it
}

// WantedVerdict is a verdict that has to come, or none.
type WantedVerdict struct {
	Whom Selector              `json:"whom"`
	Kind consensus.VerdictKind `json:"kind"` // none: never condemned
}

// noVerdict is the kind of a verdict that must not come.
const noVerdict consensus.VerdictKind = "none"

// Server is who has to serve a slot at the end.
type Server struct {
	Slot Selector `json:"slot"`
	By   Selector `json:"by"`
}

// The answers to Expectations.Quorum.
const (
	quorumKept = "kept"
	quorumLost = "lost"
)
