package failover

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"moonwatch/consensus"
	"moonwatch/member"
)

// A fence from outside does not need the fencee: another member switches off its
// power, or its port at a switch, and sees that it is off (PROTOCOL 6). It is
// ordered by a fact of its own, because it cannot be taken back, and runs beside
// whatever else could prove the same.

// Fencer is an agent's word on whom its fence devices reach, by level, as far as
// they answered when they were last asked.
type Fencer struct {
	Can map[member.ID][]string `json:"can,omitempty"` // power, network
}

// FenceOrder tells one member to fence the fencee of a case. Like a step it is a
// compare-and-swap on Version.
type FenceOrder struct {
	Case    uint64    `json:"case"`
	Version int       `json:"version"`
	Level   string    `json:"level"`
	By      member.ID `json:"by"`
}

// Outside is the newest order to fence from outside.
type Outside struct {
	Level    string    `json:"level"`
	By       member.ID `json:"by"`
	Attempt  int       `json:"attempt"`
	At       time.Time `json:"at"`
	Deadline time.Time `json:"deadline"`
	Failed   string    `json:"failed,omitempty"` // why it gave no proof
}

// fromOutside are the levels that another member can bring about.
var fromOutside = []string{"power", "network"}

const (
	outsideWithin = time.Minute      // a controller answers in seconds and switches off in ten; some need a second telling
	outsideAgain  = 10 * time.Second // between two orders of one case: the same controller answers no sooner
)

func (st *State) checkFencer(by member.ID, p Fencer) error {
	roster := st.ledger.Roster()
	if _, in := roster.Member(by); !in {
		return fmt.Errorf("fencer %s: not in the roster", by)
	}
	for _, id := range slices.Sorted(maps.Keys(p.Can)) {
		if _, in := roster.Member(id); !in || id == by {
			return fmt.Errorf("fencer %s: %s is no other member", by, id)
		}
		for _, level := range p.Can[id] {
			if !slices.Contains(fromOutside, level) {
				return fmt.Errorf("fencer %s: level %q of %s, want power or network", by, level, id)
			}
		}
	}
	return nil
}

func (st *State) fencerSaid(f consensus.Fact, p Fencer) {
	if st.s.Fencers == nil {
		st.s.Fencers = map[member.ID]Fencer{}
	}
	st.s.Fencers[f.Command.Proposer] = p
	if len(p.Can) == 0 {
		delete(st.s.Fencers, f.Command.Proposer)
	}
}

// Fencer is what the ledger knows a member to be able to fence.
func (st *State) Fencer(id member.ID) Fencer { return st.s.Fencers[id] }

// fencers lists who could fence a member at a level now, in the order of their
// names. A condemned one could be the one that is cut off.
func (st *State) fencers(level string, fencee member.ID) []member.ID {
	var all []member.ID
	for _, id := range slices.Sorted(maps.Keys(st.s.Fencers)) {
		_, condemned := st.ledger.Standing(id)
		_, in := st.ledger.Roster().Member(id)
		if in && !condemned && id != fencee && slices.Contains(st.s.Fencers[id].Can[fencee], level) {
			all = append(all, id)
		}
	}
	return all
}

// fencedOutside says which level from outside a pool takes that somebody could bring
// about against a member, empty if none.
func (st *State) fencedOutside(pool member.Pool, fencee member.ID) string {
	for _, level := range pool.Fence {
		if slices.Contains(fromOutside, level) && len(st.fencers(level, fencee)) > 0 {
			return level
		}
	}
	return ""
}

// takesOwnWord reports that the fencee's own word, or its keeper's, is a proof for
// its pool: one that is fenced from outside alone trusts neither.
func (st *State) takesOwnWord(c *Case) bool {
	pool, _ := st.ledger.Fleet().Pool(c.Pool)
	return slices.ContainsFunc(pool.Fence, func(level string) bool { return !slices.Contains(fromOutside, level) })
}

