package sim

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"moonwatch/consensus"
	"moonwatch/failover"
	"moonwatch/member"
)

// books are what the checker remembers about the accepted facts: made from
// their payloads alone, and simpler than the state that the product folds.
type books struct {
	members   []member.Member      // of the fleet
	pools     map[member.ID]string // of the roster's members
	slots     map[member.SlotID]*slotBook
	seats     map[member.ID]member.SlotID // who occupies what
	cases     map[uint64]*caseBook
	claims    map[member.ID]uint64   // spare to the case that has it
	dirty     map[member.ID]stains   // what may be left of slots on a member that it has no more
	aside     map[member.ID]bool     // quarantined or in burn-in: no spare yet
	well      map[member.ID]bool     // people moved its slot away
	away      map[member.SlotID]bool // people took its traffic away
	verdict   map[member.ID]judgement
	modes     map[failover.Scope]failover.Mode
	fallen    []member.ID                   // of a lost failure domain: they hold up nobody
	held      map[string]failover.HoldGiven // by the id of the command
	asked     map[uint64]*askBook           // what people asked for
	fences    []time.Time
	effects   map[string]member.ID // steps that were begun
	now       time.Duration        // of the world, at the present fact
	drill     drillBook
	drilled   drillBook            // the one before
	drillOver uint64               // the fact that ended it
	lent      map[member.ID]uint64 // spare of another pool to the case that borrowed it
	moved     []move               // by the present fact
}

type slotBook struct {
	pool     string
	sole     bool // exclusive
	occupant member.ID
	epoch    member.SlotEpoch
	since    time.Duration // when the occupant was agreed on
	drained  bool
	vacated  member.ID // whom people took it away from, while it is vacant for that
	past     map[member.SlotEpoch]member.ID
	restarts []time.Time
}

// had reports whether a member was the slot's occupant at a slot epoch.
func (s *slotBook) had(id member.ID, epoch member.SlotEpoch) bool { return s.past[epoch] == id }

type caseBook struct {
	slot      member.SlotID
	subject   member.ID
	epoch     member.SlotEpoch
	state     failover.CaseState
	restarts  bool   // the present round is a restart in place
	planned   bool   // its occupant is well
	forced    uint64 // the request of two people behind it, of one that is planned
	attempt   int
	spare     member.ID
	claimedAt member.SlotEpoch // of the present attempt
	cutovers  int
	executor  map[int]order // by attempt
	fence     order         // of the subject, where it can stop the slot itself
	proven    bool          // it said itself that it stopped it
	outside   bool          // somebody was told to switch it off

	preparing map[member.ID]preparing
}

// order is a step that the ledger gives to somebody.
type order struct {
	id    member.ID
	step  failover.StepKind
	epoch member.SlotEpoch
}

// judgement is the verdict under which a member stands.
type judgement struct {
	kind consensus.VerdictKind
	life member.Incarnation
}

// move is one change of who holds or may run what.
type move struct {
	what  moveKind
	who   member.ID
	slot  member.SlotID
	from  member.SlotEpoch // of seated and given: the slot epoch before
	epoch member.SlotEpoch
}

type moveKind uint8

const (
	judged    moveKind = iota // stands under another verdict
	given                     // a vacant slot, by the fleet or by people
	claimed                   // for a slot, by a case
	prepares                  // for a slot of a case, and runs nothing
	enlivened                 // is prepared, and claimed for the slot
	released                  // from a claim; may run the slot
	seated                    // in the slot, by a cutover
	unseated                  // from the slot, by the same or by people; may run it
	cleaned                   // said itself that the slot is stopped
	returned                  // is a spare again
	touched                   // the slot alone: drained or not
)

// breach is a broken promise that the books found.
type breach struct {
	rule rule
	text string
}

func breaks(r rule, format string, args ...any) *breach {
	return &breach{r, fmt.Sprintf(format, args...)}
}

