// Package status decides what people are shown of a cluster: the page, a line
// per fact, and the answer to "why?" for a verdict, a case or a member.
//
// A History folds the applied facts as far as the ledger's own state does not
// keep them. Build takes it together with the ledger, the failover state and
// what the agent itself knows, and returns a Page: a plain value that nobody
// changes any more and that may be handed to any goroutine. Everything that is
// shown or printed comes from it, so page, JSON and command line cannot differ.
//
// The package asks no clock and does no I/O. History has one owner, who calls
// Apply once for each fact, in order, and calls Build between two facts.
package status

import (
	"time"

	"moonwatch/agent"
	"moonwatch/consensus"
	"moonwatch/failover"
	"moonwatch/member"
)

// Schema is the version of the Page's JSON form. It grows when a field changes
// its meaning or goes away, not when one is added.
const Schema = 1

// Page is all that one agent shows at one moment. Lists are sorted the way
// they are shown.
type Page struct {
	Schema    int             `json:"schema"`
	Now       time.Time       `json:"now"`
	Cluster   string          `json:"cluster"` // empty: this agent's ledger is empty
	Headline  string          `json:"headline"`
	Self      Self            `json:"self"`
	Mode      Mode            `json:"mode"`
	Council   Council         `json:"council"`
	Knowledge Knowledge       `json:"knowledge"`
	Budget    Budget          `json:"budget"`
	Holds     []Hold          `json:"holds"`    // what people forbid, oldest first
	Requests  []Request       `json:"requests"` // of what takes two people, open ones first, then newest first
	Pools     []Pool          `json:"pools"`
	Slots     []Slot          `json:"slots"`
	Doors     []Door          `json:"doors,omitempty"` // that members tell of each change
	Drill     *failover.Drill `json:"drill,omitempty"` // the one under way
	Members   []Member        `json:"members"`         // those in trouble first, then by failure domain and name
	Unlisted  []Unlisted      `json:"unlisted,omitempty"`
	Verdicts  []Verdict       `json:"verdicts"`            // newest first, at most 100
	Cases     []Case          `json:"cases"`               // open ones first, then newest first
	Scores    []Scored        `json:"scores,omitempty"`    // what was done or would have been, and what turned out; newest first, at most 200
	Facts     []FactLine      `json:"facts"`               // newest first, at most 500
	Telling   Telling         `json:"telling,omitzero"`    // how people are told; set by who runs the herald
	Withdrawn []Withdrawn     `json:"withdrawn,omitempty"` // keys of members and operators, the last one first
	Stats     []Stat          `json:"stats,omitempty"`
}

// Self is the agent that shows the page.
type Self struct {
	Name       member.ID `json:"name"`
	Version    string    `json:"version,omitempty"`
	Listed     bool      `json:"listed"`            // in the roster; an unlisted agent watches and votes for nobody
	Console    bool      `json:"console,omitempty"` // unlisted by intent: it only shows pages
	Councillor bool      `json:"councillor"`
}

// Mode says how much is allowed now, and why. It stands first on every screen.
type Mode struct {
	Name   failover.Mode `json:"name"`
	Means  string        `json:"means"` // what is allowed in it
	Since  time.Time     `json:"since,omitzero"`
	Why    string        `json:"why,omitempty"`
	Ends   string        `json:"ends,omitempty"`
	Open   []member.ID   `json:"open,omitempty"`   // the members in trouble when it was entered
	Scopes []Scope       `json:"scopes,omitempty"` // failure domains and pools with a mode of their own
}

// Scope is the mode of one failure domain or pool.
type Scope struct {
	Scope failover.Scope `json:"scope"`
	Name  failover.Mode  `json:"name"`
	Since time.Time      `json:"since"`
	Why   string         `json:"why"`
	Ends  string         `json:"ends"`
}

// Council is who agrees on facts, as far as this agent knows.
type Council struct {
	Councillors []member.ID `json:"councillors"`
	Leader      member.ID   `json:"leader,omitempty"` // empty: none known
	Term        uint64      `json:"term"`
	Quorum      bool        `json:"quorum"`

	Learners []member.ID `json:"learners,omitempty"` // kept warm, without a vote
	Swapping bool        `json:"swapping,omitempty"` // a joint change is under way
	Lost     []LostSeat  `json:"lost,omitempty"`     // councillors and learners that cannot be counted on
	Waits    string      `json:"waits,omitempty"`    // why a lost one is not swapped, if this agent leads
	OneSided string      `json:"one_sided,omitempty"`
}

