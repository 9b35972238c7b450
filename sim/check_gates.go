package sim

import (
	"slices"
	"time"

	"moonwatch/consensus"
	"moonwatch/failover"
	"moonwatch/member"
)

// caseStep checks S6, and S2 and S8 again, where a case begins what cannot be
// undone. The gates are worked out once more from the books, not asked for.
func (c *checker) caseStep(f consensus.Fact, k call, p failover.CaseStep) {
	x := c.books.cases[p.Case]
	if x == nil {
		return // the books say so
	}
	switch p.To {
	case failover.Restarting:
		c.calm(f, p, x)
		c.allowed(f, p, x)
		c.restart(f, p, x)
		c.meant(f, k, p, x)
	case failover.Fencing:
		c.calm(f, p, x)
		c.allowed(f, p, x)
		c.replace(f, p, x)
		c.reserve(f, p, x)
		if x.forced != 0 {
			c.forces(f, x.forced, p.Case)
		}
		if !x.planned {
			c.meant(f, k, p, x)
		}
	case failover.Activating:
		c.calm(f, p, x)
		c.heldSpare(f, p.Case, p.Spare)
		if _, prepared := x.preparing[p.Spare]; !prepared { // else it was looked at then
			c.ready(f, p.Case, p.Spare)
		}
	case failover.Fenced:
		c.leaseOver(k, p, x)
		c.vouched(f, p)
	case failover.Cutover:
		if x.planned && x.forced == 0 {
			c.counts.Switched++
		} else {
			c.counts.Replaced++
		}
	default: // can be undone
	}
}

// calm checks that nothing destructive begins in a cascade, neither in one that
// was declared nor in one that anybody can count, unless people have allowed it.
func (c *checker) calm(f consensus.Fact, p failover.CaseStep, x *caseBook) {
	c.look(ruleBudget)
	if let, _ := c.let(f.Time, failover.ActOverride, p.Case); let {
		c.w.seldom("people-allowed")
		return
	}
	for _, s := range c.scopes(x) {
		if c.books.modes[s] == failover.Cascade {
			c.fail(ruleBudget, "C-%d goes to %s while %s is in cascade", p.Case, p.To, s)
		}
	}
	limit := c.cascadeAt()
	if c.w.now-c.limitSince < grace { // the leader may have asked by the fleet before, and the brake has not followed yet
		limit = max(limit, c.limitWas)
	}
	if n := c.unsettled(f.Time); n >= limit {
		c.fail(ruleBudget, "C-%d goes to %s with %d members condemned, cascade from %d", p.Case, p.To, n, limit)
	}
}

// heldSpare checks that people do not hold a spare that is claimed.
func (c *checker) heldSpare(f consensus.Fact, id uint64, spare member.ID) {
	c.look(ruleHeld)
	if c.books.heldAt(f.Time, false, failover.HoldOf(spare)) {
		c.fail(ruleHeld, "C-%d claims %s, which people hold", id, spare)
	}
}

// allowed checks that people hold nothing that a case is about to touch.
func (c *checker) allowed(f consensus.Fact, p failover.CaseStep, x *caseBook) {
	c.look(ruleHeld)
	s := c.scopes(x)
	if c.books.heldAt(f.Time, x.planned && x.forced == 0, append(s[:], failover.HoldOf(x.subject))...) {
		c.fail(ruleHeld, "C-%d goes to %s against %s, which people hold", p.Case, p.To, x.subject)
	}
}

// heldAt reports that a hold binds one of some scopes. What people planned, they
// may do where they work.
func (b *books) heldAt(now time.Time, planned bool, scopes ...failover.Scope) bool {
	for _, h := range b.held {
		if binds(h, now) && (!planned || h.Kind != failover.Maintenance) && slices.Contains(scopes, h.Scope) {
			return true
		}
	}
	return false
}

func binds(h failover.HoldGiven, now time.Time) bool { return h.Until.IsZero() || now.Before(h.Until) }

// attended reports that people hold this very member, or work in its failure
// domain: they know of it.
func (c *checker) attended(now time.Time, id member.ID) bool {
	for _, h := range c.books.held {
		domain := h.Kind == failover.Maintenance && h.Scope == failover.InDomain(c.fold.Roster().Domain(id))
		if binds(h, now) && h.Kind != failover.DryRun && (domain || h.Scope == failover.HoldOf(id)) {
			return true
		}
	}
	return false
}

// scopes are those of the brake that bind a case.
func (c *checker) scopes(x *caseBook) [3]failover.Scope {
	return [3]failover.Scope{failover.Fleet, failover.InDomain(c.fold.Roster().Domain(x.subject)), failover.InPool(c.books.slots[x.slot].pool)}
}

// cascadeAt is PROTOCOL 7's count of open subjects, worked out once more.
func (c *checker) cascadeAt() int {
	n, low, share := len(c.books.pools), 3, 0.2
	if t := c.fold.Fleet().Brake.Cascade; t != (member.Threshold{}) {
		low, share = t.Min, t.Share
	}
	part := int(share*float64(n) + 1 - 1e-9) // rounded up
	return max(2, min(max(low, part), (n+1)/2))
}

// limited notes what another fleet makes of the brake.
func (c *checker) limited() {
	c.limitWas, c.limit, c.limitSince = c.limit, c.cascadeAt(), c.w.now
	c.timesWas, c.times = c.times, c.timing()
}

