package sim

import (
	"moonwatch/consensus"
	"moonwatch/failover"
	"moonwatch/member"
)

// drillBook is the drill that is under way, if any.
type drillBook struct {
	who   member.ID
	slot  member.SlotID
	epoch member.SlotEpoch
}

// drills checks S6 and hold where a drill begins, and books it: one at a time, only
// while nothing is held, nobody is in trouble and no case goes on.
func (c *checker) drills(f consensus.Fact, id member.ID) {
	c.look(ruleBudget)
	b := &c.books
	if b.drill.who != "" {
		c.fail(ruleBudget, "%s does a drill while %s does one", id, b.drill.who)
	}
	if why := c.noDrill(id); why != "" {
		c.fail(ruleBudget, "%s does a drill while %s", id, why)
	}
	c.look(ruleHeld)
	if c.drillHeld(f, id) {
		c.fail(ruleHeld, "%s does a drill, and people hold", id)
	}
	b.drill = drillBook{who: id, epoch: member.SlotEpoch(f.Index)}
	if d := c.state.Drill(); d != nil && d.Member == id {
		b.drill.slot = d.Slot // any of its pool will do
	}
}

// noDrill says why a member cannot do a drill now.
func (c *checker) noDrill(id member.ID) string {
	b := &c.books
	for _, s := range []failover.Scope{failover.Fleet, failover.InDomain(c.fold.Roster().Domain(id)), failover.InPool(b.pools[id])} {
		if m := b.modes[s]; m == failover.Guarded || m == failover.Cascade {
			return string(s) + " is in mode " + string(m)
		}
	}
	for _, x := range b.cases {
		if x.state != failover.Closed {
			return "the case of slot " + string(x.slot) + " goes on"
		}
	}
	if _, fell := b.verdict[id]; fell || !b.free(id) {
		return "it is no free spare"
	}
	return ""
}

func (c *checker) drillHeld(f consensus.Fact, id member.ID) bool {
	return c.books.heldAt(f.Time, false, failover.Fleet, failover.HoldOf(id), failover.InDomain(c.fold.Roster().Domain(id)), failover.InPool(c.books.pools[id]))
}

// drillsOn ends the drill in the books where a fact has made it end: by the spare's own
// word, or because all is not well any more. What it prepared has to be taken back.
func (c *checker) drillsOn(f consensus.Fact) {
	d := c.books.drill
	if d.who == "" {
		return
	}
	over := c.noDrill(d.who) != "" || c.drillHeld(f, d.who)
	switch f.Command.Kind {
	case failover.KindDrillEnded:
		over = true
	case failover.KindReport:
		p := payload[failover.Report](f)
		over = over || f.Command.Proposer == d.who && p.Case == 0 && p.Step == failover.StepPrepare
	default:
	}
	if over {
		c.books.soil(d.who, d.slot, stain{epoch: d.epoch, drill: true})
		c.books.drill, c.books.drilled, c.books.drillOver = drillBook{}, d, f.Index
	}
}

// mayDrill reports that a member's own copy of the ledger shows the drill under way that it
// begins: that it is over, it may not have heard yet.
func (c *checker) mayDrill(m *machine, k failover.StepKey) bool {
	d, b := drillBook{m.id, k.Slot, k.Epoch}, &c.books
	return b.drill == d || b.drilled == d && m.mind.Ledger().Head() < b.drillOver
}
