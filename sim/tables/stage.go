package tables

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"moonwatch/consensus"
	"moonwatch/failover"
	"moonwatch/member"
	"moonwatch/sim"
)

// stage is one world of an experiment, with the naive policy beside it and the
// verdicts of both written down.
type stage struct {
	*sim.World
	naive *sim.Naive
	dice  *rand.Rand
	from  time.Duration // when measuring began
	row   Row
	ours  []condemned
	sick  map[member.ID]bool // whom it is right to condemn
}

// condemned is one member's verdict, as it was committed.
type condemned struct {
	id member.ID
	at time.Duration
}

const (
	warm  = 25 * time.Second // until a fleet has started, serves, and its observers' windows are full
	ready = 5 * time.Second  // until the naive policy has seen everybody answer
)

// grown is how many members a fleet has that was founded long before: where so
// many start at once, they fetch each other's certificates for longer than an
// experiment lasts.
const grown = 200

// newStage lets a world come up. Nothing is measured before.
func newStage(cfg sim.Config, seed uint64) (*stage, error) {
	cfg.Seed = seed
	if len(cfg.Fleet.Members) >= grown {
		var err error
		if cfg, err = sim.Founded(cfg); err != nil {
			return nil, err
		}
	}
	w, err := sim.New(cfg)
	if err != nil {
		return nil, err
	}
	s := &stage{World: w, dice: rand.New(rand.NewPCG(seed, 0)), sick: map[member.ID]bool{}}
	s.row.Seeds, s.row.Members = []uint64{seed}, len(cfg.Fleet.Members)
	if err := w.Run(warm); err != nil {
		return nil, err
	}
	if w.Leader() == "" {
		return nil, fmt.Errorf("seed %d: nobody leads after %v", seed, warm)
	}
	s.naive = sim.NewNaive(w, sim.DefaultNaive())
	w.Watch(s.look)
	if err := w.Run(ready); err != nil {
		return nil, err
	}
	s.from = w.Now()
	return s, nil
}

// look writes down what the ledger says.
func (s *stage) look(h sim.Happening) {
	if h.What != sim.Agreed || !h.Fact.Accepted {
		return
	}
	switch h.Fact.Command.Kind {
	case consensus.KindVerdict:
		v, err := consensus.DecodePayload[consensus.Verdict](*h.Fact)
		if err == nil {
			s.verdict(h.At, v)
		}
	case failover.KindCaseStep:
		p, err := consensus.DecodePayload[failover.CaseStep](*h.Fact)
		if err == nil && p.To == failover.Fencing {
			s.row.Ours.Replaced++ // the brake lets none through in a cascade: the checker sees to that
		}
	default: // says nothing about members
	}
}

func (s *stage) verdict(at time.Duration, v consensus.Verdict) {
	n := 0
	for _, f := range v.Findings {
		switch f.Kind {
		case consensus.VerdictUp:
		case consensus.VerdictPartial:
			s.row.Ours.Told++
		default:
			s.ours = append(s.ours, condemned{f.Subject, at})
			n++
			if !s.sick[f.Subject] {
				s.row.Ours.Healthy++
			}
		}
	}
	s.row.Ours.Condemned += n
	if n > 0 {
		s.row.Ours.Decisions++
	}
}

// verdictOn is when either policy first condemned a member since a time.
func (s *stage) verdictOn(id member.ID, since time.Duration) (ours, naive time.Duration) {
	if i := slices.IndexFunc(s.ours, func(c condemned) bool { return c.id == id && c.at >= since }); i >= 0 {
		ours = s.ours[i].at
	}
	log := s.naive.Verdicts()
	if i := slices.IndexFunc(log, func(v sim.NaiveVerdict) bool { return v.Subject == id && v.At >= since }); i >= 0 {
		naive = log[i].At
	}
	return ours, naive
}

// found books how long both policies took to find a fault; what took longer
// than limit was missed.
func (s *stage) found(id member.ID, since, limit time.Duration) {
	ours, naive := s.verdictOn(id, since)
	s.row.Ours.found(ours, since, limit)
	s.row.Naive.found(naive, since, limit)
}

func (s *Score) found(at, since, limit time.Duration) {
	if at == 0 || at-since > limit {
		s.Missed++
		return
	}
	s.DetectMS = append(s.DetectMS, (at - since).Milliseconds())
}

// fall and recover say whom it is right to condemn from now on.
func (s *stage) fall(ids ...member.ID) {
	s.count()
	for _, id := range ids {
		s.sick[id] = true
		s.row.Faults++
	}
}

func (s *stage) recover(id member.ID) {
	s.count()
	delete(s.sick, id)
}

// count books what the naive policy did since it was last looked at.
func (s *stage) count() {
	n := &s.row.Naive
	for _, v := range s.naive.Verdicts()[n.Condemned:] {
		n.Condemned++
		n.Decisions++ // one at a time
		if !s.sick[v.Subject] {
			n.Healthy++
		}
		if v.Replaced {
			n.Replaced++
			if v.Cascade {
				n.Cascading++
			}
		} else if v.Occupant {
			n.Dry = 1
		}
	}
}

// end fills the row. A broken promise is part of the result.
func (s *stage) end(err error) Row {
	s.count()
	r := s.row
	r.Seconds = (s.Now() - s.from).Seconds()
	if err != nil {
		r.Broken = []string{err.Error()}
	}
	r.Naive.Vacant = s.naive.Vacant()
	return r
}

// failed is the row of a world that did not even come up.
func failed(seed uint64, members int, err error) Row {
	return Row{Seeds: []uint64{seed}, Members: members, Broken: []string{err.Error()}}
}

// some draws k different members for which ok holds, sorted.
func (s *stage) some(k int, ok func(member.ID) bool) []member.ID {
	var out []member.ID
	list := s.State().Ledger().Roster().Members
	for _, i := range s.dice.Perm(len(list)) {
		if id := list[i].ID; len(out) < k && ok(id) {
			out = append(out, id)
		}
	}
	slices.Sort(out)
	return out
}

// span draws a duration evenly.
func (s *stage) span(from, to time.Duration) time.Duration {
	return from + time.Duration(s.dice.Int64N(int64(to-from)+1))
}

// fleet is a fleet of n members; of seven, the demo's.
func fleet(n int) sim.Config {
	if n == 7 {
		return sim.Demo()
	}
	return sim.Fleet(n)
}
