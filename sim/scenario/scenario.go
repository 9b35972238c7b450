package scenario

import (
	"time"

	"moonwatch/member"
	"moonwatch/sim"
)

// Scenario is a scenario file that was read and found good.
type Scenario struct {
	Name  string
	About string // one or two sentences for people
	Seed  uint64 // with which it is played if nobody asks for another one

	Net    sim.Net
	Disk   sim.Disk
	Action sim.Span
	Load   []Load
	Shield *sim.Shield // nil: no door holds floods back
	// How many facts lie between two snapshots, and how many raft entries are
	// kept for councillors that lag a little; 0: as in the product.
	SnapshotEvery, KeepEntries uint64

	Duration time.Duration // the storm, from the beginning of the world
	Settle   time.Duration // how long it may take afterwards until all is well
	Steps    []Step
	Swarm    *Swarm // drawn from the seed, besides the steps
	Expect   Expectations
	// Sometimes is what rarely happens and has to in a campaign of this scenario.
	Sometimes []string

	layout *layout // nil: the fleet was written out
	ground *ground
	wild   bool // everything is drawn by sim.Swarm
}

// Drawn reports whether chance decides what happens: then a campaign that is
// long enough should see everything. Of a story that is told, most is not meant
// to happen.
func (s *Scenario) Drawn() bool { return s.wild || s.Swarm != nil }

// Members is how many the fleet has.
func (s *Scenario) Members() int { return len(s.ground.fleet.Members) }

// Load is how many requests come for a host.
type Load struct {
	Host string  `json:"host"`
	Pool string  `json:"pool"`
	RPS  float64 `json:"rps"`
}

// Mend is what a step does that ends the faults of earlier steps.
const Mend sim.FaultKind = "mend"

// Step is one line of a scenario: what is done, to whom, and when.
type Step struct {
	At     time.Duration // since the beginning of the world; without On
	On     *Trigger      // what it waits for
	Nth    int           // which time that happens, from 1
	Within time.Duration // the latest, since the beginning, at which it has to have happened; 0: never is fine
	After  time.Duration // how long after that

	Do     sim.FaultKind
	Whom   []Selector
	Except []Selector
	Other  []Selector
	For    time.Duration
	Share  float64
	Delay  time.Duration
	Every  time.Duration
	Serve  bool
	Host   string
	Change *sim.FleetChange
	As     string // the name by which later steps mean what this one struck
}

// Swarm says how faults are drawn from the seed.
type Swarm struct {
	Faults     Range
	Kinds      []Weight
	QuietAfter time.Duration // all of them have ended by then
}

// Weight says how often a kind is drawn, compared with the others.
type Weight struct {
	Kind   sim.FaultKind
	Weight int
}

// slotsOf are the slots of a fleet.
func slotsOf(f member.Fleet) []member.SlotID {
	var all []member.SlotID
	for _, p := range f.Pools {
		all = append(all, p.Slots...)
	}
	return all
}
