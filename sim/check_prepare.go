package sim

import (
	"maps"
	"slices"

	"moonwatch/consensus"
	"moonwatch/failover"
	"moonwatch/member"
)

// preparing is a spare that a case has given the order to prepare for its slot.
type preparing struct {
	epoch member.SlotEpoch
	ready bool
}

// claimable says why a member is no free spare.
func (b *books) claimable(id uint64, spare member.ID) *breach {
	if other, claimed := b.claims[spare]; claimed {
		return breaks(ruleOwner, "C-%d claims %s, which C-%d has", id, spare, other)
	}
	if slot, ran := b.dirty[spare].ran(); ran {
		return breaks(ruleOwner, "C-%d claims %s, which has not said that %s is stopped there", id, spare, slot)
	}
	if slot, sits := b.seats[spare]; sits {
		return breaks(ruleOwner, "C-%d claims %s, which occupies %s", id, spare, slot)
	}
	if j, fell := b.verdict[spare]; fell {
		return breaks(ruleOwner, "C-%d claims %s, which stands under %s", id, spare, j.kind)
	}
	if pool := b.slots[b.cases[id].slot].pool; b.pools[spare] != pool && b.lent[spare] != id {
		return breaks(ruleOwner, "C-%d of pool %s claims %s of pool %s, which is not lent to it", id, pool, spare, b.pools[spare])
	}
	return nil
}

// liveOnce checks that of a case's spares one goes live at a time.
func (b *books) liveOnce(c *caseBook, p failover.CaseStep) *breach {
	if c.spare != "" {
		return breaks(ruleOwner, "C-%d lets %s go live, and %s does", p.Case, p.Spare, c.spare)
	}
	return nil
}

// prepare books a spare that is to prepare. Two may, for one slot.
func (b *books) prepare(f consensus.Fact, p failover.PrepareOrdered) *breach {
	c := b.cases[p.Case]
	if c == nil {
		return breaks(ruleOnce, "%s prepares for C-%d, which was never opened", p.Spare, p.Case)
	}
	if err := b.claimable(p.Case, p.Spare); err != nil {
		return err
	}
	if c.preparing == nil {
		c.preparing = map[member.ID]preparing{}
	}
	c.preparing[p.Spare] = preparing{epoch: member.SlotEpoch(f.Index)}
	b.claims[p.Spare] = p.Case
	b.move(move{what: prepares, who: p.Spare, slot: c.slot, epoch: member.SlotEpoch(f.Index)})
	if n := len(c.preparing); n > 2 {
		return breaks(ruleOwner, "C-%d lets %d spares prepare", p.Case, n)
	}
	return nil
}

func (b *books) prepared(c *caseBook, by member.ID, p failover.Report) {
	x, ok := c.preparing[by]
	switch {
	case !ok:
	case p.Done:
		x.ready = true
		c.preparing[by] = x
	default:
		b.fellShort(c, by)
	}
}

// fellShort books a spare that could not prepare.
func (b *books) fellShort(c *caseBook, id member.ID) {
	epoch := c.preparing[id].epoch
	delete(c.preparing, id)
	delete(b.claims, id)
	delete(b.well, id)
	b.soil(id, c.slot, stain{epoch: epoch})
	b.aside[id] = true
	b.move(move{what: released, who: id, slot: c.slot, epoch: epoch})
}

// giveBack books the spares that prepared and are not wanted: they are well, and have to
// say first that nothing is left there.
func (b *books) giveBack(c *caseBook) {
	for _, id := range slices.Sorted(maps.Keys(c.preparing)) {
		b.fellShort(c, id)
		b.well[id] = true
	}
}

// aborts reports that a case ends when its subject is up again: nobody has been given
// the slot, and nothing was done that proves that its occupant stopped.
func (c *caseBook) aborts() bool {
	switch c.state {
	case failover.Fencing: // also where no proof is wanted
		return c.fence.id == c.subject && !c.proven && !c.outside
	case failover.Escalated:
		return c.fence.id == c.subject && !c.outside
	default:
		return false
	}
}

// preparesBy checks that the ledger ordered a member to prepare.
func (c *checker) preparesBy(m *machine, k failover.StepKey) {
	x, ok := c.books.cases[k.Case]
	if !ok {
		c.fail(ruleMinority, "%s prepares for C-%d, which nobody committed", m.id, k.Case)
		return
	}
	if p, ok := x.preparing[m.id]; !ok || p.epoch != k.Epoch || p.ready {
		c.fail(ruleOrders, "%s prepares for C-%d at slot epoch %d, and the ledger does not say so", m.id, k.Case, k.Epoch)
	}
}
