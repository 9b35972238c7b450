package sim

import (
	"moonwatch/failover"
	"moonwatch/member"
)

// compare holds the state that the product folded against the books, where the
// present fact moved something: who occupies which slot (S4), what every member
// is used for (S5), and that a pool is never drained whole (promise 9).
func (c *checker) compare(moves []move) {
	for _, m := range moves {
		if m.slot != "" && c.books.slots[m.slot] != nil {
			c.compareSlot(m.slot)
		}
		if m.who != "" {
			c.compareUse(m.who)
		}
	}
}

// compareAll does so for everything there is.
func (c *checker) compareAll() {
	for _, s := range c.state.Slots() {
		if c.books.slots[s.ID] == nil {
			c.fail(ruleConserve, "slot %s is in no fleet", s.ID)
			return
		}
		c.compareSlot(s.ID)
	}
	if n, want := len(c.state.Slots()), len(c.books.slots); n != want {
		c.fail(ruleConserve, "%d slots of %d are left", n, want)
	}
	for _, m := range c.fold.Roster().Members {
		c.compareUse(m.ID)
	}
}

func (c *checker) compareSlot(id member.SlotID) {
	c.look(ruleOwner)
	b := c.books.slots[id]
	s, ok := c.state.Slot(id)
	if !ok || b.occupant != s.Occupant || b.epoch != s.Epoch {
		c.fail(ruleOwner, "slot %s is %+v, the books say %s at slot epoch %d", id, s, b.occupant, b.epoch)
		return
	}
	if b.occupant != "" && c.books.seats[b.occupant] != id {
		c.fail(ruleOwner, "%s is in slots %s and %s", b.occupant, id, c.books.seats[b.occupant])
	}
	if b.drained = s.Drained; !b.drained {
		return
	}
	c.look(ruleDrain)
	if _, n := c.books.serving(b.pool, ""); n == 0 {
		c.fail(ruleDrain, "pool %s has no serving occupant left", b.pool)
	}
}

// compareUse checks that a member is used for exactly what the facts say.
func (c *checker) compareUse(id member.ID) {
	pool, in := c.books.pools[id]
	if !in || pool == "" {
		return // a witness, or out of the roster: it has no duty
	}
	c.look(ruleConserve)
	u, want := c.state.Use(id), c.duty(id)
	got := u.Duty
	if got == failover.BurnIn {
		got = failover.Quarantined // the books do not tell these apart
	}
	if got != want {
		c.fail(ruleConserve, "%s is %q, the books say %s", id, u.Duty, want)
	}
	if want == failover.Spare && u.Lent != nil && !c.books.onLoan(id) {
		c.fail(ruleConserve, "%s is lent to C-%d for pool %s, which needs it no more", id, u.Lent.Case, u.Lent.Pool)
	}
	if want == failover.Occupant && u.Slot != c.books.seats[id] {
		c.fail(ruleConserve, "%s is occupant of slot %s, the books say %s", id, u.Slot, c.books.seats[id])
	}
}

// duty is what the facts make of a member of a pool.
func (c *checker) duty(id member.ID) failover.Duty {
	b := &c.books
	_, sits := b.seats[id]
	_, taken := b.claims[id]
	if sits && (taken || b.aside[id]) || taken && b.aside[id] {
		c.fail(ruleConserve, "%s is two of occupant (%v), claimed (%v) and set aside (%v)", id, sits, taken, b.aside[id])
	}
	switch {
	case sits:
		return failover.Occupant
	case taken:
		return failover.Claimed
	case b.aside[id]:
		return failover.Quarantined
	default:
		return failover.Spare
	}
}
