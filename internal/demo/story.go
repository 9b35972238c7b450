package demo

import (
	"maps"
	"slices"
	"time"

	"moonwatch/agent"
	"moonwatch/consensus"
	"moonwatch/failover"
	"moonwatch/member"
	"moonwatch/shield/gateway"
	"moonwatch/status"
)

// victim is one member that the fault hits, and what it held at that moment.
type victim struct {
	Member member.ID
	Slot   member.SlotID
	Epoch  member.SlotEpoch
	PID    int // of the service: what answers as another process is not it
}

// story follows what comes of one fault. It is told facts, pages, tables and
// answers, each with the moment at which the launcher got it, and keeps what
// the result and the expectation need. It has one owner and asks no clock.
type story struct {
	fault    string
	patience time.Duration // silence before an observer accuses
	hit      time.Time     // with a monotonic reading; wall time for what agents measured
	victims  []victim

	verdict   *found
	condemned member.ID     // the first victim under a down verdict, "": none
	played    time.Duration // all that the story consists of was done, 0: not yet
	longest   time.Duration // that a member was made to stand still, 0: none was
	accused   time.Duration // of the first victim, 0: nobody
	drained   time.Duration // all slots that the fault takes
	served    map[member.SlotID]time.Duration
	serves    map[member.SlotID]answer    // the newest one by slot epoch
	since     map[member.SlotID]time.Time // its first answer came
	relapsed  member.SlotID               // an older occupant answered a later request, "": none
	cases     map[uint64]*caseOf
	claims    []member.ID // spares that a case has claimed
	promoted  []promotion
	failovers int
	restarts  int
	deeds     int
	mode      failover.Mode                   // the worst
	present   failover.Mode                   // as the launcher's page says
	modes     map[failover.Mode]time.Duration // when each was first seen
	last      time.Duration                   // of the last fact
	term      uint64                          // of the council, as the launcher's page says
	elected   time.Duration                   // when a leader after the first one was first seen, the newest; 0: none was
	facts     []told
}

// found is the verdict about the first victim.
type found struct {
	At         time.Duration
	Kind       consensus.VerdictKind
	Downs, Ups int
}

// caseOf is what later facts of a case refer to.
type caseOf struct {
	slot  member.SlotID
	spare member.ID
	epoch member.SlotEpoch // of the present attempt
}

// promotion is a spare that became an occupant.
type promotion struct {
	Slot   member.SlotID    `json:"slot"`
	Member member.ID        `json:"member"`
	Epoch  member.SlotEpoch `json:"slot_epoch"`
	MS     int64            `json:"ms"`
}

// told is one fact as the result lists it.
type told struct {
	MS    int64  `json:"ms"`
	Index uint64 `json:"index"`
	Line  string `json:"line"`
}

func newStory(fault string, patience time.Duration, hit time.Time, victims []victim) *story {
	return &story{
		fault: fault, patience: patience, hit: hit, victims: victims, mode: failover.Normal, present: failover.Normal,
		served: map[member.SlotID]time.Duration{}, serves: map[member.SlotID]answer{}, since: map[member.SlotID]time.Time{}, cases: map[uint64]*caseOf{}, modes: map[failover.Mode]time.Duration{},
	}
}

// up reports that the time of the story is up. A new leader counts every window of the
// brake anew, and on a busy machine councils elect: the time counts from the newest
// election then, for as long as a story more.
func (s *story) up(now time.Duration) bool { return now > storyTime+min(s.elected, storyTime) }

// after is a moment since the fault, at least 1 ns: 0 means "did not happen".
func (s *story) after(at time.Time) time.Duration { return max(1, at.Sub(s.hit)) }

// Fact takes one fact in the ledger's order. A refused one changes nothing but
// is told.
func (s *story) Fact(at time.Time, f consensus.Fact) {
	s.last = s.after(at)
	s.facts = append(s.facts, told{MS: s.last.Milliseconds(), Index: f.Index, Line: status.Line(f)})
	if !f.Accepted {
		return
	}
	switch f.Command.Kind {
	case consensus.KindVerdict:
		if v, err := consensus.DecodePayload[consensus.Verdict](f); err == nil {
			s.judged(v)
		}
	case failover.KindCaseOpened:
		if c, err := consensus.DecodePayload[failover.CaseOpened](f); err == nil {
			s.cases[f.Index] = &caseOf{slot: c.Slot}
		}
	case failover.KindCaseStep:
		if c, err := consensus.DecodePayload[failover.CaseStep](f); err == nil {
			s.stepped(f, c)
		}
	case failover.KindReport:
		// A stop outside of a case is a deed like any other.
		if r, err := consensus.DecodePayload[failover.Report](f); err == nil && r.Step == failover.StepStop {
			s.deeds++
		}
	case failover.KindBrake:
		if b, err := consensus.DecodePayload[failover.Brakes](f); err == nil {
			s.entered(b.Mode(), s.last)
		}
	default: // told, and nothing to count
	}
}

