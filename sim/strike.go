package sim

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"moonwatch/member"
)

// forever is a fault without an end.
const forever = 1000 * time.Hour

// Strike arranges faults. One that Fault.Check refuses, or that names a member
// whom the world does not have, is a mistake of the caller's, who has to check
// what people wrote.
func (w *World) Strike(faults ...Fault) {
	for _, f := range faults {
		w.must(f)
		w.at(f.At, func() { w.begin(f) })
		if f.For > 0 {
			w.at(f.At+f.For, func() { w.end(f) })
		}
	}
}

func (w *World) must(f Fault) {
	if err := f.Check(); err != nil {
		panic("sim: " + err.Error())
	}
	for _, id := range slices.Concat(f.Whom, f.Other) {
		if _, ok := w.index[id]; !ok {
			panic(fmt.Sprintf("sim: fault %s: no member %s", f.Do, id))
		}
	}
	if f.Do == Flood && !w.cfg.Shield.Floods(f.Host) && !slices.ContainsFunc(w.doors, func(d *door) bool { return d.load.Host == f.Host }) {
		panic(fmt.Sprintf("sim: fault %s: no load for %s", f.Do, f.Host))
	}
}

// Hit lets a fault begin at once.
func (w *World) Hit(do FaultKind, whom ...member.ID) { w.Begin(Fault{Do: do, Whom: whom}) }

// Mend ends a fault that has no end of its own.
func (w *World) Mend(do FaultKind, whom ...member.ID) { w.End(Fault{Do: do, Whom: whom, Serve: true}) }

// Begin lets a fault begin at once, whatever its At says. If it has no For it
// lasts until End.
func (w *World) Begin(f Fault) {
	f.At = w.now
	w.must(f)
	w.begin(f)
	if f.For > 0 {
		w.after(f.For, func() { w.end(f) })
	}
}

// End ends a fault that Begin began without a For: the same kind, members and
// numbers.
func (w *World) End(f Fault) { w.end(f) }

func (w *World) begin(f Fault) {
	length := f.For
	if length == 0 {
		length = forever
	}
	w.tell(Happening{What: FaultBegan, Fault: &f})
	for _, m := range w.those(f.Whom) {
		w.note(m.i, string(f.Do))
		if !f.Do.isOrder() {
			m.ail()
		}
	}
	switch f.Do {
	case Weather:
		w.blow(f.Share)
		w.ailAll()
	case Lossy, LossyIn, LossyOut, Burst, Duplicate, Reorder, Delay, Isolate, Deafen, Mute, Cut, CutOneWay, Swizzle, Flap:
		w.strikeLinks(f)
	case Flood:
		w.floodBegins(f)
	case OrderHold, OrderFreeze, OrderDisarm, OrderMaintenance, OrderDryRun:
		w.orderHold(f)
	case OrderDrain:
		w.orderDrain(f, false)
	case OrderVacate:
		w.orderVacate(f)
	case OrderFill:
		w.orderFill(f)
	case OrderSwitchover:
		w.orderSwitchover(f)
	case OrderRefound:
		w.orderRefound(f)
	case OrderOverride, OrderAlone, OrderFenced, OrderReserve:
		w.orderRequest(f)
	case OrderApprove, OrderApproveOwn, OrderReject:
		w.orderAnswer(f)
	case OrderFailover:
		w.orderFailover(f)
	case OrderDrill:
		w.orderDrill(f)
	case OrderClear:
		w.orderClear(f)
	case OrderRevoke:
		w.orderRevoke(f)
	case OrderApply:
		w.orderApply(f)
	default:
		for _, m := range w.those(f.Whom) {
			m.struck(f, length)
		}
	}
}

