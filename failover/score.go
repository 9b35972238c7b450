package failover

import (
	"fmt"
	"slices"
	"time"

	"moonwatch/consensus"
	"moonwatch/member"
)

// A pool that is not armed, and a dry run, write down what would have been done. What
// that was worth shows later: whether the member was really gone, came back by itself,
// or had been there all the time. The same is asked of what was really done.

// KindWould is the fact that a case would have gone on, had it been armed.
const KindWould consensus.FactKind = "would"

// Deed is what a case does, or would have done.
type Deed string

// The deeds.
const (
	DeedReplace Deed = "replace"
	DeedRestart Deed = "restart"
)

// Would says that every gate but arming lets a case go on, and that its second roll
// call agrees: at this moment it would have begun.
type Would struct {
	Case  uint64    `json:"case"`
	Deed  Deed      `json:"deed"`
	Spare member.ID `json:"spare,omitempty"` // the best one at that moment
}

// Score is one member that was replaced, or would have been replaced or restarted,
// and what turned out later.
type Score struct {
	Case    uint64                `json:"case"`
	Slot    member.SlotID         `json:"slot"`
	Pool    string                `json:"pool"`
	Subject member.ID             `json:"subject"`
	Kind    consensus.VerdictKind `json:"kind"`
	Deed    Deed                  `json:"deed"`
	Would   bool                  `json:"would,omitempty"` // false: it was done
	At      time.Time             `json:"at"`
	Silent  time.Time             `json:"silent_since"`
	Life    member.Incarnation    `json:"life"`           // that was condemned
	Back    time.Time             `json:"back,omitzero"`  // when it was found up again
	Same    bool                  `json:"same,omitempty"` // in the life that was condemned
	Left    time.Time             `json:"left,omitzero"`  // people took it out of the fleet
}

// Fate is what turned out about a member.
type Fate string

// The fates.
const (
	FateUnknown  Fate = "not known yet"
	FateDead     Fate = "dead"      // it has not come back, or people took it away
	FateReturned Fate = "came back" // by itself, in another life or after its service had failed
	FateUp       Fate = "was up"    // all the time: a stall or the network, and not its death
)

// DeadAfter is how long a member is gone before it counts as dead: nobody waits
// longer for one that comes back by itself.
const DeadAfter = 10 * time.Minute

const keptScores = 512 // a year of a fleet of 300 that loses one member a day

// Fate says what has turned out by now. An agent that answers again in its old life
// was never down: a machine that was has started it anew. Of a service that fails
// below a living agent nothing of that kind can be told.
func (s Score) Fate(now time.Time) Fate {
	switch {
	case !s.Back.IsZero() && s.Same && s.Kind == consensus.VerdictDown:
		return FateUp
	case !s.Back.IsZero():
		return FateReturned
	case !s.Left.IsZero(), now.Sub(s.Silent) >= DeadAfter:
		return FateDead
	default:
		return FateUnknown
	}
}

// Scores lists what is known, oldest first.
func (st *State) Scores() []Score { return st.s.Scores }

// checkWould holds what has to be true for a case that would have gone on.
func (st *State) checkWould(now time.Time, p Would) error {
	c, ok := st.s.Cases[p.Case]
	switch {
	case !ok || !c.Open():
		return fmt.Errorf("would: no such case C-%d is open", p.Case)
	case !c.Would.IsZero():
		return fmt.Errorf("would: %s would have gone on at %s already", c.Name(), c.Would.Format(time.RFC3339))
	case c.State != Draining && c.State != Held:
		return fmt.Errorf("would: %s is %s", c.Name(), c.State)
	}
	is, would := st.ReplaceGate, st.replaceGate
	if p.Deed == DeedRestart {
		is, would = st.RestartGate, st.restartGate
	}
	if reason, _ := is(now, c); reason != HeldDisarmed && reason != HeldDryRun {
		return fmt.Errorf("would: %s is not kept back by arming or a dry run", c.Name())
	}
	if reason, why := would(now, c, true); reason != "" {
		return fmt.Errorf("would: %s would have been held all the same: %s: %s", c.Name(), reason, why)
	}
	return nil
}

// wouldHave applies it.
func (st *State) wouldHave(f consensus.Fact, p Would) {
	c := st.s.Cases[p.Case]
	c.Would = f.Time
	st.score(f, c, p.Deed, true)
}

// score books what a case does, or would have done: one entry per case.
func (st *State) score(f consensus.Fact, c *Case, d Deed, would bool) {
	v, _ := st.ledger.Standing(c.Subject)
	st.unscore(c)
	st.s.Scores = append(st.s.Scores, Score{
		Case: c.ID, Slot: c.Slot, Pool: c.Pool, Subject: c.Subject, Kind: v.Kind, Deed: d, Would: would,
		At: f.Time, Silent: c.Silent, Life: v.Incarnation,
	})
	if n := len(st.s.Scores); n > keptScores {
		st.s.Scores = st.s.Scores[n-keptScores:]
	}
}

// unscore takes back what a case was going to do. The list is a new one: others of
// this process may share it.
func (st *State) unscore(c *Case) {
	st.s.Scores = slices.DeleteFunc(slices.Clone(st.s.Scores), func(s Score) bool { return s.Case == c.ID })
}

// foundUp notes that a member is back.
func (st *State) foundUp(f consensus.Fact, x consensus.Finding) {
	st.turnsOut(func(s *Score) {
		if s.Subject == x.Subject {
			s.Back, s.Same = f.Time, s.Life == x.Incarnation
		}
	})
}

// left notes who is not in the fleet any more.
func (st *State) left(f consensus.Fact) {
	st.turnsOut(func(s *Score) {
		if st.s.Uses[s.Subject] == nil {
			s.Left = f.Time
		}
	})
}

// turnsOut changes the scores of which nothing is known yet.
func (st *State) turnsOut(do func(*Score)) {
	if len(st.s.Scores) == 0 {
		return
	}
	all := slices.Clone(st.s.Scores)
	for i := range all {
		if all[i].Back.IsZero() && all[i].Left.IsZero() {
			do(&all[i])
		}
	}
	st.s.Scores = all
}

// would proposes to write down what a case would do now.
func (c *Conductor) would(now time.Time, x *Case, d Deed, out []ConductorEffect) []ConductorEffect {
	p := Would{Case: x.ID, Deed: d}
	if !x.Would.IsZero() || c.st.checkWould(now, p) != nil {
		return out
	}
	if d == DeedReplace {
		p.Spare = c.st.FreeSpares(now, x)[0]
	}
	return c.propose(now, out, KindWould, "would/"+x.Name(), p)
}