func newBooks() books {
	return books{
		pools: map[member.ID]string{}, slots: map[member.SlotID]*slotBook{}, seats: map[member.ID]member.SlotID{},
		cases: map[uint64]*caseBook{}, claims: map[member.ID]uint64{}, dirty: map[member.ID]stains{},
		well: map[member.ID]bool{}, away: map[member.SlotID]bool{},
		aside: map[member.ID]bool{}, verdict: map[member.ID]judgement{}, effects: map[string]member.ID{},
		modes: map[failover.Scope]failover.Mode{}, held: map[string]failover.HoldGiven{},
		asked: map[uint64]*askBook{}, lent: map[member.ID]uint64{},
	}
}

// write books one accepted fact, and says what moved.
func (b *books) write(f consensus.Fact) ([]move, *breach) {
	b.moved = b.moved[:0]
	var err *breach
	switch f.Command.Kind {
	case consensus.KindFleet:
		err = b.fleet(f, payload[member.Fleet](f))
	case consensus.KindVerdict:
		v := payload[consensus.Verdict](f)
		for _, x := range v.Findings {
			b.judged(f, x)
		}
	case failover.KindCaseOpened:
		p := payload[failover.CaseOpened](f)
		b.cases[f.Index] = &caseBook{slot: p.Slot, subject: p.Subject, epoch: p.Epoch, state: failover.Draining, executor: map[int]order{}}
		b.move(move{what: touched, slot: p.Slot})
	case failover.KindCaseStep:
		err = b.step(f, payload[failover.CaseStep](f))
	case failover.KindFenceOrder:
		if c := b.cases[payload[failover.FenceOrder](f).Case]; c != nil {
			c.outside = true
		}
	case failover.KindPrepare:
		err = b.prepare(f, payload[failover.PrepareOrdered](f))
	case failover.KindRelease:
		p := payload[failover.SpareReleased](f)
		b.fellShort(b.cases[p.Case], p.Spare)
	case failover.KindReport:
		b.reported(f.Command.Proposer, payload[failover.Report](f))
	case failover.KindBrake:
		clear(b.modes)
		p := payload[failover.Brakes](f)
		for s, m := range p.Modes {
			b.modes[s] = m.Mode
		}
		if b.fallen = nil; p.Fallen != nil {
			b.fallen = p.Fallen.Members
		}
	case failover.KindReturned:
		err = b.returned(payload[failover.Returned](f).Member)
	case failover.KindEarly:
		err = b.returned(payload[failover.ReturnedEarly](f).Member)
	case failover.KindBorrowed:
		p := payload[failover.SpareBorrowed](f)
		err = b.borrow(p)
	case failover.KindLoanEnded:
		err = b.lentBack(payload[failover.LoanEnded](f))
	case failover.KindHold:
		b.held[f.Command.ID] = payload[failover.HoldGiven](f)
	case failover.KindSwitchover:
		p := payload[failover.SwitchoverOrdered](f)
		b.cases[f.Index] = &caseBook{slot: p.Slot, subject: p.Subject, epoch: p.Epoch, state: failover.Draining, planned: true, executor: map[int]order{}}
		b.move(move{what: touched, slot: p.Slot})
	case failover.KindHeldBack:
		if c := b.cases[payload[failover.HeldBack](f).Case]; c != nil {
			c.state = failover.Held
			b.giveBack(c)
			b.move(move{what: touched, slot: c.slot})
		}
	case failover.KindTakenBack:
		err = b.takenBack(f, payload[failover.TakenBack](f).Case)
	case failover.KindForced:
		err = b.force(f, payload[failover.Forced](f))
	case failover.KindDrain:
		p := payload[failover.DrainOrdered](f)
		b.away[p.Slot] = !p.Back
		b.move(move{what: touched, slot: p.Slot})
	case failover.KindVacated:
		b.vacate(payload[failover.VacateOrdered](f))
	case failover.KindFilled:
		err = b.fill(f, payload[failover.FillOrdered](f))
	case failover.KindHoldLifted:
		delete(b.held, payload[failover.HoldLifted](f).Hold)
	default: // changes nothing that is booked
	}
	return b.moved, err
}