// checkFenceOrder holds the gates of an order. What is lost in a cascade may be lost by
// one cause; nobody is switched off then.
func (st *State) checkFenceOrder(now time.Time, p FenceOrder) error {
	c, ok := st.s.Cases[p.Case]
	if !ok {
		return fmt.Errorf("fence order: no case C-%d", p.Case)
	}
	pool, _ := st.ledger.Fleet().Pool(c.Pool)
	switch {
	case c.Version != p.Version:
		return fmt.Errorf("case %s: fence order from version %d, it is at %d", c.Name(), p.Version, c.Version)
	case !c.fencing():
		return fmt.Errorf("case %s: %s, and fences nobody", c.Name(), c.State)
	case c.Outside.underWay(now):
		return fmt.Errorf("case %s: %s is told already, until %s", c.Name(), c.Outside.By, c.Outside.Deadline.Format(time.TimeOnly))
	case !slices.Contains(fromOutside, p.Level) || !slices.Contains(pool.Fence, p.Level):
		return fmt.Errorf("case %s: pool %s is not fenced by %s", c.Name(), c.Pool, p.Level)
	case !slices.Contains(st.fencers(p.Level, c.Fencee), p.By):
		return fmt.Errorf("case %s: %s cannot switch off the %s of %s", c.Name(), p.By, p.Level, c.Fencee)
	}
	if !st.condemnedOutside(c) {
		return fmt.Errorf("case %s: %s is under no verdict that asks for it", c.Name(), c.Fencee)
	}
	if !pool.Armed {
		return fmt.Errorf("case %s: fence held: %s: pool %s is not armed", c.Name(), HeldDisarmed, c.Pool)
	}
	if reason, why := st.holdGate(now, c); reason != "" {
		return fmt.Errorf("case %s: fence held: %s: %s", c.Name(), reason, why)
	}
	if reason, why := st.brakeGate(now, c, true); reason != "" {
		return fmt.Errorf("case %s: fence held: %s: %s", c.Name(), reason, why)
	}
	return nil
}

// condemnedOutside reports that the fencee is condemned, and that nobody asks it any
// more to stop by itself: who is switched off for a planned step, or while it may
// still answer, was well.
func (st *State) condemnedOutside(c *Case) bool {
	v, stands := st.ledger.Standing(c.Fencee)
	return stands && (v.Kind == consensus.VerdictDown || v.Kind == consensus.VerdictServiceDown && c.State == Escalated)
}

// fencing reports that the case has somebody to fence and no proof yet.
func (c *Case) fencing() bool {
	return (c.State == Fencing || c.State == Escalated) && c.Proof == "" && c.Fencee != ""
}

func (o *Outside) underWay(now time.Time) bool {
	return o != nil && o.Failed == "" && now.Before(o.Deadline)
}

func (st *State) orderFence(f consensus.Fact, p FenceOrder) {
	c := st.s.Cases[p.Case]
	c.Version++
	n := 1
	if c.Outside != nil {
		n = c.Outside.Attempt + 1
	}
	c.Outside = &Outside{Level: p.Level, By: p.By, Attempt: n, At: f.Time, Deadline: f.Time.Add(outsideWithin)}
	// A passage of the present state: the fence began when it began.
	c.History = append(c.History, Passage{State: c.State, At: f.Time, Fact: c.fencedFrom(), Detail: fmt.Sprintf("%s switches off the %s of %s", p.By, p.Level, c.Fencee)})
}

// OutsideStep is the fence that another member has to bring about now.
func (c *Case) OutsideStep() (by member.ID, attempt int, due bool) {
	if !c.fencing() || c.Outside == nil || c.Outside.Failed != "" {
		return "", 0, false
	}
	return c.Outside.By, c.Outside.Attempt, true
}

// checkOutside refuses the word of anybody but the one who was told.
func (c *Case) checkOutside(by member.ID, p Report) error {
	told, attempt, due := c.OutsideStep()
	if !due || by != told || p.Attempt != attempt || p.Epoch != c.FenceEpoch {
		return fmt.Errorf("report of %s on %s of %s: not the fence that the case waits for", by, p.Step, c.Name())
	}
	return nil
}

