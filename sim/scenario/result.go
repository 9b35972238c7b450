package scenario

import (
	"time"

	"moonwatch/member"
	"moonwatch/sim"
)

// Outcome says how a run ended.
type Outcome string

// The outcomes, and the exit code of a command that ends with one.
const (
	Ok               Outcome = "ok"               // 0
	Missed           Outcome = "missed"           // 3: an expectation of the scenario
	LivenessBroken   Outcome = "liveness"         // 6
	SafetyBroken     Outcome = "safety"           // 7
	Void             Outcome = "void"             // 8: the assumptions of the protocol were left
	NotDeterministic Outcome = "nondeterministic" // 9
)

// Result is what one run of a plan came to. Its JSON is the one line that a
// worker writes, and the object of result.json.
type Result struct {
	Scenario string  `json:"scenario"`
	Seed     uint64  `json:"seed"`
	Outcome  Outcome `json:"outcome"`
	Broken   string  `json:"broken,omitempty"`  // the first broken promise or expectation: its name and what happened
	Promise  string  `json:"promise,omitempty"` // its name: "promise 4", "S3", "L2", an expectation's key
	BrokenMS int64   `json:"broken_ms,omitempty"`

	// Notes are what a reader has to know to take the rest for what it is.
	Notes []string `json:"notes,omitempty"`

	Members   int           `json:"members"`
	Verdicts  int           `json:"verdicts"`       // that condemned a member
	False     int           `json:"false_verdicts"` // of them on members that were well
	DetectMS  []int64       `json:"detect_ms"`      // crash of a member to its verdict, each
	RecoverMS []int64       `json:"recover_ms"`     // loss of a slot's service to service again, each
	Events    uint64        `json:"events"`
	Virtual   time.Duration `json:"virtual_ns"`
	Trace     string        `json:"trace_hash"` // 16 hex digits

	Messages  Spread         `json:"messages_per_member_second"`
	Bytes     Spread         `json:"bytes_per_member_second"`
	Checks    map[string]int `json:"checks"`    // how often each invariant was looked at
	Sometimes map[string]int `json:"sometimes"` // what rarely happens and has to, counted
	Requests  int            `json:"requests"`
	Failed    int            `json:"failed"`

	Shield *sim.Shielded `json:"shield,omitempty"` // what became of floods, where there is a shield

	Story    *Story `json:"story,omitempty"`    // only if it was asked for
	Realised *Plan  `json:"realised,omitempty"` // the plan with everything found out, only if it was asked for
}

// Spread sums numbers up.
type Spread struct {
	Min    float64 `json:"min"`
	Median float64 `json:"median"`
	Max    float64 `json:"max"`
}

// Story is all that a reader of one run may want to see.
type Story struct {
	Members []member.Member `json:"members"`
	Council []member.ID     `json:"council"`
	Events  []Event         `json:"events"` // in the order of time
	Faults  []Band          `json:"faults"`
	Doors   []Door          `json:"doors,omitempty"`
}

// Door is what became of the requests for one host, in each second of the run.
type Door struct {
	Host   string `json:"host"`
	Total  []int  `json:"total"`
	Failed []int  `json:"failed"`
}

// Event is one line of the story.
type Event struct {
	AtMS   int64     `json:"at_ms"`
	Seq    int       `json:"seq"`  // the place among all events and the ends of faults, where times are equal
	Lane   string    `json:"lane"` // "member", "council", "brake", "pool", "case", "checker"
	Member member.ID `json:"member,omitempty"`
	Case   uint64    `json:"case,omitempty"`  // of the lane "case"; 0: a fact that is of no case
	State  string    `json:"state,omitempty"` // what begins here in that lane: "up", "accused", "down", "spare", "standing still", a mode, a leader
	Text   string    `json:"text"`            // for people: a fact as explain would say it
	Raw    string    `json:"raw,omitempty"`   // the happening's kind

	Slot   member.SlotID `json:"slot,omitempty"`   // that is not served from here on
	Served bool          `json:"served,omitempty"` // or is served again, by Member
}

// Band is a fault in its time: whom it struck, from when to when.
type Band struct {
	FromMS int64         `json:"from_ms"`
	ToMS   int64         `json:"to_ms"` // of the end of the run, if it has no end
	Kind   sim.FaultKind `json:"kind"`
	Whom   []member.ID   `json:"whom"`
	Text   string        `json:"text"`
	End    string        `json:"end,omitempty"` // what to say when it ends; empty: nothing ends
	Seq    int           `json:"seq"`           // as of an Event, when it began
	EndSeq int           `json:"end_seq"`       // when it ended
}
