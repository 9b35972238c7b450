package mind

import (
	"fmt"
	"time"

	"moonwatch/consensus"
)

// clock is what this agent dates facts with while it leads: the wall clock, and where that
// is wrong or in doubt, what it showed when the councillors' clocks were compared last and
// what the steady clock has counted since. Ledger time does not follow a wall clock that
// jumps (docs/adr/046).
type clock struct {
	set      time.Time     // when they were compared last, or this agent began; with the steady clock's reading
	ahead    time.Duration // by how much the wall clock was ahead of the councillors' median then
	outlived bool          // this agent's certificate has ended
	unproven bool          // this agent began after others had dated facts, and nothing has shown since that the wall clock is right
	doubted  time.Time     // since when the wall clock has been off by what nobody has measured; zero: it is not
	asked    time.Time     // when it was asked last that it be measured
	judged   time.Time     // when the council was told last whether this agent may lead
}

// A clock that has jumped is measured at once, and again for as long as that does not
// succeed. So is the clock of an agent that begins: it may have been set, or have lost its
// battery, while the agent did not run. Where there are fewer than three councillors nobody can say whose clock is
// right, and this one's is believed anew after doubtedFor; where there are more, one
// whose clock has not jumped leads.
const (
	measureEvery = 5 * time.Second
	proveEvery   = 500 * time.Millisecond // for proveSoon, then at the same pace
	proveSoon    = 10 * time.Second
	doubtedFor   = time.Minute
)

// time is ledger time now, as far as this agent knows. A wall clock that is right goes as
// it is: what the conductor finds to be over by it must be over for the ledger's gates.
func (c *clock) time(now time.Time, most time.Duration) time.Time {
	if c.right(most) {
		return now.Round(0)
	}
	return c.set.Round(0).Add(now.Sub(c.set) - c.ahead)
}

// jumped is how far the wall clock has gone away from the steady one.
func (c *clock) jumped(now time.Time) time.Duration {
	return now.Round(0).Sub(c.set.Round(0)) - now.Sub(c.set)
}

// right reports that the wall clock is within most of what the councillors' show.
func (c *clock) right(most time.Duration) bool {
	return !c.unproven && c.doubted.IsZero() && c.ahead.Abs() <= most
}

// lookAtClock notices a wall clock that has jumped before anything is decided by it. The
// councillors are compared twice a minute only, which would leave a leader half a minute
// for ending holds and approving requests by a wrong time.
func (m *Mind) lookAtClock() {
	c := &m.clock
	if !c.right(m.cfg.ClockMax) && m.now.Sub(c.judged) >= measureEvery {
		m.judgeClock() // whom the office was offered last has not taken it
	}
	if c.unproven && m.council != nil {
		m.proveClock()
	}
	jumped := c.jumped(m.now)
	switch off := jumped.Abs() > m.cfg.ClockMax; {
	case !off && c.doubted.IsZero():
		return
	case !off: // it was put back
		c.doubted = time.Time{}
		m.judgeClock()
		return
	case c.doubted.IsZero():
		c.doubted, c.asked = m.now, time.Time{}
		m.out = append(m.out, Noted{Text: fmt.Sprintf("this machine's clock has jumped by %v: it decides nothing until it is compared with the councillors'", jumped)})
		m.judgeClock()
	case m.now.Sub(c.doubted) >= doubtedFor && (m.council == nil || len(m.ledger.Councillors()) < 3):
		m.clockIs(0)
		return
	}
	if m.council != nil && (c.asked.IsZero() || m.now.Sub(c.asked) >= measureEvery) {
		c.asked = m.now
		m.out = append(m.out, MeasureClock{})
	}
}

// proveClock has the clocks compared for as long as this one is not known to be right: often
// at first, for a council that has begun as a whole has no leader until then.
func (m *Mind) proveClock() {
	c, every := &m.clock, proveEvery
	if m.now.Sub(c.set) >= proveSoon {
		every = measureEvery
	}
	if !c.asked.IsZero() && m.now.Sub(c.asked) < every {
		return
	}
	c.asked = m.now
	m.out = append(m.out, MeasureClock{})
}

// clockMeasured takes in how the clocks compare.
func (m *Mind) clockMeasured(ev ClockMeasured) {
	m.clock.outlived = ev.Outlived
	switch {
	case !ev.Unknown:
		m.clockIs(ev.Ahead)
	case m.clock.unproven && m.notAhead(ev.Offsets):
		m.clockIs(0)
	default:
		m.judgeClock()
	}
}

// notAhead reports that this clock can be right although nobody knows what the councillors'
// show: it shows no time that the ledger has passed, and is no further ahead of their
// median than one that leads may be, whatever those show who did not answer. Where most of
// a council have begun anew and two of its clocks differ, the earlier one leads so.
func (m *Mind) notAhead(offsets []time.Duration) bool {
	behind := m.now.Round(0).Sub(m.ledger.Time()) + m.cfg.ClockMax
	ahead, ok := mostAhead(len(m.ledger.Councillors()), offsets, behind)
	return ok && behind >= 0 && ahead <= m.cfg.ClockMax
}

func (m *Mind) clockIs(ahead time.Duration) {
	m.clock.set, m.clock.ahead, m.clock.doubted, m.clock.unproven = m.now, ahead, time.Time{}, false
	m.judgeClock()
}

// judgeClock tells the council whether this agent may lead.
func (m *Mind) judgeClock() {
	m.clock.judged = m.now
	m.councilStep(consensus.ClockJudged{Good: m.clock.right(m.cfg.ClockMax) && !m.clock.outlived})
}
