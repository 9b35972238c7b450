package campaign

import (
	"time"

	"moonwatch/sim/scenario"
)

// Crashed is the outcome of a seed that has no result: its worker crashed or
// hung, or could make nothing of the plan.
const Crashed scenario.Outcome = "crashed"

// Summary is what a campaign came to, over all of its slices. Its JSON is what
// commands print: fields are added, never changed. What was not measured is
// null.
type Summary struct {
	OK       bool   `json:"ok"` // at least one seed was played, and nothing broke or was missed
	Scenario string `json:"scenario"`
	Members  int    `json:"members"`

	Seeds       int     `json:"seeds"`  // that were played, crashed ones included
	Broken      int     `json:"broken"` // neither ok nor void
	FirstBroken *uint64 `json:"first_broken_seed"`
	Interrupted bool    `json:"interrupted"` // before all seeds were played

	Verdicts   int      `json:"verdicts"`
	False      int      `json:"false_verdicts"`
	DetectP50  *int64   `json:"detect_p50_ms"`
	DetectP99  *int64   `json:"detect_p99_ms"`
	RecoverP50 *int64   `json:"recover_p50_ms"`
	RecoverP99 *int64   `json:"recover_p99_ms"`
	Events     uint64   `json:"events"`
	PerSecond  *float64 `json:"events_per_second"` // of wall time
	Virtual    float64  `json:"virtual_seconds"`
	MemberDays float64  `json:"member_days"` // of virtual time
	Wall       float64  `json:"wall_seconds"`
	Peak       *uint64  `json:"peak_bytes"` // memory of the worker that took most
	Requests   int      `json:"requests"`
	Failed     int      `json:"failed"`
	Trace      *string  `json:"trace_hash"` // of the seeds' hashes in the order of seeds; of one seed its own

	Notes     []string                 `json:"notes"` // what a reader has to know to take the rest for what it is
	Outcomes  map[scenario.Outcome]int `json:"outcomes"`
	Checks    map[string]int           `json:"checks"`
	Unchecked []string                 `json:"unchecked"` // of Checks: promises that no seed ever looked at
	Sometimes map[string]int           `json:"sometimes"`
	Never     []string                 `json:"never"`   // of Sometimes: what did not happen in a campaign that is long enough to expect it
	Lacking   []string                 `json:"lacking"` // of the scenario's own list: what did not happen, and has to
	Failures  []Failure                `json:"failures"`
	Voids     []Failure                `json:"voids"` // seeds that left the protocol's assumptions: they show nothing, and count as neither
}

// Failure is a seed that broke something, be it an assumption.
type Failure struct {
	Seed    uint64           `json:"seed"`
	Outcome scenario.Outcome `json:"outcome"`
	Promise string           `json:"promise,omitempty"`
	Broken  string           `json:"broken"`
	At      time.Duration    `json:"at_ns,omitempty"`
	Plan    string           `json:"plan,omitempty"` // the file that replays it
}

// Worst is the outcome that decides about the whole: what matters most to the
// reader of an exit code. A campaign of void seeds alone has shown nothing.
func (s *Summary) Worst() scenario.Outcome {
	for _, o := range []scenario.Outcome{scenario.SafetyBroken, scenario.NotDeterministic, Crashed, scenario.LivenessBroken, scenario.Missed} {
		if s.Outcomes[o] > 0 {
			return o
		}
	}
	switch {
	case len(s.Lacking) > 0:
		return scenario.Missed
	case s.Outcomes[scenario.Void] > 0 && s.Outcomes[scenario.Ok] == 0:
		return scenario.Void
	default:
		return scenario.Ok
	}
}
