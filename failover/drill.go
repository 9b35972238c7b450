package failover

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"moonwatch/consensus"
	"moonwatch/member"
)

// A drill is an activation in the shadow: a spare prepares for a slot of its pool and
// takes that back, and never goes live. It proves what no self-test can, it keeps what
// is cached warm, and its time is what the next one will take. One is under way at a
// time, only while all is well, and whatever happens meanwhile ends it: a spare that is
// wanted in earnest is never kept back by a drill.

// The kinds of facts about drills.
const (
	KindDrill      consensus.FactKind = "drill"       // by people
	KindDrillDue   consensus.FactKind = "drill-due"   // by the fleet's policy
	KindDrillEnded consensus.FactKind = "drill-ended" // without the spare's own word
)

// DrillOrdered lets a spare do a drill.
type DrillOrdered struct {
	Member member.ID `json:"member"`
	Reason string    `json:"reason,omitempty"`
}

// DrillEnded says that a spare has said nothing about its drill until the deadline.
type DrillEnded struct {
	Member member.ID        `json:"member"`
	Epoch  member.SlotEpoch `json:"slot_epoch"`
	Detail string           `json:"detail"`
}

// Drill is the one that is under way.
type Drill struct {
	Member   member.ID        `json:"member"`
	Pool     string           `json:"pool"`
	Slot     member.SlotID    `json:"slot"`
	Epoch    member.SlotEpoch `json:"slot_epoch"` // of its own: no slot ever has it
	At       time.Time        `json:"at"`
	Deadline time.Time        `json:"deadline"`
	By       string           `json:"by,omitempty"` // empty: the policy
}

// Drilled is how a member's last drill ended, if it came to an end.
type Drilled struct {
	Epoch member.SlotEpoch `json:"slot_epoch"` // the drill it was
	At    time.Time        `json:"at"`
	Good  bool             `json:"good"`
	Took  time.Duration    `json:"took,omitempty"`
	Says  string           `json:"says,omitempty"` // why it is not good
}

const (
	// drillAgain is when the policy tries a spare again whose drill has failed.
	drillAgain = time.Hour
	// drillPause lies between two drills of the policy, and before the first one of a
	// leader: it may not know yet what is wrong.
	drillPause = time.Minute
	// drillSlack is how much later than its deadline a drill is given up by the leader:
	// the spare's own agent ends it at the deadline and says so.
	drillSlack = 5 * time.Second
	// warmFor is how long a drill keeps a spare warm: a weekly one, and a day.
	warmFor = 8 * 24 * time.Hour
)

// DrillGate says why a member may not do a drill now, nil if it may. A drill that it
// has failed is no reason: another one is how it gets over that.
func (st *State) DrillGate(now time.Time, id member.ID) error {
	if d := st.s.Drill; d != nil {
		return fmt.Errorf("drill of %s: %s does one", id, d.Member)
	}
	m, in := st.ledger.Roster().Member(id)
	pool, known := st.ledger.Fleet().Pool(m.Pool)
	u := st.s.Uses[id]
	switch {
	case !in:
		return fmt.Errorf("drill of %s: no such member in the roster", id)
	case u == nil || !known:
		return fmt.Errorf("drill of %s: it is in no pool", id)
	case pool.Actions.Prepare == "":
		return fmt.Errorf("drill of %s: pool %s has no action that prepares, so there is nothing to try out", id, pool.Name)
	case len(pool.Slots) == 0:
		return fmt.Errorf("drill of %s: pool %s has no slot to prepare for", id, pool.Name)
	case !pool.Armed:
		return fmt.Errorf("drill of %s: pool %s is not armed", id, pool.Name)
	case len(u.Leftover) > 0:
		return fmt.Errorf("drill of %s: it has not said that its last one is taken back", id)
	}
	if err := st.proven(now, id); err != nil {
		return fmt.Errorf("drill of %s: %w", id, err)
	}
	if why := st.drillHeld(now, id, pool.Name); why != "" {
		return fmt.Errorf("drill of %s: %s", id, why)
	}
	return nil
}

