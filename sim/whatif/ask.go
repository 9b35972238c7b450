package whatif

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"moonwatch/consensus"
	"moonwatch/member"
	"moonwatch/sim"
	"moonwatch/sim/scenario"
)

// Question is what is asked, and of which fleet.
type Question struct {
	Fleet   member.Fleet
	Council []member.ID   // empty: chosen as the fleet's own councillors would be
	Begin   *sim.Snapshot // where a real fleet stands; Fleet and Council are then its own
	Old     time.Duration // how long ago the agent that was asked last knew that it knows all; 0: it does
	Says    []string      // the faults, in words
	Seed    uint64
	For     time.Duration // how long to look on after the first fault
	RPS     float64       // requests a second to each host, 0: 100
}

// settled is how long a fleet that begins anew gets until it is at rest, and one
// that goes on until its agents are.
const settled = 30 * time.Second

// lookOn is how long a question looks on if nobody says.
const lookOn = 5 * time.Minute

// usualRPS is the load on each host if nobody says.
const usualRPS = 100

// Posed is a question that was understood, ready to be played.
type Posed struct {
	Plan  *scenario.Plan
	Old   time.Duration // of the question
	Deeds []Deed
	At    time.Duration // of the moment from which the answer counts
	Stand sim.Stand
}

// Pose understands a question. All sentences that are not understood are in the
// error.
func Pose(q Question) (*Posed, error) {
	stand, err := q.stand()
	if err != nil {
		return nil, err
	}
	deeds, err := understood(q.Says, Fleet{Fleet: &stand.Fleet, Council: stand.Council, Occupants: stand.Occupants})
	if err != nil {
		return nil, err
	}
	calm := sim.Calm()
	between := func(s sim.Span) scenario.Between {
		return scenario.Between{Min: scenario.Duration(s.Min), Max: scenario.Duration(s.Max)}
	}
	watch := q.For
	if watch <= 0 {
		watch = lookOn
	}
	for _, d := range deeds {
		if d.At >= watch {
			return nil, fmt.Errorf("%q: %w: it begins after the end, for %v are looked at", d.Says, ErrNotUnderstood, watch)
		}
	}
	p := &scenario.Plan{
		Version: scenario.PlanVersion, Scenario: "whatif", Seed: q.Seed,
		World: scenario.World{
			Fleet: stand.Fleet, Council: stand.Council, Begin: q.Begin,
			Delay: scenario.Duration(calm.Net.Delay), Jitter: scenario.Duration(calm.Net.Jitter),
			Sync: between(calm.Disk.Sync), Action: between(calm.Action), Load: loads(stand.Fleet, q.RPS),
		},
		Storm: scenario.Duration(settled + watch), Steps: []scenario.PlanStep{},
	}
	for i, d := range deeds {
		s := scenario.PlanStep{
			ID: i + 1, At: scenario.Duration(settled + d.At), Do: d.Do, Members: d.Whom, Others: d.Other,
			For: scenario.Duration(d.For), Share: d.Share, Delay: scenario.Duration(d.Delay), Serve: d.Serve,
		}
		if d.Leader {
			leader, err := scenario.ParseSelector("leader")
			if err != nil {
				return nil, err
			}
			s.Whom = []scenario.Selector{leader}
		}
		p.Steps = append(p.Steps, s)
	}
	return &Posed{Plan: p, Old: q.Old, Deeds: deeds, At: settled, Stand: stand}, nil
}

// stand is where the fleet of the question stands.
func (q Question) stand() (sim.Stand, error) {
	if q.Begin != nil {
		return q.Begin.Read()
	}
	if err := q.Fleet.Validate(); err != nil {
		return sim.Stand{}, err
	}
	s := sim.Stand{
		Fleet: q.Fleet, Council: q.Council, Occupants: map[member.SlotID]member.ID{},
		Condemned: map[member.ID]consensus.VerdictKind{},
	}
	if len(s.Council) == 0 {
		s.Council = councilOf(q.Fleet)
	}
	taken := map[member.ID]bool{}
	for _, p := range q.Fleet.Pools {
		for _, slot := range p.Slots {
			for _, m := range q.Fleet.Members {
				if m.Pool == p.Name && !taken[m.ID] && !m.Retired {
					taken[m.ID], s.Occupants[slot] = true, m.ID
					break
				}
			}
		}
	}
	return s, nil
}

// councilOf chooses councillors among the members that may be: 3 up to six
// members, 5 from seven, from each failure domain in turn.
func councilOf(f member.Fleet) []member.ID {
	seats := 5
	if len(f.Members) < 7 {
		seats = 3
	}
	by := map[member.FailureDomain][]member.ID{}
	var domains []member.FailureDomain
	for _, m := range f.Members {
		if !m.Council {
			continue
		}
		if len(by[m.Domain]) == 0 {
			domains = append(domains, m.Domain)
		}
		by[m.Domain] = append(by[m.Domain], m.ID)
	}
	var out []member.ID
	for more := true; more && len(out) < seats; {
		more = false
		for _, d := range domains {
			if len(by[d]) > 0 && len(out) < seats {
				out, by[d], more = append(out, by[d][0]), by[d][1:], true
			}
		}
	}
	if len(out)%2 == 0 && len(out) > 0 {
		out = out[:len(out)-1] // an even council loses as many and wins nothing
	}
	slices.Sort(out)
	return out
}

// loads sends requests to the first host of each pool.
func loads(f member.Fleet, rps float64) []scenario.Load {
	if rps <= 0 {
		rps = usualRPS
	}
	var out []scenario.Load
	for _, p := range f.Pools {
		host := hostsOf(p)[0]
		if !slices.ContainsFunc(out, func(l scenario.Load) bool { return l.Host == host }) {
			out = append(out, scenario.Load{Host: host, Pool: p.Name, RPS: rps})
		}
	}
	return out
}

// hostsOf are the hosts of a pool. One without any has its name for one, so that
// requests can be told from those to others.
func hostsOf(p member.Pool) []string {
	if len(p.Hosts) == 0 {
		return []string{p.Name}
	}
	return p.Hosts
}

func understood(says []string, f Fleet) ([]Deed, error) {
	if len(says) == 0 {
		return nil, fmt.Errorf("%w: nothing was said", ErrNotUnderstood)
	}
	var deeds []Deed
	var wrong []error
	for _, x := range says {
		d, err := Understand(x, f)
		if err != nil {
			wrong = append(wrong, err)
			continue
		}
		deeds = append(deeds, d)
	}
	return deeds, errors.Join(wrong...)
}
