package scenario

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"moonwatch/member"
	"moonwatch/sim"
)

// PlanVersion is the version of plans that is written and read here. It grows
// when a plan of an older version would be played differently.
const PlanVersion = 1

// Plan is all that a run depends on: a scenario with its chance drawn. The same
// plan gives the same run, byte for byte. It is the file of a replay, and what
// a failing run is shrunk to.
//
// Members and times are concrete where they can be known beforehand. What
// depends on the story itself (who leads, when a case is activating) stays in
// words and is found out in the run, the same in every run.
type Plan struct {
	Version   int          `json:"version"`
	Scenario  string       `json:"scenario"`
	About     string       `json:"about,omitempty"`
	Seed      uint64       `json:"seed"`
	World     World        `json:"world"`
	Storm     Duration     `json:"storm"`  // until then the steps happen
	Settle    Duration     `json:"settle"` // how long it may take afterwards until all is well
	Steps     []PlanStep   `json:"steps"`
	Expect    Expectations `json:"expect,omitzero"`
	Sometimes []string     `json:"sometimes,omitempty"`
}

// World is what the story happens to.
type World struct {
	Fleet   member.Fleet `json:"fleet"`
	Council []member.ID  `json:"council"`
	Delay   Duration     `json:"delay"`
	Jitter  Duration     `json:"jitter"`
	Loss    float64      `json:"loss,omitempty"`
	Sync    Between      `json:"sync"`   // one write of a disk
	Action  Between      `json:"action"` // one action
	Load    []Load       `json:"load,omitempty"`
	Shield  *sim.Shield  `json:"shield,omitempty"`
	// Numbers of the agents that differ from the product's; 0: they do not.
	SnapshotEvery uint64 `json:"snapshot_every,omitempty"`
	KeepEntries   uint64 `json:"keep_entries,omitempty"`
	// Begin is where the fleet stands, if it is a real one; Fleet and Council are
	// then what its ledger says.
	Begin *sim.Snapshot `json:"begin,omitempty"`
}

// Between is a range of durations, drawn evenly.
type Between struct {
	Min Duration `json:"min"`
	Max Duration `json:"max"`
}

// PlanStep is one thing that is done. Its ID is also the place of its dice: a
// plan without one of its steps plays all others as before.
type PlanStep struct {
	ID     int      `json:"id"`
	At     Duration `json:"at,omitempty"` // without On
	On     *Trigger `json:"on,omitempty"`
	Nth    int      `json:"nth,omitempty"`
	Within Duration `json:"within,omitempty"`
	After  Duration `json:"after,omitempty"`

	Do      sim.FaultKind `json:"do"`
	Members []member.ID   `json:"members,omitempty"` // whom, if that is known
	Whom    []Selector    `json:"whom,omitempty"`    // whom, if it is not
	Except  []Selector    `json:"except,omitempty"`
	Others  []member.ID   `json:"others,omitempty"` // the other end of the links, if that is known
	Other   []Selector    `json:"other,omitempty"`  // if it is not
	For     Duration      `json:"for,omitempty"`
	Share   float64       `json:"share,omitempty"`
	Delay   Duration      `json:"delay,omitempty"`
	Every   Duration      `json:"every,omitempty"`
	Serve   bool          `json:"serve,omitempty"`
	Host    string        `json:"host,omitempty"`

	Change *sim.FleetChange `json:"change,omitempty"`

	As    string `json:"as,omitempty"`
	Mends []int  `json:"mends,omitempty"` // steps whose faults it ends
}

// fault is the step as a fault on members that are known now.
func (s *PlanStep) fault(at time.Duration, whom, other []member.ID) sim.Fault {
	return sim.Fault{
		At: at, Do: s.Do, Whom: whom, Other: other, For: time.Duration(s.For), Share: s.Share,
		Delay: time.Duration(s.Delay), Every: time.Duration(s.Every), Serve: s.Serve, Host: s.Host, Change: s.Change,
	}
}

// Encode gives the plan's bytes, for people to read as well: the same for equal
// plans.
func (p *Plan) Encode() ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", " ")
	if err := e.Encode(p); err != nil {
		return nil, fmt.Errorf("encode the plan of %s: %w", p.Scenario, err)
	}
	return b.Bytes(), nil
}

