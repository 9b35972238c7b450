package sim

import (
	"moonwatch/consensus"
	"moonwatch/failover"
	"moonwatch/member"
)

// After a fact is booked, these look at what it led to.

// follows checks what an accepted fact has moved.
func (c *checker) follows(f consensus.Fact, k call, moves []move) {
	for _, m := range moves {
		switch m.what {
		case unseated, released, cleaned:
			c.waits[m.who] = f.Time // its way back has not begun before
		case seated:
			c.unserved(f, k, m)
		case returned:
			c.back(f, m.who)
		default: // nothing follows
		}
	}
	switch f.Command.Kind {
	case failover.KindCaseOpened:
		p := payload[failover.CaseOpened](f)
		if s, ok := c.state.Slot(p.Slot); ok && s.Drained && !c.books.away[p.Slot] {
			c.stilled(f, p.Slot, p.Subject)
		}
	case failover.KindDrain:
		p := payload[failover.DrainOrdered](f)
		c.stilled(f, p.Slot, p.Subject)
	default: // moves no traffic
	}
}

// unserved checks promise 5 at a cutover: whoever gets the slot serves it, if its
// observers were asked. It is judged as of the proposal, and what befell the
// spare just before nobody could know.
func (c *checker) unserved(f consensus.Fact, k call, m move) {
	x := c.w.machine(m.who)
	pool, _ := c.fold.Fleet().PoolOfSlot(m.slot)
	if c.w.now-k.at > grace || k.at-x.ailed < grace || !pool.Checks.Outside() {
		return
	}
	c.look(ruleOnce)
	if !x.serves(m.slot) {
		c.fail(ruleOnce, "fact %d gives slot %s to %s, which does not serve it", f.Index, m.slot, m.who)
	}
}

// back checks S5 when a member becomes a spare again: nobody condemns it, and it
// was watched for long enough since it lost its slot, or said that it had stopped.
func (c *checker) back(f consensus.Fact, id member.ID) {
	c.look(ruleConserve)
	if j, stands := c.books.verdict[id]; stands {
		c.fail(ruleConserve, "%s is a spare again and stands under %s", id, j.kind)
	}
	watched := c.timing().BurnIn
	if f.Command.Kind == failover.KindEarly {
		pool, _ := c.fold.Fleet().Pool(c.books.pools[id])
		if watched = pool.Spares.EarlyAfter; watched == 0 {
			c.fail(ruleConserve, "%s is a spare again early, and pool %s wants the whole burn-in", id, pool.Name)
		}
	}
	if since, known := c.waits[id]; known && f.Time.Sub(since) < watched {
		c.fail(ruleConserve, "%s is a spare again after %v, it is watched for %v", id, f.Time.Sub(since), watched)
	}
	delete(c.waits, id)
}

// stilled checks that no traffic moves where people froze it.
func (c *checker) stilled(f consensus.Fact, slot member.SlotID, subject member.ID) {
	c.look(ruleHeld)
	scopes := []failover.Scope{
		failover.Fleet, failover.HoldOf(subject), failover.InDomain(c.fold.Roster().Domain(subject)), failover.InPool(c.books.slots[slot].pool),
	}
	for _, s := range scopes {
		for _, h := range c.books.held {
			if h.Scope == s && binds(h, f.Time) && (h.Kind == failover.Freeze || h.Kind == failover.Disarm) {
				c.fail(ruleHeld, "fact %d moves the traffic of slot %s, and people froze %s", f.Index, slot, s)
			}
		}
	}
}