func (b *books) move(m move) { b.moved = append(b.moved, m) }

// fleet gives the vacant slots to the first free members of their pool.
func (b *books) fleet(f consensus.Fact, fl member.Fleet) *breach {
	clear(b.pools)
	for _, m := range fl.Members {
		if !m.Retired {
			b.pools[m.ID] = m.Pool
		}
	}
	for id := range b.verdict {
		if _, in := b.pools[id]; !in {
			delete(b.verdict, id)
		}
	}
	for id := range b.lent {
		if b.free(id) {
			delete(b.lent, id) // the case asks anew, by the new policy
		}
	}
	for id := range b.dirty {
		if !slices.ContainsFunc(fl.Members, func(m member.Member) bool { return m.ID == id }) {
			delete(b.dirty, id) // forgotten
		}
	}
	b.members = fl.Members
	err := b.gone(f, fl)
	old := b.slots
	b.slots = map[member.SlotID]*slotBook{}
	for _, p := range fl.Pools {
		for _, id := range p.Slots {
			b.slots[id] = old[id]
			if b.slots[id] == nil || b.slots[id].pool != p.Name {
				b.slots[id] = &slotBook{pool: p.Name, past: map[member.SlotEpoch]member.ID{}}
			}
			b.slots[id].sole = p.Exclusive
			if b.slots[id].occupant == "" && b.slots[id].vacated == "" {
				b.place(f, id)
			}
		}
	}
	return err
}

// gone looks at slots that a fleet takes out of their pool: who had one has said that it
// stopped it, for nobody would know how.
func (b *books) gone(f consensus.Fact, fl member.Fleet) *breach {
	for _, slot := range slices.Sorted(maps.Keys(b.slots)) {
		if pool, stays := fl.PoolOfSlot(slot); stays && pool.Name == b.slots[slot].pool {
			continue
		}
		for _, id := range slices.Sorted(maps.Keys(b.dirty)) {
			if _, may := b.dirty[id][slot]; may {
				return breaks(ruleConserve, "fact %d takes slot %s out of the fleet, which may still run on %s", f.Index, slot, id)
			}
		}
	}
	return nil
}

// place gives a vacant slot that is stopped everywhere to the first free member.
func (b *books) place(f consensus.Fact, slot member.SlotID) {
	for _, left := range b.dirty {
		if _, may := left[slot]; may {
			return
		}
	}
	for _, m := range b.members {
		_, condemned := b.verdict[m.ID]
		if m.Pool == b.slots[slot].pool && !m.Retired && !condemned && b.free(m.ID) && len(b.dirty[m.ID]) == 0 && !b.heldAt(f.Time, false, failover.HoldOf(m.ID)) {
			epoch := member.SlotEpoch(f.Index)
			b.move(move{what: given, who: m.ID, slot: slot, from: b.slots[slot].epoch, epoch: epoch})
			b.seat(m.ID, slot, epoch)
			return
		}
	}
}

// vacate empties a slot: its occupant is well, and may run it.
func (b *books) vacate(p failover.VacateOrdered) {
	s := b.slots[p.Slot]
	b.move(move{what: unseated, who: p.Subject, slot: p.Slot, epoch: s.epoch})
	b.soil(p.Subject, p.Slot, stain{epoch: s.epoch})
	b.aside[p.Subject], b.well[p.Subject], b.away[p.Slot] = true, true, false
	delete(b.seats, p.Subject)
	s.occupant, s.vacated, s.since = "", p.Subject, b.now
}