// struck lets a fault of one machine begin.
func (m *machine) struck(f Fault, length time.Duration) {
	until := m.w.now + length
	if rule, _ := RuleOf(f.Do); rule.Ends {
		m.lasting = append(m.lasting, lastingFault{f, until})
	}
	switch f.Do {
	case Crash:
		m.crash(m.lands())
	case Wipe:
		m.crash(false)
		m.empty()
	case TornTail, LostTail:
		m.crash(false)
	case KillAgent:
		m.killAgent(m.lands())
	case BitFlip:
		m.killAgent(m.lands())
		m.disk.flipped = true
		m.start(100 * time.Millisecond)
	case KillService:
		m.killServices()
	case Sicken:
		for _, s := range m.running {
			s.sick = true
		}
	case Pause:
		m.halted = max(m.halted, until)
		m.pause(length)
	case Freeze:
		m.pause(length)
	case Slow:
		m.slows()
	case StallDisk:
		m.writer.stalled = max(m.writer.stalled, until)
	case FullDisk:
		m.writer.full = max(m.writer.full, until)
	case SlowDisk:
		m.slows()
	case ClockJump:
		m.clock.jump(m.w.now, f.Delay)
	case ClockDrift:
		m.clock.run(m.w.now, f.Share)
	case Lie, Defame:
		m.slander(m.life)
	case Forge:
		m.forges(m.life)
	default: // not a machine's, or one that counts as long as it lasts
	}
}

// slows makes the machine as slow as the worst fault that lasts.
func (m *machine) slows() {
	m.slow = m.lasting.pace(Slow, pace{more: 100 * time.Millisecond})
	m.writer.slow = m.lasting.pace(SlowDisk, pace{times: 10})
}

// pace is what a fault says about it, or otherwise if it says nothing.
func (f Fault) pace(otherwise pace) pace {
	if f.Delay == 0 && f.Share == 0 {
		return otherwise
	}
	return pace{more: f.Delay, times: f.Share}
}

// end undoes a fault. What ends by itself or cannot be undone is left alone.
func (w *World) end(f Fault) {
	var held []member.ID
	for _, m := range w.those(f.Whom) {
		if m.lasting.end(f); m.lasting.holds(f.Do) {
			held = append(held, m.id)
		}
	}
	w.tell(Happening{What: FaultEnded, Fault: &f, Held: held})
	for _, m := range w.those(f.Whom) {
		w.note(m.i, "end of "+string(f.Do))
		if !f.Do.isOrder() {
			m.ail()
		}
	}
	switch f.Do {
	case Weather:
		w.blow(-f.Share)
		w.ailAll()
	case Lossy, LossyIn, LossyOut, Burst, Duplicate, Reorder, Delay, Isolate, Deafen, Mute, Cut, CutOneWay, Swizzle, Flap:
		w.healLinks(f)
	case Flood:
		w.floodEnds(f)
	case OrderHold, OrderFreeze, OrderDisarm, OrderMaintenance, OrderDryRun:
		w.orderLift(f)
	case OrderDrain:
		w.orderDrain(f, true)
	case OrderRevoke:
		w.certifyAnew(f.Whom)
	default:
		for _, m := range w.those(f.Whom) {
			m.mended(f)
		}
	}
}

// mended ends a fault of one machine, which is no longer among those that last.
// What adds up ends in any case, all else with the last one of its sort.
func (m *machine) mended(f Fault) {
	switch f.Do {
	case ClockJump:
		m.clock.jump(m.w.now, -f.Delay)
		return
	case ClockDrift:
		m.clock.run(m.w.now, -f.Share)
		return
	case Slow:
		m.slows()
		m.lossyAt = m.w.now // answers that came too late are lost ones, and are remembered
		return
	case SlowDisk:
		m.slows()
		return
	case Pause, Freeze, StallDisk, FullDisk:
		if f.For == 0 { // else its time is over, or a longer one of its kind goes on
			m.release(f.Do)
		}
		return
	default:
	}
	if m.lasting.holds(f.Do) {
		return
	}
	switch f.Do {
	case Crash, Wipe, TornTail, LostTail:
		m.boot(f.Serve)
	case BitFlip:
		if m.mind == nil {
			m.disk.loseLedger()
			m.start(100 * time.Millisecond)
		}
	case KillAgent:
		m.start(100 * time.Millisecond)
	case Sicken:
		for _, s := range m.running {
			s.sick = false
		}
	case Lie, Defame:
		m.repent()
	default: // over by itself
	}
}

