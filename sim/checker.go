package sim

import (
	"fmt"

	"moonwatch/agent"
	"moonwatch/consensus"
	"moonwatch/failover"
	"moonwatch/member"
	"moonwatch/mind"
)

// checker judges everything that happens by the promises of the product. It
// keeps its own books and does not ask the decisions how they came to theirs.
type checker struct {
	w         *World
	broken    error
	fold      *consensus.Ledger // the agreed story, applied once more
	state     *failover.State
	effects   map[string]member.ID // step keys and who did them
	cutovers  map[uint64]int
	spent     []int64
	False     int // verdicts on members that were well
	Verdicts  int
	Destroyed int // destructive actions
}

func newChecker(w *World) *checker {
	c := &checker{w: w, effects: map[string]member.ID{}, cutovers: map[uint64]int{}}
	c.state = failover.NewState()
	c.fold = consensus.NewLedger(c.state)
	c.state.Bind(c.fold)
	return c
}

func (c *checker) fail(format string, args ...any) {
	if c.broken == nil {
		c.broken = fmt.Errorf("seed %d at %v: "+format, append([]any{c.w.cfg.Seed, c.w.now}, args...)...)
	}
}

// applied checks a fact that one agent has taken into its ledger.
func (c *checker) applied(m *machine, f consensus.Fact) {
	w := c.w
	if int(f.Index) <= len(w.facts) {
		// Promise 8 and S3: everybody has the same story, with the same
		// outcome.
		g := w.facts[f.Index-1]
		if g.Hash != f.Hash || g.Accepted != f.Accepted {
			c.fail("promise 8: fact %d of %s is %v %v, others have %v %v", f.Index, m.id, f.Hash, f.Accepted, g.Hash, g.Accepted)
		}
		return
	}
	if int(f.Index) != len(w.facts)+1 {
		c.fail("promise 8: %s applied fact %d, the story ends with %d", m.id, f.Index, len(w.facts))
		return
	}
	w.facts = append(w.facts, f)
	w.note(m.i, fmt.Sprintf("fact %d %s %s %v %s", f.Index, f.Command.Kind, f.Command.ID, f.Accepted, f.Reason))
	before := c.state.Brake().Mode()
	if _, _, err := c.fold.Follow(f); err != nil {
		c.fail("promise 8: %v", err)
		return
	}
	if f.Accepted {
		c.fact(f, before)
	}
	c.sweep()
}

func (c *checker) fact(f consensus.Fact, before failover.Mode) {
	switch f.Command.Kind {
	case consensus.KindVerdict:
		v, _ := consensus.DecodePayload[consensus.Verdict](f)
		for _, x := range v.Findings {
			c.verdict(x)
		}
	case failover.KindCaseStep:
		p, _ := consensus.DecodePayload[failover.CaseStep](f)
		switch p.To {
		case failover.Fencing, failover.Restarting:
			if before == failover.Cascade {
				c.fail("promise 6: case C-%d goes to %s in cascade", p.Case, p.To)
			}
			if p.To == failover.Fencing {
				c.budget(f)
			}
		case failover.Cutover:
			if c.cutovers[p.Case]++; c.cutovers[p.Case] > 1 {
				c.fail("promise 5: case C-%d cut over twice", p.Case)
			}
		}
	}
}

// verdict checks promise 1: an observer quorum behind it, and a member that
// was really in trouble.
func (c *checker) verdict(x consensus.Finding) {
	w := c.w
	if x.Kind == consensus.VerdictUp || x.Kind == consensus.VerdictPartial {
		return
	}
	c.Verdicts++
	count := x.Agent
	if x.Kind == consensus.VerdictServiceDown {
		count = x.Service
	}
	downs := map[member.ID]bool{}
	for _, v := range count.Votes {
		if v.Stance == agent.Down {
			downs[v.Observer] = true
		}
	}
	if len(downs) < 2 || len(downs)*10 < count.Eligible*6 {
		c.fail("promise 1: %s on %s with %d down votes of %d eligible", x.Kind, x.Subject, len(downs), count.Eligible)
	}
	m := w.machine(x.Subject)
	if m.up() && w.now-m.crashed > 5e9 && w.now-m.paused > 5e9 && !w.links.any && x.Kind != consensus.VerdictServiceDown {
		c.False++
	}
}

// budget counts promise 6 with numbers of its own.
func (c *checker) budget(f consensus.Fact) {
	n := c.fold.Roster().Len()
	window := failover.TimingOf(c.fold.Fleet().Profile).BudgetWindow
	now := f.Time.UnixNano()
	keep := c.spent[:0]
	for _, t := range c.spent {
		if now-t < int64(window) {
			keep = append(keep, t)
		}
	}
	c.spent = append(keep, now)
	if limit := max(2, n/10); len(c.spent) > limit {
		c.fail("promise 6: %d replacements within %v, at most %d", len(c.spent), window, limit)
	}
}

// acts checks an action that an agent is about to run.
func (c *checker) acts(m *machine, e mind.DoStep) {
	k := e.Key
	c.Destroyed++
	if k.Case == 0 {
		return
	}
	key := fmt.Sprintf("%d/%d/%s/%d", k.Case, k.Attempt, k.Step, e.Try)
	if by, twice := c.effects[key]; twice {
		c.fail("promise 5: step %s of C-%d was done by %s and again by %s", k.Step, k.Case, by, m.id)
	}
	c.effects[key] = m.id
	// Promise 2 and 7: what is done has been committed, with this executor.
	x, ok := c.state.Case(k.Case)
	if !ok {
		c.fail("promise 2: %s does %s of C-%d, which nobody committed", m.id, k.Step, k.Case)
		return
	}
	if executor, step, epoch, due := x.Step(); due && x.Attempt == k.Attempt && (executor != m.id || step != k.Step || epoch != k.Epoch) {
		c.fail("promise 7: %s does %s of %s, the ledger says %s does %s", m.id, k.Step, x.Name(), executor, step)
	}
}

// sweep checks the state that the facts make up.
func (c *checker) sweep() {
	used := map[member.ID]member.SlotID{}
	take := func(id member.ID, slot member.SlotID) {
		if other, twice := used[id]; twice && id != "" {
			c.fail("promise 4: %s is in slots %s and %s", id, other, slot)
		}
		used[id] = slot
	}
	serving, slots := map[string]int{}, map[string]int{}
	for _, s := range c.state.Slots() {
		if s.Occupant == "" {
			continue
		}
		take(s.Occupant, s.ID)
		slots[s.Pool]++
		if !s.Drained {
			serving[s.Pool]++
		}
	}
	for _, x := range c.state.OpenCases() {
		if x.Spare != "" && x.State != failover.Settling {
			take(x.Spare, x.Slot)
		}
	}
	for pool, n := range slots {
		if n > 0 && serving[pool] == 0 {
			c.fail("promise 9: pool %s has no serving occupant left", pool)
		}
	}
}
