package sim

import (
	"fmt"

	"moonwatch/failover"
	"moonwatch/member"
	"moonwatch/mind"
)

// acts checks an action that an agent is about to run: the ledger ordered it
// (S7), to this member at this slot epoch (promise 7), and nobody has begun it
// before (promise 5).
func (c *checker) acts(m *machine, e mind.DoStep) {
	c.Destroyed++
	c.look(ruleMinority)
	c.look(ruleOrders)
	k := e.Key
	if k.Case == 0 {
		c.alone(m, k)
		return
	}
	c.acted = c.w.now
	if k.Step == failover.StepPrepare {
		c.preparesBy(m, k)
		c.onceOnly(m, e)
		return
	}
	x, ok := c.books.cases[k.Case]
	if !ok {
		c.fail(ruleMinority, "%s does %s of C-%d, which nobody committed", m.id, k.Step, k.Case)
		return
	}
	who := x.executor[k.Attempt]
	if k.Step == failover.StepStop {
		who = x.fence
	}
	if who.id != m.id || who.step != k.Step || who.epoch != k.Epoch {
		c.fail(ruleOrders, "%s does %s of C-%d/%d at slot epoch %d, the ledger says %s does %s at %d",
			m.id, k.Step, k.Case, k.Attempt, k.Epoch, who.id, who.step, who.epoch)
	}
	c.onceOnly(m, e)
}

// onceOnly checks that nobody has begun this very step before.
func (c *checker) onceOnly(m *machine, e mind.DoStep) {
	c.look(ruleOnce)
	k := e.Key
	key := fmt.Sprintf("C-%d/%d/%s/%d in boot %d", k.Case, k.Attempt, k.Step, e.Try, m.boots)
	if k.Step == failover.StepPrepare { // of several spares, each once
		key += fmt.Sprintf(" at slot epoch %d", k.Epoch)
	}
	if by, twice := c.books.effects[key]; twice {
		c.fail(ruleOnce, "%s was done by %s and again by %s", key, by, m.id)
	}
	c.books.effects[key] = m.id
}

// alone checks an action outside of a case: an occupant starts the slot that
// the fleet gave it, whoever lost one stops it, and a drill is one that is under way.
func (c *checker) alone(m *machine, k failover.StepKey) {
	s := c.books.slots[k.Slot]
	switch {
	case s == nil:
		c.fail(ruleOrders, "%s does %s of slot %s, which nobody declared", m.id, k.Step, k.Slot)
	case k.Step == failover.StepStop && s.occupant == m.id && s.epoch == k.Epoch:
		c.fail(ruleOrders, "%s stops slot %s, which is its own", m.id, k.Slot)
	case k.Step == failover.StepPrepare && !c.mayDrill(m, k):
		c.fail(ruleOrders, "%s prepares at slot epoch %d, and the ledger orders no such drill", m.id, k.Epoch)
	case k.Step == failover.StepActivate && !s.had(m.id, k.Epoch):
		c.fail(ruleOrders, "%s starts slot %s at slot epoch %d without having been its occupant", m.id, k.Slot, k.Epoch)
	}
}

// serves checks S4 when an action has brought a service up: of an exclusive slot
// no other one runs. Whether the member has anything to do with the slot is for
// the history to say.
func (c *checker) serves(m *machine, slot member.SlotID, epoch member.SlotEpoch) {
	c.look(ruleOwner)
	pool, _ := c.fold.Fleet().PoolOfSlot(slot)
	if !pool.Exclusive {
		return
	}
	for _, x := range c.w.machines {
		if s := x.running[slot]; x != m && s != nil && x.on && c.w.now >= x.halted { // what stands still does not run
			c.fail(ruleOwner, "%s runs exclusive slot %s at slot epoch %d while %s runs it at %d", m.id, slot, epoch, x.id, s.epoch)
		}
	}
}
