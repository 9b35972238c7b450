package sim

import (
	"moonwatch/consensus"
	"moonwatch/mind"
)

// Audit checks what only a whole run shows: that the histories of spares and
// slots have an order in which each step was allowed (S4), that every agent with
// all facts has the same ledger (S3), that no fact can be forgotten (S11), and
// that the facts' bytes alone give the same state (S12). It is called once, at
// the end of a run, and returns the first broken promise.
func (w *World) Audit() error {
	c := w.checker
	if c.broken != nil {
		return c.broken
	}
	c.past.linear(c)
	c.replay()
	if w.Void() == "" {
		for _, f := range w.facts {
			c.look(ruleKept)
			if n, all := c.onDisks(f); f.Command.Kind != consensus.KindGenesis && c.forgettable(n, all) {
				c.fail(ruleKept, "fact %d was agreed and is left on %d of %d councillors' disks", f.Index, n, all)
			}
		}
	}
	for _, m := range w.machines {
		if m.mind != nil && m.mind.Ledger().Head() == c.fold.Head() {
			c.sameLedger(m)
		}
	}
	return w.verdictOf()
}

// replay applies all facts once more, from the bytes that a disk or the feed
// would give.
func (c *checker) replay() {
	c.look(ruleAudit)
	l := mind.NewFold().Ledger
	if from := c.w.cfg.Begin; from != nil {
		if err := l.Restore(from.Ledger); err != nil {
			c.fail(ruleAudit, "%v", err)
			return
		}
	}
	for _, f := range c.w.facts {
		g, err := consensus.DecodeFact(f.Encode())
		if err != nil {
			c.fail(ruleAudit, "%v", err)
			return
		}
		if g, _, err = l.Follow(g); err != nil || g.Accepted != f.Accepted {
			c.fail(ruleAudit, "fact %d applied again: %v %q %v, it was %v", f.Index, g.Accepted, g.Reason, err, f.Accepted)
			return
		}
	}
	a, errA := l.Snapshot()
	b, errB := c.fold.Snapshot()
	if errA != nil || errB != nil || digest(a) != digest(b) {
		c.fail(ruleAudit, "all %d facts applied again give another state (%v, %v)", len(c.w.facts), errA, errB)
	}
}
