package sim

import (
	"maps"
	"slices"
	"time"

	"moonwatch/agent"
	"moonwatch/failover"
	"moonwatch/member"
	"moonwatch/mind"
)

// keeper is what ends an exclusive slot on a machine when its lease is over: a
// process of its own and the watchdog device behind it. It outlives the agent, and
// ends with the machine's power; what it knows is on its disk. It counts on the
// machine's steady clock, which goes on while the machine stands still.
type keeper struct {
	slots   map[member.SlotID]*tenancy
	told    uint64 // the life of the agent that hears of it
	receipt bool   // planted: it counts from when a lease came
}

// tenancy is one slot as the keeper knows it.
type tenancy struct {
	epoch    member.SlotEpoch
	boots    uint64        // the life of the machine in which the lease was handed over
	sent     time.Duration // of the newest lease, on the machine's steady clock
	terms    member.LeaseTerms
	stopping bool
	nth      int // how often it was stopped at this slot epoch
	told     int // of these, told to the agent that runs now
}

// streamKeeper draws how long a stop takes, which is never longer than Ds: by then
// everything was killed, or the watchdog has reset the machine.
const streamKeeper = streamGossip + 1

// enforcerEvery is how often the keeper tests itself and says so.
const enforcerEvery = 5 * time.Minute

// until is when the lease ends, on the machine's steady clock.
func (t *tenancy) until() time.Duration { return t.sent + t.terms.Stop }

func (m *machine) steady() time.Duration { return m.clock.steady(m.w.now) }

// leased reports whether the keeper lets the service of a slot epoch start now. That
// of a replicated slot is none of its business.
func (m *machine) leased(slot member.SlotID, epoch member.SlotEpoch) bool {
	if pool, _ := m.w.fleet().PoolOfSlot(slot); !pool.Exclusive {
		return true
	}
	t := m.keeper.slots[slot]
	return t != nil && t.epoch == epoch && t.boots == m.boots && !t.stopping && m.steady() < t.until()
}

// handed takes a lease from the agent, unless the slot has moved on or the lease is
// not younger than the one that it has. One from the future is nobody's.
func (m *machine) handed(l agent.Lease) {
	if m.keeper.receipt {
		l.Sent = m.steady()
	}
	t := m.keeper.slots[l.Slot]
	switch {
	case t != nil && l.Epoch < t.epoch, l.Sent > m.steady():
		return
	case t == nil || l.Epoch > t.epoch:
		if m.keeper.slots == nil {
			m.keeper.slots = map[member.SlotID]*tenancy{}
		}
		t = &tenancy{epoch: l.Epoch}
		m.keeper.slots[l.Slot] = t
	case t.boots == m.boots && l.Sent <= t.sent:
		return
	}
	t.boots, t.sent, t.terms = m.boots, l.Sent, l.Terms
	m.guard(l.Slot, t)
}

// guard arranges the look at the end of a lease.
func (m *machine) guard(slot member.SlotID, t *tenancy) {
	boots, sent := m.boots, t.sent
	m.w.after(max(0, m.clock.lasts(t.until()-m.steady())), func() {
		if m.boots == boots && m.on && t.sent == sent {
			m.enforce(slot, t)
		}
	})
}

// enforce stops a slot whose lease is over. While the machine stands still so does the
// keeper, and everything that it keeps; when it goes on the keeper is the first.
func (m *machine) enforce(slot member.SlotID, t *tenancy) {
	switch {
	case t.stopping || m.running[slot] == nil:
		return
	case m.w.now < m.halted:
		m.w.at(m.halted, m.goOn)
		return
	case m.steady() < t.until():
		m.guard(slot, t) // the clock's rate has changed meanwhile
		return
	}
	t.stopping = true
	boots := m.boots
	took := m.w.chance.span(Span{Min: time.Millisecond, Max: t.terms.Within}, streamKeeper, m.i)
	m.w.after(m.clock.lasts(took), func() {
		if m.boots == boots && m.on && t.stopping {
			m.ended(slot, t)
		}
	})
}

// ended ends a stop: nothing of the slot runs any more.
func (m *machine) ended(slot member.SlotID, t *tenancy) {
	if m.w.now < m.halted {
		m.w.at(m.halted, m.goOn)
		return
	}
	t.stopping = false
	if s := m.running[slot]; s != nil {
		m.ail()
		delete(m.running, slot)
		m.w.note(m.i, "keeper stops "+string(slot))
		m.w.seldom("lease-ended")
		m.w.tell(Happening{What: ServiceDown, Member: m.id, Slot: slot})
	}
	t.nth++
	m.lapsed()
}

