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
	roster  map[member.ID]bool
	slots   map[member.SlotID]*slotBook
	cases   map[uint64]*caseBook
	claims  map[member.ID]uint64        // spare to the case that has it
	dirty   map[member.ID]member.SlotID // may still run a slot that it lost
	verdict map[member.ID]consensus.VerdictKind
	mode    failover.Mode
	fences  []time.Time
	effects map[string]member.ID // steps that were begun
}

type slotBook struct {
	pool     string
	occupant member.ID
	epoch    member.SlotEpoch
	drained  bool
	past     map[member.SlotEpoch]member.ID
}

// had reports whether a member was the slot's occupant at a slot epoch.
func (s *slotBook) had(id member.ID, epoch member.SlotEpoch) bool { return s.past[epoch] == id }

func (s *slotBook) give(id member.ID, epoch member.SlotEpoch) {
	s.occupant, s.epoch = id, epoch
	s.past[epoch] = id
}

type caseBook struct {
	slot     member.SlotID
	subject  member.ID
	epoch    member.SlotEpoch
	state    failover.CaseState
	attempt  int
	spare    member.ID
	cutovers int
	executor map[int]order // by attempt
}

// order is a step that the ledger gives to somebody.
type order struct {
	id    member.ID
	step  failover.StepKind
	epoch member.SlotEpoch
}

func newBooks() books {
	return books{
		roster: map[member.ID]bool{}, slots: map[member.SlotID]*slotBook{}, cases: map[uint64]*caseBook{},
		claims: map[member.ID]uint64{}, dirty: map[member.ID]member.SlotID{},
		verdict: map[member.ID]consensus.VerdictKind{}, effects: map[string]member.ID{}, mode: failover.Normal,
	}
}

// write books one accepted fact. An error is a broken promise.
func (b *books) write(f consensus.Fact) error {
	switch f.Command.Kind {
	case consensus.KindFleet:
		b.fleet(f, payload[member.Fleet](f))
	case consensus.KindVerdict:
		v := payload[consensus.Verdict](f)
		for _, x := range v.Findings {
			b.judged(x)
		}
	case failover.KindCaseOpened:
		p := payload[failover.CaseOpened](f)
		b.cases[f.Index] = &caseBook{slot: p.Slot, subject: p.Subject, epoch: p.Epoch, executor: map[int]order{}}
	case failover.KindCaseStep:
		return b.step(f, payload[failover.CaseStep](f))
	case failover.KindReport:
		b.reported(f.Command.Proposer, payload[failover.Report](f))
	case failover.KindBrake:
		b.mode = payload[failover.Brakes](f).Mode()
	default: // changes nothing that is booked
	}
	return nil
}

// fleet gives the vacant slots to the first members of their pool.
func (b *books) fleet(f consensus.Fact, fl member.Fleet) {
	taken := map[member.ID]bool{}
	for _, s := range b.slots {
		taken[s.occupant] = true
	}
	clear(b.roster)
	for _, m := range fl.Members {
		b.roster[m.ID] = true
	}
	for _, p := range fl.Pools {
		for _, id := range p.Slots {
			if b.slots[id] != nil {
				continue
			}
			s := &slotBook{pool: p.Name, past: map[member.SlotEpoch]member.ID{}}
			b.slots[id] = s
			for _, m := range fl.Members {
				if m.Pool == p.Name && !taken[m.ID] {
					taken[m.ID] = true
					s.give(m.ID, member.SlotEpoch(f.Index))
					break
				}
			}
		}
	}
}

func (b *books) judged(x consensus.Finding) {
	if x.Kind == consensus.VerdictUp {
		delete(b.verdict, x.Subject)
		for _, c := range b.cases {
			if c.subject == x.Subject && c.spare == "" && c.cutovers == 0 {
				c.state = failover.Closed // aborted, unless it goes on below
			}
		}
		return
	}
	b.verdict[x.Subject] = x.Kind
}