// DecodePlan reads a plan; name is the file's, for the error. A plan of another
// version, with a field that is not known, or with members that are not in its
// fleet is refused.
func DecodePlan(name string, b []byte) (*Plan, error) {
	var of struct {
		Version *int `json:"version"`
	}
	if err := json.Unmarshal(b, &of); err != nil {
		return nil, fmt.Errorf("%s: no plan: %w", name, mistake(b, err))
	}
	switch {
	case of.Version == nil:
		return nil, fmt.Errorf("%s: no plan: version is missing, want %d", name, PlanVersion)
	case *of.Version != PlanVersion:
		return nil, fmt.Errorf("%s: the plan has version %d, this program plays version %d: compile the scenario again with it, or play the plan with the program that wrote it",
			name, *of.Version, PlanVersion)
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	p := &Plan{}
	if err := d.Decode(p); err != nil {
		return nil, fmt.Errorf("%s: %w", name, mistake(b, err))
	}
	if err := p.check(); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return p, nil
}

// check lists what is wrong with a plan that somebody may have edited.
func (p *Plan) check() error {
	var wrong []error
	add := func(format string, args ...any) { wrong = append(wrong, fmt.Errorf(format, args...)) }
	if err := p.World.Fleet.Validate(); err != nil {
		add("world.fleet: %w", err)
	}
	g := newGround(p.World.Fleet, p.World.Council)
	there := func(path string, ids []member.ID) {
		for _, id := range ids {
			if !g.has(id) {
				add("%s: %s is not in the fleet", path, id)
			}
		}
	}
	if len(p.World.Council) == 0 {
		add("world.council is empty, want councillors")
	}
	there("world.council", p.World.Council)
	if most := Duration(longest); p.Storm < 0 || p.Settle < 0 || p.Storm > most || p.Settle > most {
		add("storm is %v and settle %v, want times from 0s to %v", p.Storm, p.Settle, most)
	}
	ids := map[int]bool{}
	for i := range p.Steps {
		s := &p.Steps[i]
		path := fmt.Sprintf("steps[%d]", i)
		if ids[s.ID] {
			add("%s: id %d stands there twice", path, s.ID)
		}
		ids[s.ID] = true
		there(path+".members", s.Members)
		there(path+".others", s.Others)
		if s.On == nil && s.At >= p.Storm && p.Storm > 0 {
			add("%s.at is %v, after the end of all faults: storm is %v", path, s.At, p.Storm)
		}
		if err := s.check(); err != nil {
			add("%s: %w", path, err)
		}
		if s.Change != nil {
			for _, pool := range sortedKeys(s.Change.Pools) {
				if _, ok := p.World.Fleet.Pool(pool); !ok {
					add("%s.change.pools: %s is not in the fleet", path, pool)
				}
			}
		}
		if s.Do == sim.Flood && !p.World.Shield.Floods(s.Host) && len(s.Members)+len(s.Whom) > 0 {
			add("%s: fault flood: has no whom", path)
		}
		if s.Do == sim.Flood && !p.World.Shield.Floods(s.Host) && s.Delay != 0 {
			add("%s: fault flood: has no delay", path)
		}
		if loaded := func(l Load) bool { return l.Host == s.Host }; s.Do == sim.Flood && !p.World.Shield.Floods(s.Host) && !slices.ContainsFunc(p.World.Load, loaded) {
			add("%s: no load comes for host %q, which could be flooded", path, s.Host)
		}
	}
	return errors.Join(wrong...)
}

// notes say what a plan does not show, although it may look so.
func (p *Plan) notes() []string {
	var out []string
	for _, s := range p.Steps {
		note := fmt.Sprintf("the flood of %s is felt by nobody: without a shield occupants bear any load", s.Host)
		if s.Do == sim.Flood && !p.World.Shield.Floods(s.Host) && !slices.Contains(out, note) {
			out = append(out, note)
		}
	}
	return out
}

// check says what is wrong with a step by itself.
func (s *PlanStep) check() error {
	if s.After < 0 || s.Within < 0 {
		return fmt.Errorf("after is %v and within %v, want no negative time", s.After, s.Within)
	}
	if s.Do == Mend {
		return nil
	}
	f := s.fault(time.Duration(s.At), s.Members, s.Others)
	if len(s.Whom) > 0 {
		f.Whom = []member.ID{"somebody"}
	}
	if len(s.Other) > 0 {
		f.Other = []member.ID{"somebody"}
	}
	return f.Check()
}

func (g *ground) has(id member.ID) bool {
	for _, m := range g.fleet.Members {
		if m.ID == id {
			return true
		}
	}
	return false
}
