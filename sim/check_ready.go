package sim

import (
	"time"

	"moonwatch/consensus"
	"moonwatch/failover"
	"moonwatch/member"
)

// proofLife is how long a member's word that it is ready counts (PROTOCOL 5): three
// renewals, of which a fleet hears one in five minutes of each member without a slot,
// and one a second of all.
func (c *checker) proofLife() time.Duration {
	free := len(c.fold.Roster().Members) - len(c.books.slots)
	return 3 * max(5*time.Minute, time.Duration(free)*time.Second)
}

// proofBook is what a member last said of its own readiness, and what its last drill
// came to.
type proofBook struct {
	at           time.Time
	good, failed bool
}

// proves books what a member tells of itself.
func (c *checker) proves(f consensus.Fact) {
	p := payload[failover.Report](f)
	b, by := c.proofs, f.Command.Proposer
	x := b[by]
	switch {
	case p.Step == failover.StepTest:
		x.at, x.good = f.Said(), p.Done
	case p.Step == failover.StepPrepare && p.Case == 0 && c.books.drill.who == by:
		x.failed = !p.Done
	default:
		return
	}
	b[by] = x
}

// drillFailed books that a member's drill was ended without its word, or that people
// have forgiven it.
func (c *checker) drillFailed(id member.ID, failed bool) {
	x := c.proofs[id]
	x.failed = failed
	c.proofs[id] = x
}

// ready checks S5 where a case chooses a spare: it said not long ago that it is ready,
// and it has not failed its last drill.
func (c *checker) ready(f consensus.Fact, id uint64, spare member.ID) {
	if c.books.cases[id] == nil || c.books.claimable(id, spare) != nil {
		return // the books say so
	}
	c.look(ruleConserve)
	switch x := c.proofs[spare]; {
	case x.at.IsZero():
		c.fail(ruleConserve, "C-%d claims %s, which has never said that it is ready", id, spare)
	case !x.good:
		c.fail(ruleConserve, "C-%d claims %s, which says that it is not ready", id, spare)
	case x.failed:
		c.fail(ruleConserve, "C-%d claims %s, which has failed its drill", id, spare)
	case f.Time.Sub(x.at) >= c.proofLife():
		c.fail(ruleConserve, "C-%d claims %s, which said %v ago that it is ready, good for %v", id, spare, f.Time.Sub(x.at), c.proofLife())
	}
}
