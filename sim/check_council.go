package sim

import (
	"slices"

	"moonwatch/consensus"
)

// lagBehind is how many facts a learner may lack when it takes a seat.
const lagBehind = 250

// seated checks a change of the council (S3): at most one voter goes and one comes,
// never while another swap is under way, never a number that was used before, and
// whoever comes has on its disk what was agreed up to a moment ago: else a fact would
// hang on fewer disks than a council's.
func (c *checker) seated(f consensus.Fact, old consensus.Seats) {
	c.look(ruleGrowth)
	now := c.fold.Seats()
	var came, went []consensus.Seat
	for _, s := range now.Voters {
		if !slices.Contains(old.Voters, s) {
			came = append(came, s)
		}
	}
	for _, s := range old.Voters {
		if !slices.Contains(now.Voters, s) {
			went = append(went, s)
		}
	}
	switch {
	case len(came) != len(went) || len(came) > 1:
		c.fail(ruleGrowth, "fact %d changes the council from %v to %v: more than one at once", f.Index, old.Voters, now.Voters)
		return
	case len(came) > 0 && len(old.Outgoing) > 0:
		c.fail(ruleGrowth, "fact %d swaps %s for %s while another swap is under way", f.Index, went[0].Member, came[0].Member)
		return
	}
	if len(came) == 0 {
		return
	}
	c.before, c.changed = old.Voters, c.w.now
	c.w.seldom("councillor-swapped")
	if len(c.w.facts) <= lagBehind {
		if d := c.w.machine(came[0].Member).disk; d.seat != came[0].ID {
			c.fail(ruleGrowth, "fact %d seats %s, whose disk has nothing of raft's log", f.Index, came[0].Member)
		}
		return
	}
	if g := c.w.facts[len(c.w.facts)-lagBehind]; !c.w.hasFact(came[0], g) {
		c.fail(ruleGrowth, "fact %d seats %s, which lacks fact %d", f.Index, came[0].Member, g.Index)
	}
}
