package sim

import (
	"time"

	"moonwatch/agent"
	"moonwatch/failover"
	"moonwatch/member"
)

// leaseBook is what the checker knows about leases: when each was begun, in the
// world's time, whatever any clock said.
type leaseBook struct {
	sent  map[renewalID]time.Duration
	order []renewalID // oldest first, so that old ones can be forgotten
	begun map[leaseKey]begun
	given map[leaseKey]time.Duration // slot epochs that were given away by proof of lease: when
}

type renewalID struct {
	holder member.ID
	life   member.Incarnation
	seq    uint64
}

type leaseKey struct {
	slot  member.SlotID
	epoch member.SlotEpoch
}

// begun is the youngest lease of a slot epoch that anybody granted.
type begun struct {
	at     time.Duration
	length time.Duration
	by     member.ID
}

func newLeaseBook() leaseBook {
	return leaseBook{sent: map[renewalID]time.Duration{}, begun: map[leaseKey]begun{}, given: map[leaseKey]time.Duration{}}
}

// renews notes when a renewal leaves.
func (c *checker) renews(r agent.Renewal) {
	b, id := &c.leases, renewalID{r.Holder, r.Life, r.Seq}
	b.sent[id] = c.w.now
	b.order = append(b.order, id)
	if len(b.order) > postedKept {
		delete(b.sent, b.order[0])
		b.order = b.order[1:]
	}
}

// grants checks S4 when a lease is granted: the slot was not given away while it
// lasts.
func (c *checker) grants(m *machine, g agent.Grant) {
	c.look(ruleOwner)
	r, b := g.Renewal, &c.leases
	at, ok := b.sent[renewalID{r.Holder, r.Life, r.Seq}]
	if !ok {
		return // forgotten: it is minutes old
	}
	k := leaseKey{r.Slot, r.Epoch}
	if old, ok := b.begun[k]; !ok || at+g.Terms.Length > old.at+old.length {
		b.begun[k] = begun{at: at, length: g.Terms.Length, by: m.id}
	}
	if gone, ok := b.given[k]; ok && at+g.Terms.Length > gone && c.books.passed(r.Slot, r.Epoch) {
		c.fail(ruleOwner, "%s grants %s the lease of %s at slot epoch %d until %v, which was given away at %v",
			m.id, r.Holder, r.Slot, r.Epoch, at+g.Terms.Length, gone)
	}
}

// passed reports that a slot was given to somebody at a later slot epoch. A case may
// also find no spare, and end when its subject is back.
func (b *books) passed(slot member.SlotID, epoch member.SlotEpoch) bool {
	if s := b.slots[slot]; s == nil || s.epoch > epoch {
		return true
	}
	for _, x := range b.cases {
		if x.slot == slot && x.spare != "" && x.cutovers == 0 && x.claimedAt > epoch {
			return true
		}
	}
	return false
}

// leaseOver checks S4 when a slot is given away by proof of lease: every lease of
// it has ended, as of when that was proposed.
func (c *checker) leaseOver(k call, p failover.CaseStep, x *caseBook) {
	if p.Proof != "lease" {
		return
	}
	c.look(ruleOwner)
	c.w.seldom("lease-proof")
	key := leaseKey{x.slot, x.fence.epoch}
	c.leases.given[key] = k.at
	if l, ok := c.leases.begun[key]; ok && k.at < l.at+l.length {
		c.fail(ruleOwner, "C-%d gives %s away at %v, and the lease of %s at slot epoch %d, which %s granted, lasts from %v to %v",
			p.Case, x.slot, k.at, x.fence.id, x.fence.epoch, l.by, l.at, l.at+l.length)
	}
}

// goesOn checks S4 when a machine goes on that stood still: what it runs of an
// exclusive slot nobody else runs by now.
func (c *checker) goesOn(m *machine) {
	for slot, s := range m.running {
		c.serves(m, slot, s.epoch)
	}
}