// goOn lets the keeper act first when a machine that stood still goes on: what was
// overdue is ended at once.
func (m *machine) goOn() {
	if !m.on || m.w.now < m.halted {
		return
	}
	for _, slot := range slices.Sorted(maps.Keys(m.keeper.slots)) {
		t := m.keeper.slots[slot]
		if t.boots != m.boots || m.running[slot] == nil && !t.stopping || m.steady() < t.until() {
			continue
		}
		t.stopping = true
		m.ended(slot, t)
	}
}

// lapsed tells the agent what was stopped and does not run.
func (m *machine) lapsed() {
	if m.mind == nil {
		return
	}
	life := m.life
	for _, slot := range slices.Sorted(maps.Keys(m.keeper.slots)) {
		t := m.keeper.slots[slot]
		if t.nth == t.told || m.running[slot] != nil {
			continue
		}
		t.told = t.nth
		m.deliver(func(m *machine) {
			if m.life == life {
				m.step(mind.SlotLapsed{Slot: slot, Epoch: t.epoch, Nth: t.nth})
			}
		})
	}
}

// keepsTelling lets an agent that has just started hear of its keeper, now and then.
func (m *machine) keepsTelling(life uint64) {
	if !m.w.fleet().Exclusive() || m.keeper.told == life {
		return
	}
	m.keeper.told = life
	for _, t := range m.keeper.slots {
		t.told = 0
		if t.boots != m.boots && t.sent > 0 { // it ended with the machine
			t.boots, t.sent, t.stopping = m.boots, 0, false
			t.nth++
		}
	}
	var tell func()
	tell = func() {
		if m.life != life || m.mind == nil {
			return
		}
		m.deliver(func(m *machine) {
			if m.life == life {
				m.step(mind.EnforcerTold{Kind: "keeper", Watchdog: true})
			}
		})
		m.w.after(enforcerEvery, tell)
	}
	tell()
	m.lapsed()
}

// renewed sends a renewal, stamped as the daemon stamps it.
func (m *machine) renewed(e mind.SendRenewal) {
	r := e.Renewal
	r.Sent = m.steady()
	m.w.checker.renews(r)
	came := mind.RenewalCame{Renewal: r, Raw: m.w.leases.write(r)}
	for _, id := range e.To {
		if id == m.id {
			m.w.after(time.Microsecond, func() { m.deliver(func(m *machine) { m.step(came) }) })
			continue
		}
		m.w.datagram(m, id, renewalBytes(&r), func(x *machine) {
			if x.met(m) {
				x.step(came)
			}
		})
	}
}

// grants sends a grant.
func (m *machine) grants(e mind.SendGrant) {
	m.w.checker.grants(m, e.Grant)
	came := mind.GrantCame{From: m.id, Grant: e.Grant, Raw: m.w.leases.write(came{m.id, e.Grant})}
	for _, id := range e.To {
		m.w.datagram(m, id, grantBytes(m, &e.Grant), func(x *machine) {
			if x.met(m) {
				x.step(came)
			}
		})
	}
}

// came is a grant and who gave it.
type came struct {
	from  member.ID
	grant agent.Grant
}

// passLease sends a renewal or a grant on, as it came.
func (m *machine) passLease(e mind.PassLease) {
	switch x := m.w.leases.read(e.Raw).(type) {
	case agent.Renewal:
		from := m.w.machine(x.Holder)
		m.w.datagram(m, e.To, renewalBytes(&x), func(to *machine) {
			if to.met(from) {
				to.step(mind.RenewalCame{Renewal: x, Raw: e.Raw})
			}
		})
	case came:
		from := m.w.machine(x.from)
		m.w.seldom("grant-relayed")
		m.w.datagram(m, e.To, grantBytes(from, &x.grant), func(to *machine) {
			if to.met(from) {
				to.step(mind.GrantCame{From: x.from, Grant: x.grant, Raw: e.Raw})
			}
		})
	}
}

// serviceStarts brings a service up, unless the keeper does not let it in.
func (m *machine) serviceStarts(k failover.StepKey) bool {
	if !m.leased(k.Slot, k.Epoch) {
		m.w.seldom("start-without-lease")
		return false
	}
	m.running[k.Slot] = &service{epoch: k.Epoch}
	m.w.tell(Happening{What: ServiceUp, Member: m.id, Slot: k.Slot})
	m.w.checker.serves(m, k.Slot, k.Epoch)
	return true
}
