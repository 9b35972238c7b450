package sim

import (
	"time"

	"moonwatch/failover"
	"moonwatch/mind"
)

// clockWarn is the difference of clocks above which a member is not ready, as in
// the daemon.
const clockWarn = time.Second

// streamTest is how long the disk takes in a member's test of itself. It stands apart
// from the numbered streams, so that it moves no other die.
const streamTest stream = 200

// saysReady is what a member finds that has nothing to complain of.
const saysReady = "ready"

// testItself is what the daemon finds when its member tests itself: a disk that is
// full or stands still, a clock that is off. Actions are always installed here: that
// one which is missing makes a member unfit is for the daemon's own test to show.
func (m *machine) testItself(e mind.DoStep) {
	d := failover.StepDone{Key: e.Key, Result: failover.ResultDone, Detail: saysReady}
	fail := func(why string) { d.Result, d.Detail = failover.ResultFailed, why }
	took := m.slow.of(m.w.chance.span(m.w.cfg.Disk.Sync, streamTest, m.i))
	switch off := m.w.clockOff(m).Abs(); {
	case m.w.now < m.writer.stalled:
		fail("disk: no answer within " + failover.TestDeadline.String())
		took = failover.TestDeadline
	case m.w.now < m.writer.full:
		fail("disk: no space left on device")
	case off > clockWarn:
		fail("clock: more than " + clockWarn.String() + " off the councillors'")
	}
	life := m.life
	m.w.after(took, func() { m.acted(life, d) })
}