// replace checks the budget of replacements.
func (c *checker) replace(f consensus.Fact, p failover.CaseStep, x *caseBook) {
	window := c.timing().BudgetWindow
	n, flying := len(c.books.pools), c.books.inFlight()
	let, named := c.let(f.Time, failover.ActOverride, p.Case)
	if named {
		return // and whoever names the case lets it beyond the budget
	}
	if spent := inWindow(c.books.fences, f.Time, window); (!x.planned || x.forced != 0) && spent >= max(2, n/10) {
		c.fail(ruleBudget, "replacement %d within %v, at most %d", spent+1, window, max(2, n/10))
	}
	if flying >= max(1, n/20) {
		c.fail(ruleBudget, "replacement %d at once, at most %d", flying+1, max(1, n/20))
	}
	for _, s := range c.scopes(x) {
		if c.books.modes[s] == failover.Guarded && flying > 0 && !let {
			c.fail(ruleBudget, "C-%d is case %d in flight while %s is guarded", p.Case, flying+1, s)
		}
	}
}

// restart checks the budget of restarts in place.
func (c *checker) restart(f consensus.Fact, p failover.CaseStep, x *caseBook) {
	s, window := c.books.slots[x.slot], c.timing().RestartWindow
	if n := inWindow(s.restarts, f.Time, window); n >= failover.RestartsPerSlot {
		c.fail(ruleBudget, "C-%d: restart %d of slot %s within %v, at most %d", p.Case, n+1, x.slot, window, failover.RestartsPerSlot)
	}
	slots, flying := 0, 0
	for _, o := range c.books.slots {
		if o.pool == s.pool {
			slots++
		}
	}
	for _, o := range c.books.cases {
		if o != x && o.restarts && c.books.slots[o.slot].pool == s.pool {
			flying++
		}
	}
	if limit := max(1, slots/10); flying >= limit {
		c.fail(ruleBudget, "C-%d: restart %d at once in pool %s, at most %d", p.Case, flying+1, s.pool, limit)
	}
}

func (c *checker) timing() failover.Timing { return failover.TimingOf(c.fold.Fleet().Profile) }

// inWindow counts the times that lie in a window before now.
func inWindow(times []time.Time, now time.Time, window time.Duration) int {
	n := 0
	for _, t := range times {
		if now.Sub(t) < window {
			n++
		}
	}
	return n
}

// meant checks that a case does not touch a member that is well and serves: an
// old verdict must not hit a later life of the member, nor a second look miss
// that it is back.
//
// Like a verdict it is judged as of its proposal.
func (c *checker) meant(f consensus.Fact, k call, p failover.CaseStep, x *caseBook) {
	c.look(ruleWell)
	c.look(ruleGrowth)
	m := c.w.machine(x.subject)
	if c.w.now-k.at > grace || !m.well(c.w.machine(f.Command.Proposer)) || !m.serves(x.slot) {
		return
	}
	r := ruleWell
	if j, stands := c.books.verdict[x.subject]; stands && j.life != 0 && j.life < m.born {
		r = ruleGrowth
	}
	c.fail(r, "C-%d goes to %s against %s, which is well and serves slot %s", p.Case, p.To, x.subject, x.slot)
}

// unsettled counts the members that are condemned, still hold a slot, and are not
// known to people; none if all of them are of a failure domain that has fallen.
func (c *checker) unsettled(now time.Time) int {
	n, others, b := 0, 0, &c.books
	for id, j := range b.verdict {
		if c.attended(now, id) {
			continue
		}
		switch j.kind {
		case consensus.VerdictDown, consensus.VerdictServiceDown, consensus.VerdictDomainCut:
			if _, sits := b.seats[id]; sits {
				n++
				if !slices.Contains(b.fallen, id) {
					others++
				}
			}
		default: // nobody acts on it
		}
	}
	if others == 0 {
		return 0
	}
	return n
}

// inFlight counts the cases between fencing and cutover.
func (b *books) inFlight() int {
	n := 0
	for _, c := range b.cases {
		if c.flies() {
			n++
		}
	}
	return n
}

func (c *caseBook) flies() bool {
	switch c.state {
	case failover.Fencing, failover.Fenced, failover.Activating, failover.Claiming, failover.Verifying:
		return !c.restarts
	default: // not begun, or served
		return false
	}
}

// drainOrdered checks promise 9 where people take traffic away.
func (c *checker) drainOrdered(p failover.DrainOrdered) {
	if p.Back {
		return
	}
	c.look(ruleDrain)
	n, serving := c.books.serving(c.books.slots[p.Slot].pool, p.Slot)
	if floor := max(1, (n+1)/2); serving < floor {
		c.fail(ruleDrain, "the drain of %s that people ordered leaves %d serving, at least %d", p.Slot, serving, floor)
	}
}

// drain checks promise 9 before a case takes traffic away.
func (c *checker) drain(p failover.CaseOpened) {
	c.look(ruleDrain)
	b := &c.books
	if s, ok := c.state.Slot(p.Slot); !ok || !s.Drained {
		return
	}
	n, serving := b.serving(b.slots[p.Slot].pool, p.Slot)
	if floor := max(1, (n+1)/2); serving < floor {
		c.fail(ruleDrain, "the drain of %s leaves %d serving in pool %s, at least %d", p.Slot, serving, b.slots[p.Slot].pool, floor)
	}
}

// serving counts a pool's slots, and those that are occupied and not drained;
// one slot may be left out of the latter.
func (b *books) serving(pool string, without member.SlotID) (slots, serving int) {
	for id, s := range b.slots {
		if s.pool != pool {
			continue
		}
		slots++
		if id != without && s.occupant != "" && !s.drained {
			serving++
		}
	}
	return slots, serving
}
