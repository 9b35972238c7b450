package sim

import (
	"time"

	"moonwatch/consensus"
	"moonwatch/failover"
)

// holds remembers since when each scope of the brake is in its mode.
type holds map[failover.Scope]hold

type hold struct {
	mode failover.Mode
	at   time.Duration // in the world's time
	fact time.Time     // in the ledger's
}

// held checks S6 on every fact of the brake: a mode does not end before its calm
// while can have passed. Two clocks say how long it lasted, the world's and the
// ledger's; it is too short only if both say so, with a fifth for clocks that run
// badly.
func (c *checker) held(f consensus.Fact, b failover.Brakes) {
	c.look(ruleBudget)
	t := c.timing()
	lasts := map[failover.Mode]time.Duration{failover.Guarded: t.GuardedClear, failover.Cascade: t.CascadeClear}
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
