package sim

import (
	"time"

	"moonwatch/consensus"
	"moonwatch/mind"
)

// writer does an agent's writes one after the other, in the order in which the
// mind asked, as the daemon and its store do. What need not be durable at once
// waits in memory and goes with the next durable write, at the latest after
// flushAfter. An agent that ends, however it ends, takes with it what waits:
// the store writes whole transactions, so its disk is as it was at some earlier
// moment, and everything that was acknowledged as synced is there.
type writer struct {
	queue   []write
	busy    bool             // a durable write is under way
	waiting []func()         // what goes along with it
	facts   []consensus.Fact // not yet on the disk; the feed has them all the same
	flush   bool             // is arranged
	turn    uint64           // grows when the agent ends: an older write's end means nothing

	stalled time.Duration // until then no write ends
	full    time.Duration // until then every durable write fails
	slow    pace
}

// write is one thing to be written.
type write struct {
	durable bool
	do      func()
	then    func() // nil: nobody waits
}

// pace is how much longer things take: so much, and so many times.
type pace struct {
	more  time.Duration
	times float64 // 0: as ever
}

func (p pace) of(d time.Duration) time.Duration {
	if p.times > 0 {
		d = time.Duration(float64(d) * p.times)
	}
	return d + p.more
}

// flushAfter and writeAgain are those of consensus/disk and of the daemon.
const (
	flushAfter = 200 * time.Millisecond
	writeAgain = 500 * time.Millisecond // how long a write waits for space
)

// persist writes raft's state.
func (m *machine) persist(e mind.Persist) {
	m.write(write{e.Sync, func() { m.disk.persist(e.Persist) }, func() {
		m.deliver(func(m *machine) { m.step(mind.DiskDone{Seq: e.Seq}) })
	}})
}

// keep writes facts, which can be had again, when there is time.
func (m *machine) keep(facts []consensus.Fact) {
	m.writer.facts = append(m.writer.facts, facts...)
	m.write(write{false, func() {
		m.disk.keep(facts)
		m.writer.facts = m.writer.facts[len(facts):]
	}, nil})
}

// keepSnapshot writes a whole ledger.
func (m *machine) keepSnapshot(e mind.KeepSnapshot) {
	m.write(write{true, func() { m.disk.keepSnapshot(e) }, nil})
}

// write hands something to the disk.
func (m *machine) write(x write) {
	m.writer.queue = append(m.writer.queue, x)
	if !m.writer.busy {
		m.writeNext()
	}
}

// writeNext takes what need not be durable into memory, and begins the next
// durable write.
func (m *machine) writeNext() {
	d := &m.writer
	for len(d.queue) > 0 && !d.queue[0].durable {
		x := d.queue[0]
		d.queue = d.queue[1:]
		d.waiting = append(d.waiting, x.do)
		if x.then != nil {
			m.w.after(0, m.unlessEnded(x.then))
		}
	}
	if len(d.queue) > 0 {
		d.busy = true
		took := m.slow.of(d.slow.of(m.w.chance.span(m.w.cfg.Disk.Sync, streamDisk, m.i)))
		m.w.after(took, m.unlessEnded(m.written))
		return
	}
	d.queue = nil
	if len(d.waiting) > 0 && !d.flush {
		d.flush = true
		m.w.after(flushAfter, m.unlessEnded(func() {
			d.flush = false
			if len(d.waiting) > 0 && !d.busy {
				m.write(write{true, func() {}, nil})
			}
		}))
	}
}

// written ends a durable write, unless the disk stalls or is full: then it
// comes back.
func (m *machine) written() {
	d := &m.writer
	switch {
	case m.w.now < d.stalled:
		m.w.at(min(d.stalled, m.w.now+time.Second), m.unlessEnded(m.written))
		return
	case m.w.now < d.full:
		m.w.after(writeAgain, m.unlessEnded(m.written))
		return
	}
	x := d.queue[0]
	d.queue = d.queue[1:]
	m.commit(x)
	d.busy = false
	if x.then != nil {
		x.then()
	}
	if m.mind != nil && !d.busy {
		m.writeNext()
	}
}

// commit is the transaction: what waited, then what asked for it.
func (m *machine) commit(x write) {
	for _, do := range m.writer.waiting {
		do()
	}
	m.writer.waiting = nil
	x.do()
}

// unlessEnded is do, or nothing if the agent has ended by then.
func (m *machine) unlessEnded(do func()) func() {
	turn := m.writer.turn
	return func() {
		if m.writer.turn == turn && m.mind != nil {
			do()
		}
	}
}

// abandon is the end of the agent for its disk. The transaction under way may
// be on the disk whole although nobody was told, or not at all: a torn one is
// found by the store and is none.
func (m *machine) abandon(landed bool) {
	d := &m.writer
	if landed && d.busy && m.w.now >= max(d.stalled, d.full) && len(d.queue) > 0 {
		m.commit(d.queue[0])
	}
	d.queue, d.waiting, d.facts, d.busy, d.flush = nil, nil, nil, false, false
	d.turn++
}

// streamLanding decides whether the write under way at a crash was whole.
const streamLanding = streamSwizzle + 1

// lands draws it: as good as ever that the last write was whole.
func (m *machine) lands() bool { return m.w.chance.next(streamLanding, m.i, 0)%2 == 0 }

// factsFrom are the facts that this machine can feed to others: from its disk,
// and from memory what is on its way there. False: only a whole ledger helps.
func (m *machine) factsFrom(from uint64) ([]consensus.Fact, bool) {
	if from <= m.disk.base {
		return nil, false
	}
	stored, fresh := m.disk.facts, m.writer.facts
	if i := int(from - m.disk.base - 1); i < len(stored) {
		if len(fresh) == 0 || fresh[0].Index != stored[len(stored)-1].Index+1 {
			return stored[i:], true
		}
		return append(stored[i:len(stored):len(stored)], fresh...), true
	}
	if len(fresh) == 0 || fresh[0].Index > from {
		return nil, len(fresh) == 0
	}
	return fresh[min(len(fresh), int(from-fresh[0].Index)):], true
}