func (b *books) step(f consensus.Fact, p failover.CaseStep) error {
	c := b.cases[p.Case]
	if c == nil {
		return fmt.Errorf("promise 5: a step of C-%d, which was never opened", p.Case)
	}
	c.state = p.To
	switch p.To {
	case failover.Restarting:
		c.attempt++
		c.executor[c.attempt] = order{c.subject, failover.StepRestart, c.epoch}
	case failover.Fencing:
		b.fences = append(b.fences, f.Time)
	case failover.Activating:
		if other, claimed := b.claims[p.Spare]; claimed {
			return fmt.Errorf("promise 4: C-%d claims %s, which C-%d has", p.Case, p.Spare, other)
		}
		if slot, dirty := b.dirty[p.Spare]; dirty {
			return fmt.Errorf("promise 4: C-%d claims %s, which has not said that %s is stopped there", p.Case, p.Spare, slot)
		}
		if slot := b.slotOf(p.Spare); slot != "" {
			return fmt.Errorf("promise 4: C-%d claims %s, which occupies %s", p.Case, p.Spare, slot)
		}
		if kind, fell := b.verdict[p.Spare]; fell {
			return fmt.Errorf("promise 4: C-%d claims %s, which stands under %s", p.Case, p.Spare, kind)
		}
		c.attempt++
		c.spare = p.Spare
		b.claims[p.Spare] = p.Case
		c.executor[c.attempt] = order{p.Spare, failover.StepActivate, member.SlotEpoch(f.Index)}
	case failover.Claiming:
		b.unclaim(c)
	case failover.Cutover:
		return b.cutover(c, p.Case)
	default: // nothing to book
	}
	return nil
}

func (b *books) cutover(c *caseBook, id uint64) error {
	if c.cutovers++; c.cutovers > 1 {
		return fmt.Errorf("promise 5: C-%d cuts over twice", id)
	}
	s := b.slots[c.slot]
	if s.occupant != c.subject || s.epoch != c.epoch {
		return fmt.Errorf("promise 7: C-%d cuts over slot %s from slot epoch %d, which is at %d", id, c.slot, c.epoch, s.epoch)
	}
	delete(b.claims, c.spare)
	b.dirty[c.subject] = c.slot
	s.give(c.spare, c.executor[c.attempt].epoch)
	return nil
}

// unclaim takes a case's spare away: it may run the slot until it says that it
// does not.
func (b *books) unclaim(c *caseBook) {
	if c.spare != "" {
		delete(b.claims, c.spare)
		b.dirty[c.spare] = c.slot
	}
	c.spare = ""
}

func (b *books) reported(by member.ID, p failover.Report) {
	c := b.cases[p.Case]
	switch {
	case p.Case == 0 && p.Step == failover.StepStop && p.Done && b.dirty[by] == p.Slot:
		delete(b.dirty, by)
	case p.Case == 0 || c == nil:
	case p.Done && p.Step == failover.StepActivate:
		c.state = failover.Verifying
	case p.Step == failover.StepActivate:
		b.unclaim(c)
	}
}

func (b *books) slotOf(id member.ID) member.SlotID {
	for slot, s := range b.slots {
		if s.occupant == id {
			return slot
		}
	}
	return ""
}

// serves reports that a member which has a slot runs it.
func (b *books) serves(m *machine) bool {
	slot := b.slotOf(m.id)
	return slot != "" && m.serves(slot)
}

// unsettled lists the members that are condemned and still hold a slot.
func (b *books) unsettled() []member.ID {
	var out []member.ID
	for id, kind := range b.verdict {
		if (kind == consensus.VerdictDown || kind == consensus.VerdictServiceDown || kind == consensus.VerdictDomainCut) && b.slotOf(id) != "" {
			out = append(out, id)
		}
	}
	return out
}

// spent counts the replacements that began within a window.
func (b *books) spent(now time.Time, window time.Duration) int {
	n := 0
	for _, t := range b.fences {
		if now.Sub(t) < window {
			n++
		}
	}
	return n
}

// inFlight counts the cases between fencing and cutover.
func (b *books) inFlight() int {
	n := 0
	for _, c := range b.cases {
		switch c.state {
		case failover.Fencing, failover.Activating, failover.Claiming, failover.Verifying:
			if c.spare != "" || c.state != failover.Verifying {
				n++
			}
		default: // not begun, or served
		}
	}
	return n
}

func (b *books) slotNames() []member.SlotID { return slices.Sorted(maps.Keys(b.slots)) }
