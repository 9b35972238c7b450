package sim

import (
	"moonwatch/consensus"
	"moonwatch/failover"
)

// force books a case that people have approved for an occupant that is well.
func (b *books) force(f consensus.Fact, p failover.Forced) *breach {
	a := b.asked[p.Request]
	if a == nil || a.Act != failover.ActFailover || b.slots[a.Slot] == nil {
		return breaks(ruleTwo, "fact %d forces a failover by R-%d, and nobody has asked for one", f.Index, p.Request)
	}
	if a.opened != 0 {
		return breaks(ruleTwo, "fact %d makes use of R-%d, and C-%d has done so", f.Index, p.Request, a.opened)
	}
	a.opened = f.Index
	s := b.slots[a.Slot]
	b.cases[f.Index] = &caseBook{
		slot: a.Slot, subject: s.occupant, epoch: s.epoch, state: failover.Draining, planned: true, forced: p.Request, executor: map[int]order{},
	}
	b.move(move{what: touched, slot: a.Slot})
	return nil
}

// forces checks that two people stand behind a failover of a member that is well, when
// it is opened and when it begins what cannot be undone.
func (c *checker) forces(f consensus.Fact, request, id uint64) {
	c.look(ruleTwo)
	a := c.books.asked[request]
	if a == nil {
		return // the books say so
	}
	c.w.seldom("people-allowed")
	s := c.books.slots[a.Slot]
	from := a.approved
	if from.IsZero() && a.Alone && !a.announced.IsZero() {
		from = a.announced.Add(failover.AloneAfter)
	}
	switch {
	case a.rejected:
		c.fail(ruleTwo, "fact %d lets C-%d go on by R-%d, which was rejected", f.Index, id, request)
	case from.IsZero() || f.Time.Before(from) || !f.Time.Before(from.Add(a.For)):
		c.fail(ruleTwo, "fact %d lets C-%d go on by R-%d, which no two people stand behind now", f.Index, id, request)
	case s == nil || s.epoch != a.slotAt.epoch:
		c.fail(ruleTwo, "fact %d lets C-%d go on by R-%d, and slot %s has moved on", f.Index, id, request, a.Slot)
	}
}

// takenBack books the end of a forced failover that people do not want any more: never
// one whose old occupant has stopped, or whose slot a spare has.
func (b *books) takenBack(f consensus.Fact, id uint64) *breach {
	c := b.cases[id]
	if c == nil || c.forced == 0 || c.proven || c.state == failover.Fenced || c.spare != "" || c.cutovers > 0 {
		return breaks(ruleTwo, "C-%d is taken back, and is no forced failover that may be", id)
	}
	if a := b.asked[c.forced]; a == nil || !a.rejected && f.Time.Before(a.approved.Add(a.For)) {
		return breaks(ruleTwo, "C-%d is taken back, and two people want it", id)
	}
	c.state = failover.Closed
	b.giveBack(c)
	b.move(move{what: touched, slot: c.slot})
	return nil
}

// reserve checks that no case has one of a pool's last spares while enough of its slots
// serve, unless people have allowed it. What the books take for free or serving may be
// less so to the product: what they find is too much in any case.
func (c *checker) reserve(f consensus.Fact, p failover.CaseStep, x *caseBook) {
	b := &c.books
	pool, _ := c.fold.Fleet().Pool(b.slots[x.slot].pool)
	if pool.Spares.Reserve == 0 || x.planned && x.forced == 0 {
		return
	}
	c.look(ruleBudget)
	free, slots, serving := 0, 0, 0
	for id, home := range b.pools {
		if _, fell := b.verdict[id]; home == pool.Name && b.free(id) && !fell && !b.onLoan(id) || b.lent[id] == p.Case {
			free++
		}
	}
	for id, s := range b.slots {
		if s.pool != pool.Name {
			continue
		}
		slots++
		st, _ := c.state.Slot(id)
		if j, fell := b.verdict[s.occupant]; id != x.slot && s.occupant != "" && st.Started && !s.drained && (!fell || j.kind == consensus.VerdictPartial || j.kind == consensus.VerdictAgentLost) {
			serving++
		}
	}
	if let, _ := c.let(f.Time, failover.ActReserve, p.Case); !let && free <= pool.Spares.Reserve && serving >= max(1, (slots+1)/2) {
		c.fail(ruleBudget, "C-%d has one of the last %d spares of pool %s, whose reserve is %d, and %d of %d slots serve", p.Case, free, pool.Name, pool.Spares.Reserve, serving, slots)
	}
}
