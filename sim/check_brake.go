package sim

import (
	"maps"
	"slices"
	"time"

	"moonwatch/consensus"
	"moonwatch/failover"
	"moonwatch/member"
)

// holds remembers since when each scope of the brake is in its mode.
type holds map[failover.Scope]hold

type hold struct {
	mode failover.Mode
	at   time.Duration // in the world's time
	fact time.Time     // in the ledger's
}

// outlive forgets the scopes that another fleet does not have: their modes are gone
// with them.
func (h holds) outlive(f *member.Fleet) {
	maps.DeleteFunc(h, func(s failover.Scope, _ hold) bool {
		return s != failover.Fleet &&
			!slices.ContainsFunc(f.Pools, func(p member.Pool) bool { return s == failover.InPool(p.Name) }) &&
			!slices.ContainsFunc(f.Members, func(m member.Member) bool { return !m.Retired && s == failover.InDomain(m.Domain) })
	})
}

// held checks S6 on every fact of the brake: a mode does not end before its calm
// while can have passed. Two clocks say how long it lasted, the world's and the
// ledger's; it is too short only if both say so, with a fifth for clocks that run
// badly.
func (c *checker) held(f consensus.Fact, b failover.Brakes) {
	c.look(ruleBudget)
	t := c.timing()
	lasts := map[failover.Mode]time.Duration{failover.Guarded: t.GuardedClear, failover.Cascade: t.CascadeClear}
	if was := c.timesWas; c.limitWas > 0 && c.w.now-c.limitSince < grace { // the leader may have said so by the fleet before
		lasts[failover.Guarded], lasts[failover.Cascade] = min(t.GuardedClear, was.GuardedClear), min(t.CascadeClear, was.CascadeClear)
	}
	for s, was := range c.holds {
		lasted := max(c.w.now-was.at, f.Time.Sub(was.fact))
		if b.In(s).Mode.Rank() < was.mode.Rank() && lasted < lasts[was.mode]*4/5 {
			c.fail(ruleBudget, "%s leaves %s after %v, it lasts %v at least", s, was.mode, lasted, lasts[was.mode])
		}
	}
	next := holds{}
	for s, m := range b.Modes {
		next[s] = hold{m.Mode, c.w.now, f.Time}
		if was, ok := c.holds[s]; ok && was.mode == m.Mode {
			next[s] = was
		}
	}
	c.holds = next
}

// fell checks S6 where a failure domain that is lost stops holding up what is
// done about it: it is one, it is small, nobody else is in trouble, and none of
// those that are to be replaced is well.
func (c *checker) fell(f consensus.Fact, b failover.Brakes) {
	if b.Fallen == nil || slices.Equal(b.Fallen.Members, c.books.fallen) {
		return
	}
	c.look(ruleBudget)
	size, fleet := 0, c.fold.Roster()
	for _, m := range fleet.Members {
		if m.Domain == b.Fallen.Domain {
			size++
		}
	}
	if 5*size > fleet.Len() {
		c.fail(ruleBudget, "failure domain %s falls with %d of %d members", b.Fallen.Domain, size, fleet.Len())
	}
	leader := c.w.machine(f.Command.Proposer)
	for _, id := range b.Fallen.Members {
		j := c.books.verdict[id]
		if fleet.Domain(id) != b.Fallen.Domain {
			c.fail(ruleBudget, "failure domain %s falls, and %s of %s with it", b.Fallen.Domain, id, fleet.Domain(id))
		}
		if c.w.machine(id).well(leader) && j.kind != consensus.VerdictServiceDown {
			c.fail(ruleWell, "failure domain %s falls, and %s is well", b.Fallen.Domain, id)
		}
	}
	for id, j := range c.books.verdict {
		if _, sits := c.books.seats[id]; sits && j.kind == consensus.VerdictDown && !slices.Contains(b.Fallen.Members, id) {
			c.fail(ruleBudget, "failure domain %s falls, and %s, which is down, is not one of it", b.Fallen.Domain, id)
		}
	}
}