// LostSeat is a councillor or learner that cannot be counted on.
type LostSeat struct {
	Member member.ID `json:"member"`
	Seat   uint64    `json:"seat"`
	Why    string    `json:"why"`
	Since  time.Time `json:"since,omitzero"`
}

// Knowledge says how far this agent's copy of the ledger reaches and how old
// it may be.
type Knowledge struct {
	Head     uint64    `json:"head"`      // index of the last fact
	Hash     string    `json:"hash"`      // the last link of the audit chain
	LastFact time.Time `json:"last_fact"` // the ledger's time
	Current  bool      `json:"current"`   // the council is heard: what is shown is what stands
	AsOf     time.Time `json:"as_of"`     // nothing after this moment is known
	// Blocked says why this agent stopped deciding: it met a fact that it does
	// not understand.
	Blocked string `json:"blocked,omitempty"`
}

// Age is how old the knowledge is, 0 while it is current.
func (k Knowledge) Age(now time.Time) time.Duration { return max(0, now.Sub(k.AsOf)) }

// Budget is how many replacements may still begin.
type Budget struct {
	InFlight      int     `json:"in_flight"`
	MayFly        int     `json:"may_fly"`
	Spent         int     `json:"spent"` // within the window
	MaySpend      int     `json:"may_spend"`
	WindowSeconds float64 `json:"window_seconds"`
}

// Hold is an order of people to leave a scope alone.
type Hold struct {
	ID     string            `json:"id"`
	Key    string            `json:"key"` // what a command that lifts it names
	Kind   failover.HoldKind `json:"kind"`
	Means  string            `json:"means"`
	Scope  failover.Scope    `json:"scope"`
	Reason string            `json:"reason"`
	By     string            `json:"by"`
	Signed bool              `json:"signed"` // by an operator's key
	Given  time.Time         `json:"given"`
	Until  time.Time         `json:"until,omitzero"`
	Fact   uint64            `json:"fact,omitempty"` // 0: the council does not have it yet
}

// Request is what an operator asked for that takes two people.
type Request struct {
	ID         string                `json:"id"`
	Index      uint64                `json:"index"`
	Act        failover.Act          `json:"act"`
	About      string                `json:"about"` // a case or a scope
	Asks       string                `json:"asks"`  // in words
	Reason     string                `json:"reason"`
	By         string                `json:"by"`
	Given      time.Time             `json:"given"`
	Alone      bool                  `json:"alone,omitempty"` // no second operator is needed if nobody vetoes it
	State      failover.RequestState `json:"state"`
	Open       bool                  `json:"open"`
	Means      string                `json:"means"`                 // what its state means
	Ends       time.Time             `json:"ends,omitzero"`         // when that ends by itself
	Void       string                `json:"void,omitempty"`        // why an open one comes to nothing any more
	AnsweredBy string                `json:"answered_by,omitempty"` // who approved or, last, rejected it
	Answered   time.Time             `json:"answered,omitzero"`
	Why        string                `json:"why,omitempty"` // it was rejected
	// Consequence says what becomes of the cases that a rejected one has set going.
	Consequence string `json:"consequence,omitempty"`

	Plan  string   `json:"plan"`  // hash of what is approved
	Steps []string `json:"steps"` // the plan in words
}

// Pool is one pool with its spares.
type Pool struct {
	Name        string `json:"name"`
	Exclusive   bool   `json:"exclusive,omitempty"`
	Armed       bool   `json:"armed"` // false: everything is recorded as "would have"
	Slots       int    `json:"slots"`
	Serving     int    `json:"serving"`
	Free        int    `json:"free"`              // spares that a case could claim, as far as verdicts and proofs tell
	Claimed     int    `json:"claimed"`           // spares that a case is putting in
	Condemned   int    `json:"condemned"`         // spares under a verdict
	Unready     int    `json:"unready,omitempty"` // spares that have not proven lately that they are ready
	Quarantined int    `json:"quarantined"`
	BurnIn      int    `json:"burn_in"`
	Floor       int    `json:"floor"`           // below this many free spares people are told
	Warm        int    `json:"warm"`            // how many are wanted
	Lent        int    `json:"lent,omitempty"`  // members that stand in for other pools
	Check       string `json:"check,omitempty"` // what observers ask its slots' services, in words; empty: nothing

	Prepares *failover.Estimate `json:"prepares,omitempty"` // how long a spare likely takes; nil: it goes live in one step
}