// judged notes the first verdict about the first victim, or a later one if it
// is the one that the story is about.
func (s *story) judged(v consensus.Verdict) {
	for _, x := range v.Findings {
		if x.Kind == consensus.VerdictDown && s.condemned == "" && slices.ContainsFunc(s.victims, func(w victim) bool { return w.Member == x.Subject }) {
			s.condemned = x.Subject
		}
		if x.Subject != s.victims[0].Member || x.Kind == consensus.VerdictUp {
			continue
		}
		wanted := expectations[s.fault].verdict
		if s.verdict != nil && (s.verdict.Kind == wanted || x.Kind != wanted) {
			continue
		}
		c := x.Agent
		if x.Kind == consensus.VerdictServiceDown {
			c = x.Service
		}
		s.verdict = &found{At: s.last, Kind: x.Kind, Downs: c.Downs, Ups: c.Ups}
		s.accused = s.firstAccusation(x, c)
	}
}

// firstAccusation works out from the verdict's votes when the first observer
// accused the subject, for accusations and roll calls leave no fact: patience
// after the last sign of life that any observer had. The votes hold how long
// each had heard nothing, the finding when the median of these began. A service
// that is refused is accused without such evidence; the earliest that can be
// said of it is the verdict.
func (s *story) firstAccusation(x consensus.Finding, c consensus.Count) time.Duration {
	var silent []time.Duration
	for _, v := range c.Votes {
		if d := v.Evidence.SilentFor; v.Stance == agent.Down && d > 0 {
			silent = append(silent, d)
		}
	}
	if len(silent) == 0 || x.SilentSince.IsZero() {
		return s.last
	}
	slices.Sort(silent)
	earliest := x.SilentSince.Add(silent[len(silent)/2] - silent[len(silent)-1])
	return min(max(1, earliest.Add(s.patience).Sub(s.hit.Round(0))), s.last)
}

// stepped counts what is destructive (CONTRACTS, Actions): restart, fence,
// activate and promote.
func (s *story) stepped(f consensus.Fact, p failover.CaseStep) {
	c := s.cases[p.Case]
	if c == nil {
		c = new(caseOf) // opened before the fault: nothing is known of it
		s.cases[p.Case] = c
	}
	switch p.To {
	case failover.Restarting:
		s.restarts++
		s.deeds++
	case failover.Fencing:
		s.failovers++
		s.deeds++
	case failover.Activating:
		c.spare, c.epoch = p.Spare, member.SlotEpoch(f.Index)
		s.claims = append(s.claims, p.Spare)
		s.deeds++
	case failover.Cutover:
		s.promoted = append(s.promoted, promotion{Slot: c.slot, Member: c.spare, Epoch: c.epoch, MS: s.last.Milliseconds()})
		s.deeds++
	default:
	}
}

// Page takes the launcher's own page: only it knows that the council is out of
// reach.
func (s *story) Page(at time.Time, p status.Page) {
	s.present = p.Mode.Name
	if t := p.Council.Term; t > s.term && p.Council.Leader != "" {
		if s.term > 0 {
			s.elected = s.after(at)
		}
		s.term = t
	}
	s.entered(p.Mode.Name, s.after(at))
}

func (s *story) entered(m failover.Mode, at time.Duration) {
	if m == "" {
		return
	}
	if s.modes[m] == 0 {
		s.modes[m] = at
	}
	if m.Rank() > s.mode.Rank() {
		s.mode = m
	}
}

// Table takes a table that the launcher's gateway has just taken.
func (s *story) Table(at time.Time, t gateway.Table) {
	if s.drained != 0 || slices.ContainsFunc(s.victims, func(v victim) bool { return open(t, v) }) {
		return
	}
	s.drained = s.after(at)
}

// open reports whether a table still sends requests to a victim.
func open(t gateway.Table, v victim) bool {
	for _, p := range t.Pools {
		for _, o := range p.Occupants {
			if o.Member == v.Member && o.Slot == v.Slot && o.SlotEpoch == v.Epoch && !o.Drained && !o.Vacant {
				return true
			}
		}
	}
	return false
}

// Answer takes a good answer that came through the gateway, to a request that was
// sent at start.
func (s *story) Answer(start, at time.Time, a answer) {
	switch newest := s.serves[a.Slot]; {
	case a.Epoch >= newest.Epoch && a != newest:
		s.serves[a.Slot], s.since[a.Slot] = a, at
	case a.Epoch < newest.Epoch && start.After(s.since[a.Slot]):
		s.relapsed = a.Slot // one slot, two occupants that visitors reach
	}
	for _, v := range s.victims {
		if a.Slot == v.Slot && a.PID != v.PID && s.served[v.Slot] == 0 && at.After(s.hit) {
			s.served[v.Slot] = s.after(at)
		}
	}
}

// lost is how many slots the victims held. Spares hold none.
func (s *story) lost() int {
	n := 0
	for _, v := range s.victims {
		if v.Slot != "" {
			n++
		}
	}
	return n
}

// servedAll is when the last lost slot served again, 0 while one does not.
func (s *story) servedAll() time.Duration {
	if len(s.served) < max(1, s.lost()) {
		return 0
	}
	return slices.Max(slices.Collect(maps.Values(s.served)))
}