// fill gives a vacant slot to somebody.
func (b *books) fill(f consensus.Fact, p failover.FillOrdered) *breach {
	s := b.slots[p.Slot]
	if s.occupant != "" {
		return breaks(ruleOwner, "fact %d fills slot %s, which %s holds", f.Index, p.Slot, s.occupant)
	}
	if b.place(f, p.Slot); s.occupant == "" {
		return breaks(ruleOwner, "fact %d fills slot %s, which nobody may take", f.Index, p.Slot)
	}
	return nil
}

// free reports that nothing is asked of a member and nothing held against it.
func (b *books) free(id member.ID) bool {
	_, sits := b.seats[id]
	_, claimed := b.claims[id]
	return !sits && !claimed && !b.aside[id]
}

func (b *books) seat(id member.ID, slot member.SlotID, epoch member.SlotEpoch) {
	s := b.slots[slot]
	delete(b.seats, s.occupant)
	s.occupant, s.epoch, s.since, s.vacated = id, epoch, b.now, ""
	s.past[epoch] = id
	b.seats[id] = slot
}

func (b *books) judged(f consensus.Fact, x consensus.Finding) {
	b.move(move{what: judged, who: x.Subject, slot: b.seats[x.Subject]})
	if x.Kind != consensus.VerdictUp {
		b.verdict[x.Subject] = judgement{x.Kind, x.Incarnation}
		delete(b.well, x.Subject)
		if x.Kind == consensus.VerdictDown && b.free(x.Subject) {
			b.aside[x.Subject] = true
		}
		b.fell(f, x)
		return
	}
	delete(b.verdict, x.Subject)
	delete(b.well, x.Subject) // whatever it lost its slot to: it has fallen since
	for _, c := range b.cases {
		if !c.planned && c.subject == x.Subject && c.spare == "" && c.cutovers == 0 {
			if c.aborts() {
				b.giveBack(c)
			}
			c.state, c.restarts = failover.Closed, false // aborted, unless it goes on below
		}
	}
}

// fell makes failovers of the switchovers whose occupant was condemned before it
// was relieved.
func (b *books) fell(f consensus.Fact, x consensus.Finding) {
	if x.Kind != consensus.VerdictDown && x.Kind != consensus.VerdictServiceDown {
		return
	}
	for _, c := range b.cases {
		if c.planned && c.subject == x.Subject && c.cutovers == 0 && c.state != failover.Closed {
			booked := c.forced != 0 // when it fenced
			c.planned, c.forced = false, 0
			if c.flies() && !booked {
				b.fences = append(b.fences, f.Time)
			}
			b.move(move{what: touched, slot: c.slot})
		}
	}
}

func (b *books) step(f consensus.Fact, p failover.CaseStep) *breach {
	c := b.cases[p.Case]
	if c == nil {
		return breaks(ruleOnce, "a step of C-%d, which was never opened", p.Case)
	}
	c.state = p.To
	b.move(move{what: touched, slot: c.slot})
	switch p.To {
	case failover.Restarting:
		c.restarts = true
		c.attempt++
		c.executor[c.attempt] = order{c.subject, failover.StepRestart, c.epoch}
		s := b.slots[c.slot]
		s.restarts = append(s.restarts, f.Time)
	case failover.Draining, failover.Closed:
		c.restarts = false
		b.giveBack(c)
	case failover.Fencing:
		c.restarts = false
		c.fence, c.proven, c.outside = order{c.subject, failover.StepStop, c.epoch}, false, false
		if !c.planned || c.forced != 0 {
			b.fences = append(b.fences, f.Time)
		}
	case failover.Activating:
		return b.claim(f, c, p)
	case failover.Claiming:
		b.unclaim(c)
	case failover.Cutover:
		return b.cutover(c, p.Case)
	default: // nothing to book
	}
	return nil
}