// Short reports that people are to be told: fewer free spares than the floor.
func (p Pool) Short() bool { return p.Free < p.Floor }

// SlotState is one word for how a slot does.
type SlotState string

// The states of a slot.
const (
	SlotServing SlotState = "serving"
	SlotTrouble SlotState = "in-trouble" // its occupant is under a verdict and still gets traffic
	SlotDrained SlotState = "drained"    // traffic goes elsewhere
	SlotVacant  SlotState = "vacant"
	// SlotStarting: its occupant has not said yet that the service is up.
	SlotStarting SlotState = "starting"
)

// Slot is a place in the cluster and who holds it.
type Slot struct {
	ID       member.SlotID    `json:"id"`
	Pool     string           `json:"pool"`
	State    SlotState        `json:"state"`
	Occupant member.ID        `json:"occupant,omitempty"`
	Epoch    member.SlotEpoch `json:"slot_epoch"`
	Since    time.Time        `json:"since,omitzero"` // of the occupant
	Drained  bool             `json:"drained"`
	Away     *failover.Order  `json:"away,omitempty"`    // people took its traffic away
	Vacated  *failover.Order  `json:"vacated,omitempty"` // people took it away from its last occupant
	Case     string           `json:"case,omitempty"`    // the open one
}

// Member is one line of the roster with all that is known about it.
type Member struct {
	ID         member.ID             `json:"id"`
	Domain     member.FailureDomain  `json:"failure_domain"`
	Pool       string                `json:"pool,omitempty"`
	Home       string                `json:"home,omitempty"` // its own pool, while it stands in for another one
	Duty       failover.Duty         `json:"duty,omitempty"` // empty: without a pool it has none
	Slot       member.SlotID         `json:"slot,omitempty"`
	Case       string                `json:"case,omitempty"`    // open, and about this member or its work
	Verdict    consensus.VerdictKind `json:"verdict,omitempty"` // the one it stands under; empty: none, it is up
	VerdictID  string                `json:"verdict_id,omitempty"`
	Since      time.Time             `json:"since,omitzero"` // of the verdict
	Accused    bool                  `json:"accused,omitempty"`
	Mute       bool                  `json:"mute,omitempty"` // its agent says that its ledger is blocked, so it tells nobody anything
	InView     bool                  `json:"in_view"`        // this agent's gossip believes it alive; a hint, never a verdict
	Addr       string                `json:"addr,omitempty"`
	Councillor bool                  `json:"councillor,omitempty"`
	Leader     bool                  `json:"leader,omitempty"`
	Falls      int                   `json:"falls,omitempty"`   // graver verdicts since the last quiet day
	Strikes    int                   `json:"strikes,omitempty"` // how often it failed lately
	Ready      bool                  `json:"ready,omitempty"`   // proven, and the proof is young enough
	NotReady   string                `json:"not_ready,omitempty"`
	Proven     time.Time             `json:"proven,omitzero"` // when it last spoke about its own readiness
	LastUsed   time.Time             `json:"last_used,omitzero"`
	Drilled    *failover.Drilled     `json:"drilled,omitempty"`  // how its last drill ended
	Leftover   []member.SlotID       `json:"leftover,omitempty"` // what may still run here and must be seen stopped
	Observers  []member.ID           `json:"observers,omitempty"`
	Cert       *Cert                 `json:"cert,omitempty"`     // nil: this agent has not met it since it was started
	CertEnds   time.Time             `json:"cert_ends,omitzero"` // as its agent says; zero: this agent has heard nothing of it
	Expelled   string                `json:"expelled,omitempty"` // why nothing is taken from it: its certificate was withdrawn
}

// Trouble reports that somebody should look at the member.
func (m Member) Trouble() bool { return m.Verdict != "" || m.Accused || !m.InView || m.Expelled != "" }

// Unlisted is an agent that gossip knows and the roster does not: it probes
// nothing and votes nowhere. Retired members stand here too when their agent is gone,
// until they are forgotten.
type Unlisted struct {
	ID      member.ID `json:"id"`
	Addr    string    `json:"addr,omitempty"` // empty: gossip sees no such agent
	Retired bool      `json:"retired,omitempty"`
}

// Verdict is a committed verdict with the votes that made it.
type Verdict struct {
	ID       string               `json:"id"`
	Index    uint64               `json:"index"`
	At       time.Time            `json:"at"`
	Domain   member.FailureDomain `json:"failure_domain,omitempty"` // of a domain-cut
	Term     uint64               `json:"term"`
	Roster   member.RosterEpoch   `json:"roster_epoch"`
	Findings []Finding            `json:"findings"`
}