// crash takes a machine's power. Landed says whether the write under way was
// whole on the disk.
func (m *machine) crash(landed bool) {
	m.killAgent(landed)
	if !m.on {
		return
	}
	m.on = false
	m.paused, m.halted = 0, 0
	m.boots++
	m.stopped = maps.Clone(m.running)
	m.killServices()
	m.dropAddresses()
}

// killServices ends the services alone.
func (m *machine) killServices() {
	for _, slot := range slices.Sorted(maps.Keys(m.running)) {
		delete(m.running, slot)
		m.w.tell(Happening{What: ServiceDown, Member: m.id, Slot: slot})
	}
}

// boot gives a machine its power back. Serve says whether its init system
// starts what ran before, as it may for a slot that has moved on since.
func (m *machine) boot(serve bool) {
	if m.on {
		return
	}
	m.on = true
	if serve {
		for slot, s := range m.stopped {
			if pool, _ := m.w.fleet().PoolOfSlot(slot); !pool.Exclusive { // else it is its keeper's, not its init's
				m.running[slot] = &service{epoch: s.epoch}
			}
		}
		for _, slot := range slices.Sorted(maps.Keys(m.running)) {
			m.w.tell(Happening{What: ServiceUp, Member: m.id, Slot: slot})
		}
	}
	m.stopped = nil
	m.start(100 * time.Millisecond)
}

// empty leaves a machine without anything that its agent has ever written. A
// councillor's votes are among it, so it sits in the council no more.
func (m *machine) empty() {
	m.disk = newDisk()
	m.disk.emptied, m.emptied = true, m.w.now
	m.keeper = keeper{}
}

// killAgent ends the agent as kill -9 does. Landed says whether the write under
// way was whole on the disk.
func (m *machine) killAgent(landed bool) {
	if m.mind != nil {
		m.abandon(landed)
		m.w.tell(Happening{What: AgentEnded, Member: m.id})
	}
	m.mind, m.waiting = nil, nil
	m.life++
	m.wake = 0
	m.paused = m.halted
}

// endAgent ends the agent as its init system does: it writes what it has.
func (m *machine) endAgent() { m.killAgent(true) }

// pause lets the agent stand still; what arrives waits for it.
func (m *machine) pause(d time.Duration) {
	m.paused = max(m.paused, m.w.now+d)
	life := m.life
	m.w.at(m.paused, func() {
		if m.life == life && m.up() {
			m.resume()
		}
	})
}

// resume gives an agent that stood still what waited for it.
func (m *machine) resume() {
	if m.w.now >= m.halted {
		m.goOn()
		m.w.checker.goesOn(m)
	}
	waiting := m.waiting
	m.waiting = nil
	m.ail()
	m.stoodAt = m.w.now
	for _, do := range waiting {
		m.deliver(do)
	}
	m.woken()
}

// release ends at once what would have lasted for good, or leaves it to another
// fault of the same kind that goes on.
func (m *machine) release(do FaultKind) {
	end := max(m.w.now, m.lasting.until(do))
	switch do {
	case StallDisk:
		m.writer.stalled = min(m.writer.stalled, end)
	case FullDisk:
		m.writer.full = min(m.writer.full, end)
	case Pause:
		m.halted = min(m.halted, end)
		m.paused = min(m.paused, max(end, m.lasting.until(Freeze)))
	default:
		m.paused = min(m.paused, max(m.halted, end))
	}
	if m.up() && (do == Pause || do == Freeze) {
		m.resume()
	}
}