func (b *books) claim(f consensus.Fact, c *caseBook, p failover.CaseStep) *breach {
	if err := b.liveOnce(c, p); err != nil {
		return err
	}
	if prepared, ok := c.preparing[p.Spare]; !ok {
		if err := b.claimable(p.Case, p.Spare); err != nil {
			return err
		}
	} else if j, fell := b.verdict[p.Spare]; fell || !prepared.ready {
		return breaks(ruleOwner, "C-%d lets %s go live, which is ready: %v, and stands under %q", p.Case, p.Spare, prepared.ready, j.kind)
	}
	what := claimed
	if _, was := c.preparing[p.Spare]; was {
		what = enlivened
	}
	delete(c.preparing, p.Spare)
	b.giveBack(c)
	c.attempt++
	c.spare, c.claimedAt = p.Spare, member.SlotEpoch(f.Index)
	b.claims[p.Spare] = p.Case
	c.executor[c.attempt] = order{p.Spare, failover.StepActivate, c.claimedAt}
	b.move(move{what: what, who: p.Spare, slot: c.slot, epoch: c.claimedAt})
	return nil
}

func (b *books) cutover(c *caseBook, id uint64) *breach {
	if c.cutovers++; c.cutovers > 1 {
		return breaks(ruleOnce, "C-%d cuts over twice", id)
	}
	s := b.slots[c.slot]
	if s.occupant != c.subject || s.epoch != c.epoch {
		return breaks(ruleGrowth, "C-%d cuts over slot %s from slot epoch %d, which is at %d", id, c.slot, c.epoch, s.epoch)
	}
	epoch := c.executor[c.attempt].epoch
	if epoch <= s.epoch {
		return breaks(ruleGrowth, "C-%d takes slot %s from slot epoch %d to %d", id, c.slot, s.epoch, epoch)
	}
	b.move(move{what: unseated, who: c.subject, slot: c.slot, epoch: s.epoch})
	b.move(move{what: seated, who: c.spare, slot: c.slot, from: s.epoch, epoch: epoch})
	delete(b.claims, c.spare)
	b.soil(c.subject, c.slot, stain{epoch: c.epoch})
	b.aside[c.subject] = true
	b.well[c.subject], b.away[c.slot] = c.planned && c.forced == 0, false
	b.seat(c.spare, c.slot, epoch)
	return nil
}

// unclaim takes a case's spare away: it may run the slot until it says that it
// does not.
func (b *books) unclaim(c *caseBook) {
	if c.spare != "" {
		delete(b.claims, c.spare)
		if b.slots[c.slot].sole { // it is fenced like the occupant
			c.state, c.fence = failover.Fencing, order{c.spare, failover.StepStop, c.claimedAt}
		}
		b.soil(c.spare, c.slot, stain{epoch: c.claimedAt})
		b.aside[c.spare] = true
		delete(b.well, c.spare)
		b.move(move{what: released, who: c.spare, slot: c.slot, epoch: c.claimedAt})
	}
	c.spare = ""
}

func (b *books) reported(by member.ID, p failover.Report) {
	c := b.cases[p.Case]
	switch {
	case p.Case == 0 && p.Step == failover.StepStop && p.Done:
		b.wiped(by, p)
	case p.Case == 0 || c == nil:
	case p.Step == failover.StepPrepare:
		b.prepared(c, by, p)
	case p.Done && p.Step == failover.StepStop && c.state == failover.Fencing:
		c.proven = true
	case p.Done && p.Step == failover.StepStop && c.state == failover.Escalated: // it was told again
		c.state, c.proven = failover.Fenced, true
	case p.Done && p.Step == failover.StepActivate:
		c.state = failover.Verifying
	case p.Done && p.Step == failover.StepRestart:
		c.state = failover.Verifying
	case p.Step == failover.StepRestart:
		c.state, c.restarts = failover.Draining, false
	case p.Step == failover.StepActivate:
		b.unclaim(c)
	}
}

func (b *books) returned(id member.ID) *breach {
	for _, slot := range slices.Sorted(maps.Keys(b.dirty[id])) {
		return breaks(ruleOwner, "%s is a spare again and has not said that %s is stopped there", id, slot)
	}
	delete(b.aside, id)
	b.move(move{what: returned, who: id})
	return nil
}