// switchedOff applies the word of the one who was told. Its evidence stands in the
// passage: which device said what, how often.
func (st *State) switchedOff(f consensus.Fact, c *Case, p Report) {
	if !p.Done {
		o := *c.Outside // others of this process may share it
		o.Failed = p.Detail
		c.Outside = &o
		c.Why = "no proof by " + c.Outside.Level + ": " + p.Detail
		return
	}
	c.Proof = c.Outside.Level
	c.enter(Fenced, f, p.Detail)
}

// nextOutside is the order that is due now, if any.
func (st *State) nextOutside(now time.Time, c *Case) (level string, by member.ID, due bool) {
	if !c.fencing() || c.Outside.underWay(now) || c.Outside != nil && now.Sub(c.Outside.At) < outsideAgain {
		return "", "", false
	}
	if !st.condemnedOutside(c) {
		return "", "", false // one that answers is asked to stop it itself
	}
	turn := 0
	if c.Outside != nil {
		turn = c.Outside.Attempt
	}
	return st.outsideTurn(c, turn)
}

// outsideTurn is who is told, and at which level, after so many orders of one fence. The
// pool's levels stand in the order in which they are tried: one that has proven nothing in
// its orders gives way to the next one that somebody can bring about, and after the last
// one the first has its turn again, for as long as the case wants a proof. What was ordered
// before follows from the number of orders alone, so a level whose fencers come or go
// meanwhile may have one order more or less in that round.
func (st *State) outsideTurn(c *Case, turn int) (level string, by member.ID, due bool) {
	levels := st.outsideLevels(c)
	round := 0
	for _, level := range levels {
		round += ordersOf(len(st.fencers(level, c.Fencee)))
	}
	if round == 0 {
		return "", "", false
	}
	rounds, left := turn/round, turn%round
	for _, level := range levels {
		able := st.fencers(level, c.Fencee)
		n := ordersOf(len(able))
		if left < n {
			return level, able[(rounds*n+left)%len(able)], true
		}
		left -= n
	}
	return "", "", false // not reached: left < round
}

// outsideLevels lists the pool's levels from outside in their order, up to the first one
// that still proves the same by itself.
func (st *State) outsideLevels(c *Case) []string {
	pool, _ := st.ledger.Fleet().Pool(c.Pool)
	var levels []string
	for _, level := range pool.Fence {
		switch {
		case slices.Contains(fromOutside, level):
			levels = append(levels, level)
		case (level == "lease" || level == "watchdog") && st.waits(c):
			return levels
		default: // none and self: it is silent, or has tried
		}
	}
	return levels
}

// ordersOf is how many orders of a round a level has that so many members can bring about,
// each of which takes ten seconds to a minute in vain. Each of them has one, for it may be
// its way to the device that is broken; a single one has two, for a controller may want a
// second telling; and what three did not prove, in turn, is the device's fault: the others
// of a large fleet have theirs in later rounds.
func ordersOf(fencers int) int {
	if fencers == 0 {
		return 0
	}
	return min(max(fencers, 2), 3)
}

// orderFence proposes the fence from outside that is due. In a cascade it waits.
func (c *Conductor) orderFence(now time.Time, x *Case, out []ConductorEffect) []ConductorEffect {
	level, by, due := c.st.nextOutside(now, x)
	if !due {
		return out
	}
	p := FenceOrder{Case: x.ID, Version: x.Version, Level: level, By: by}
	if c.st.checkFenceOrder(now, p) != nil {
		return out
	}
	return c.propose(now, out, KindFenceOrder, fmt.Sprintf("%s/%d/%s/%s", x.Name(), x.Version, level, by), p)
}

// outsideDue lists the fences that this member has to bring about.
func (e *Executor) outsideDue(due []DoStep) []DoStep {
	for _, c := range e.st.OpenCases() {
		by, attempt, ok := c.OutsideStep()
		if !ok || by != e.self {
			continue
		}
		due = append(due, DoStep{
			Key:  StepKey{Case: c.ID, Attempt: attempt, Step: StepFence, Slot: c.Slot, Epoch: c.FenceEpoch},
			Pool: c.Pool, Action: c.Outside.Level, Subject: c.Fencee, Deadline: c.Outside.Deadline,
		})
	}
	return due
}