// drillHeld says what forbids a drill, or ends the one that is under way; empty if
// nothing does.
func (st *State) drillHeld(now time.Time, id member.ID, pool string) string {
	if u := st.s.Uses[id]; u == nil || u.Duty != Spare {
		return "it is no free spare"
	}
	if v, stands := st.ledger.Standing(id); stands {
		return "it is under a verdict: " + string(v.Kind)
	}
	if open := st.OpenCases(); len(open) > 0 {
		return fmt.Sprintf("case %s goes on", open[0].Name())
	}
	if at, m := st.s.Brake.Worst(Fleet, InDomain(st.ledger.Roster().Domain(id)), InPool(pool)); m.Mode != Normal {
		return fmt.Sprintf("%s is %s: %s", at, m.Mode, m.Why)
	}
	if h := Bound(st.Holds(now), now, st.scopesOf(id, pool)...); h != nil {
		return h.why()
	}
	return ""
}

// drill begins a drill. Its slot is one of the pool's, each in turn.
func (st *State) drill(f consensus.Fact, id member.ID, by string) {
	m, _ := st.ledger.Roster().Member(id)
	pool, _ := st.ledger.Fleet().Pool(m.Pool)
	st.s.Drill = &Drill{
		Member: id, Pool: pool.Name, Slot: pool.Slots[f.Index%uint64(len(pool.Slots))], Epoch: member.SlotEpoch(f.Index),
		At: f.Time, Deadline: f.Time.Add(st.timing().Activate), By: by,
	}
	st.s.DrillAt = f.Time
}

// endDrill ends the drill that is under way. What is prepared has to be taken back,
// whoever the member belongs to by now.
func (st *State) endDrill() *Drill {
	d := st.s.Drill
	st.s.Drill = nil
	if u := st.known(d.Member); u != nil {
		u.left(d.Slot, d.Epoch)
		u.shadow(d.Slot)
	}
	return d
}

// calm ends the drill that is under way where all is not well any more. It says nothing
// about the spare.
func (st *State) calm(now time.Time) {
	d := st.s.Drill
	if d == nil {
		return
	}
	pool, _ := st.ledger.Fleet().Pool(d.Pool)
	if st.drillHeld(now, d.Member, d.Pool) != "" || pool.Actions.Prepare == "" || !slices.Contains(pool.Slots, d.Slot) {
		st.endDrill()
	}
}

// drilling reports that a member does a drill just now.
func (st *State) drilling(id member.ID) bool { return st.s.Drill != nil && st.s.Drill.Member == id }

func (st *State) checkDrilled(by member.ID, p Report) error {
	if d := st.s.Drill; d == nil || d.Member != by || d.Epoch != p.Epoch {
		return fmt.Errorf("report of %s on %s of %s: it does no such drill", by, p.Step, p.Slot)
	}
	return nil
}

func (st *State) checkDrillEnded(p DrillEnded) error {
	if d := st.s.Drill; d == nil || d.Member != p.Member || d.Epoch != p.Epoch {
		return fmt.Errorf("drill of %s at slot epoch %d: it is not under way", p.Member, p.Epoch)
	}
	return nil
}

// drilled books how a drill ended. A spare that failed it has a strike, and is not
// ready until it has done another one, or people say so.
func (st *State) drilled(f consensus.Fact, good bool, says string) {
	d := st.endDrill()
	u := st.s.Uses[d.Member]
	if u == nil {
		return
	}
	u.Drilled = &Drilled{Epoch: d.Epoch, At: f.Time, Good: good, Took: f.Time.Sub(d.At)}
	if !good {
		u.Drilled.Says = says
		st.strike(u, f.Time)
		return
	}
	st.took(d.Pool, f.Time.Sub(d.At))
}

// Drill is the one that is under way, nil if none is; never changed in place.
func (st *State) Drill() *Drill { return st.s.Drill }

