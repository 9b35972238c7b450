package sim

import (
	"time"

	"moonwatch/consensus"
	"moonwatch/failover"
	"moonwatch/member"
)

// After a fact is booked, these look at what it led to.

// follows checks what an accepted fact has moved.
func (c *checker) follows(f consensus.Fact, k call, moves []move) {
	for _, m := range moves {
		switch m.what {
		case unseated, released:
			c.ways[m.who] = wayBack{since: f.Time}
		case judged, cleaned:
			c.begins(f, m)
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
	case failover.KindVacated:
		p := payload[failover.VacateOrdered](f)
		c.stilled(f, p.Slot, p.Subject)
	default: // moves no traffic
	}
}

// wayBack is a member's way to be a spare again.
type wayBack struct {
	since time.Time
	begun bool // by the end of its verdict, or without one by its own word that it had stopped
}

// begins notes from when on a member is watched. What it still runs by then only has
// to be stopped before it is a spare: that begins no second watch.
func (c *checker) begins(f consensus.Fact, m move) {
	w, known := c.ways[m.who]
	j, stands := c.books.verdict[m.who]
	switch {
	case stands:
		w.begun = w.begun && j.kind != consensus.VerdictDown
	case known && !w.begun:
		w = wayBack{since: f.Time, begun: true}
	}
	if known {
		c.ways[m.who] = w
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
// was watched for long enough since its way back began.
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
	if w, known := c.ways[id]; known && f.Time.Sub(w.since) < watched {
		c.fail(ruleConserve, "%s is a spare again after %v, it is watched for %v", id, f.Time.Sub(w.since), watched)
	}
	delete(c.ways, id)
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
