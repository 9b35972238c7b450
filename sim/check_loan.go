package sim

import (
	"slices"
	"time"

	"moonwatch/consensus"
	"moonwatch/failover"
	"moonwatch/member"
)

// borrow books a loan: of a spare that is free, of a pool that the case's may borrow from.
func (b *books) borrow(p failover.SpareBorrowed) *breach {
	switch c := b.cases[p.Case]; {
	case c == nil || c.state == failover.Closed:
		return breaks(ruleOnce, "%s is lent to C-%d, which is not open", p.Spare, p.Case)
	case b.pools[p.Spare] != p.From || !b.free(p.Spare) || b.onLoan(p.Spare):
		return breaks(ruleOwner, "%s is lent by pool %s to C-%d, and is no free spare of it", p.Spare, p.From, p.Case)
	}
	b.lent[p.Spare] = p.Case
	return nil
}

// lentBack books that a spare goes back to its pool: one that is lent, and not in use.
func (b *books) lentBack(p failover.LoanEnded) *breach {
	if b.lent[p.Spare] != p.Case || !b.free(p.Spare) {
		return breaks(ruleOwner, "%s goes back from C-%d, which has not borrowed it, or uses it", p.Spare, p.Case)
	}
	delete(b.lent, p.Spare)
	return nil
}

// onLoan reports that a member is lent to a case that has not made use of it yet.
func (b *books) onLoan(id member.ID) bool {
	c := b.cases[b.lent[id]]
	return c != nil && c.state != failover.Closed && c.cutovers == 0
}

// lends checks S5 where a pool parts with a spare, before the fact is booked: the fleet
// says that it may, the spare has said that it can, and the pool keeps what it wants.
func (c *checker) lends(f consensus.Fact, p failover.SpareBorrowed) {
	c.look(ruleConserve)
	b := &c.books
	x := b.cases[p.Case]
	if x == nil {
		return // the books say so
	}
	pool, _ := c.fold.Fleet().Pool(b.slots[x.slot].pool)
	from, _ := c.fold.Fleet().Pool(p.From)
	if !slices.Contains(pool.Spares.BorrowFrom, p.From) {
		c.fail(ruleConserve, "fact %d lends %s of pool %s to pool %s, which does not borrow there", f.Index, p.Spare, p.From, pool.Name)
	}
	if fit := c.fits[fitting{p.Spare, pool.Name}]; !fit.good || f.Time.Sub(fit.at) > c.proofLife() {
		c.fail(ruleConserve, "fact %d lends %s to pool %s, and it has not said lately that it fits", f.Index, p.Spare, pool.Name)
	}
	left := 0
	for id, home := range b.pools {
		if _, fell := b.verdict[id]; home == p.From && b.free(id) && !fell && !b.onLoan(id) && id != p.Spare {
			left++
		}
	}
	if keeps := max(from.Spares.Floor, from.Spares.Reserve); left < keeps {
		c.fail(ruleConserve, "fact %d lends %s, and leaves pool %s %d spares, wanted %d", f.Index, p.Spare, p.From, left, keeps)
	}
	c.look(ruleHeld)
	if b.heldAt(f.Time, false, failover.HoldOf(p.Spare), failover.InPool(p.From)) {
		c.fail(ruleHeld, "fact %d lends %s of pool %s, and people hold it", f.Index, p.Spare, p.From)
	}
}

// fitting is a member and a pool that may borrow it.
type fitting struct {
	id   member.ID
	pool string
}

// fitted is what a member last said of that.
type fitted struct {
	good bool
	at   time.Time
}