// warm reports that a spare has lately done what going live begins with.
func (u *Use) warm(now time.Time) bool {
	return u.Drilled != nil && u.Drilled.Good && now.Sub(u.Drilled.At) < warmFor
}

// drills keeps every spare drilled as its pool's policy wants, the one first whose last
// drill is the oldest, and gives up one that nobody hears of.
func (c *Conductor) drills(now time.Time, out []ConductorEffect) []ConductorEffect {
	st := c.st
	if d := st.s.Drill; d != nil {
		if late := d.Deadline.Sub(d.At) + drillSlack; now.Sub(d.At) >= late || now.Sub(c.seen(now, d.Epoch)) >= late {
			return c.propose(now, out, KindDrillEnded, fmt.Sprintf("drill-ended/%s/%d", d.Member, d.Epoch),
				DrillEnded{Member: d.Member, Epoch: d.Epoch, Detail: "no word within " + d.Deadline.Sub(d.At).String()})
		}
		return out
	}
	if st.ledger.Fleet() == nil || now.Sub(c.from) < drillPause || now.Sub(st.s.DrillAt) < drillPause {
		return out
	}
	var due []member.ID
	for _, m := range st.ledger.Roster().Members {
		pool, ok := st.ledger.Fleet().Pool(m.Pool)
		u := st.s.Uses[m.ID]
		if !ok || pool.Spares.DrillEvery <= 0 || u == nil || u.Duty != Spare || !u.drillDue(now, pool.Spares.DrillEvery) || st.Strikes(now, m.ID) >= StrikesOut {
			continue
		}
		if st.failsElsewhere(now, m.ID, m.Pool) {
			continue
		}
		if Bound(c.heard, now, st.scopesOf(m.ID, m.Pool)...) == nil && st.DrillGate(now, m.ID) == nil {
			due = append(due, m.ID)
		}
	}
	if len(due) == 0 {
		return out
	}
	id := slices.MinFunc(due, func(a, b member.ID) int {
		return cmp.Or(st.s.Uses[a].drilledAt().Compare(st.s.Uses[b].drilledAt()), strings.Compare(string(a), string(b)))
	})
	return c.propose(now, out, KindDrillDue, fmt.Sprintf("drill/%s/%d", id, st.s.Uses[id].drilledAt().UnixMilli()), DrillOrdered{Member: id})
}

// failsElsewhere reports that another spare of a pool has failed its drill and tries
// again. What they prepare from may be what fails: one of them finds out when that is
// over, and the others stay as ready as they were.
func (st *State) failsElsewhere(now time.Time, id member.ID, pool string) bool {
	for _, m := range st.ledger.Roster().Members {
		u := st.s.Uses[m.ID]
		if m.ID == id || m.Pool != pool || u == nil || u.Duty != Spare || u.Drilled == nil || u.Drilled.Good || st.Strikes(now, m.ID) >= StrikesOut {
			continue
		}
		if own := st.s.Uses[id].Drilled; own == nil || own.Good {
			return true
		}
	}
	return false
}

func (u *Use) drilledAt() time.Time {
	if u.Drilled == nil {
		return time.Time{}
	}
	return u.Drilled.At
}

func (u *Use) drillDue(now time.Time, every time.Duration) bool {
	if u.Drilled != nil && !u.Drilled.Good {
		every = min(every, drillAgain)
	}
	return now.Sub(u.drilledAt()) >= every
}

// drillStep is the drill that the ledger shows for this member.
func (e *Executor) drillStep(due []DoStep) []DoStep {
	d := e.st.s.Drill
	if d == nil || d.Member != e.self {
		return due
	}
	return append(due, e.want(StepKey{Step: StepPrepare, Slot: d.Slot, Epoch: d.Epoch}, d.Deadline))
}

// untidy reports that something is still here that was only prepared and is not wanted:
// what comes next would find it in its way.
func (e *Executor) untidy() bool {
	u := e.use()
	for slot := range u.Shadow {
		if held, runs := e.holding[slot]; runs && held <= u.Leftover[slot] {
			return true
		}
	}
	return false
}