// Finding is the verdict about one member.
type Finding struct {
	Subject     member.ID             `json:"subject"`
	Kind        consensus.VerdictKind `json:"kind"`
	Incarnation member.Incarnation    `json:"incarnation,omitempty"`
	Withdrawn   bool                  `json:"withdrawn,omitempty"`
	SilentSince time.Time             `json:"silent_since,omitzero"`
	Tallies     []Tally               `json:"tallies"` // about the agent, and about the service if it can be checked
}

// Tally is one count of votes as it was committed.
type Tally struct {
	Of       string `json:"of"` // agent or service
	Assigned int    `json:"assigned"`
	Eligible int    `json:"eligible"`
	Needed   int    `json:"needed"` // down votes that decide: the observer quorum
	Downs    int    `json:"downs"`
	Ups      int    `json:"ups"`
	OneSided bool   `json:"one_sided,omitempty"`
	Votes    []Vote `json:"votes"`
}

// Vote is one observer's word as it was counted.
type Vote struct {
	Observer member.ID            `json:"observer"`
	Domain   member.FailureDomain `json:"failure_domain"`
	Stance   string               `json:"stance"`
	Reason   agent.Reason         `json:"reason,omitempty"`
	Fresh    bool                 `json:"fresh"`              // answered the roll call; false: its standing vote
	Since    time.Time            `json:"since,omitzero"`     // when the leader first heard this word of it; zero: the leader's build does not tell
	Evidence string               `json:"evidence,omitempty"` // what it saw, in words
}

// Case is one failover from the verdict to its end.
type Case struct {
	ID       string                `json:"id"`
	Index    uint64                `json:"index"`
	Slot     member.SlotID         `json:"slot"`
	Pool     string                `json:"pool"`
	Subject  member.ID             `json:"subject"`
	Kind     consensus.VerdictKind `json:"kind"`
	Verdict  string                `json:"verdict"`
	State    failover.CaseState    `json:"state"`
	Since    time.Time             `json:"since"`
	Deadline time.Time             `json:"deadline,omitzero"`
	Open     bool                  `json:"open"`
	Held     failover.HeldReason   `json:"held,omitempty"`
	HeldBy   string                `json:"held_by,omitempty"` // the held reason in words
	Runbook  string                `json:"runbook,omitempty"` // the held reason's page: its path in the repository
	Why      string                `json:"why,omitempty"`     // the obstacle, with its numbers
	Gate     string                `json:"gate,omitempty"`    // what a replacement would be held by at Now
	Drained  bool                  `json:"drained"`
	Epoch    member.SlotEpoch      `json:"slot_epoch"` // of the occupant that is lost
	Spare    member.ID             `json:"spare,omitempty"`
	NewEpoch member.SlotEpoch      `json:"new_slot_epoch,omitempty"`
	Attempt  int                   `json:"attempt,omitempty"`
	Executor member.ID             `json:"executor,omitempty"` // who has to do a step now
	Step     failover.StepKind     `json:"step,omitempty"`
	Proof    string                `json:"proof,omitempty"` // of the fence
	Would    time.Time             `json:"would,omitzero"`  // when it would have gone on, were it armed
	Outcome  failover.Outcome      `json:"outcome,omitempty"`
	Planned  bool                  `json:"planned,omitempty"` // a switchover whose occupant is well
	Order    *failover.Order       `json:"order,omitempty"`   // of the people who wanted it
	Next     string                `json:"next"`
	Passages []Passage             `json:"passages"`
}

// Passage is one state that a case went through.
type Passage struct {
	State  failover.CaseState  `json:"state"`
	At     time.Time           `json:"at"`
	Fact   uint64              `json:"fact"`
	Held   failover.HeldReason `json:"held,omitempty"`
	Detail string              `json:"detail,omitempty"`
}

// FactLine is one fact of the ledger in one line.
type FactLine struct {
	Index    uint64             `json:"index"`
	At       time.Time          `json:"at"`
	Kind     consensus.FactKind `json:"kind"`
	By       member.ID          `json:"by,omitempty"`
	Accepted bool               `json:"accepted"`
	Line     string             `json:"line"`
}

// Stat is one figure of the agent itself, as it is shown: "memory", "18 MiB".
type Stat struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}
