package sim

import (
	"slices"
	"time"

	"moonwatch/failover"
	"moonwatch/member"
	"moonwatch/mind"
)

// Fence devices: whoever is a member can switch off the power of each member of a pool
// that is fenced by power, as if the same fences.yaml lay everywhere. A device is told
// off, and then asked until it has said off twice (failover/driver/fenceagent): what it
// says of its own deed is no proof, so one that lies proves as little as one that hangs.

// The faults of fence devices: of those by which a member can be switched off.
const (
	LyingFence   FaultKind = "lying-fence"
	HangingFence FaultKind = "hanging-fence"
	FailingFence FaultKind = "failing-fence"
)

const (
	twiceOff  = time.Second      // between the two times that a device has to say off
	looksSoon = 90 * time.Second // until people have looked and switch the machine on again
)

// tellFences is what the agent's look at its devices brings.
func (m *machine) tellFences() {
	can := map[member.ID][]string{}
	for _, x := range m.w.fleet().Members {
		if pool, ok := m.w.fleet().Pool(x.Pool); ok && x.ID != m.id && slices.Contains(pool.Fence, "power") {
			can[x.ID] = []string{"power"}
		}
	}
	if len(can) > 0 {
		m.step(mind.FencerTold{Can: can})
	}
}

// switchOff lets a fence agent run against a member's device.
func (m *machine) switchOff(e mind.DoStep) {
	w, x, life := m.w, m.w.machine(e.Subject), m.life
	left := m.clock.lasts(max(0, e.Deadline.Sub(m.time())))
	took := m.slow.of(w.chance.span(w.cfg.Action, streamAction, m.i))
	w.note(m.i, "switches off "+string(e.Subject))
	began := w.now
	done := func(r failover.StepResult, detail string) func() {
		return func() { m.acted(life, failover.StepDone{Key: e.Key, Result: r, Detail: detail, Took: w.now - began}) }
	}
	fault := x.fence()
	switch {
	case fault == FailingFence:
		w.after(min(took, left), done(failover.ResultFailed, "the device refuses: exit status 1"))
		return
	case fault == LyingFence:
		w.after(left, done(failover.ResultUnknown, "the device said ok, and its status is on"))
		return
	case fault == HangingFence || took+twiceOff >= left:
		w.after(left, done(failover.ResultUnknown, "the fence agent was killed at its deadline"))
		return
	}
	w.after(took, func() {
		if m.life == life {
			x.unplug()
		}
	})
	w.after(took+twiceOff, func() {
		if x.on { // people were quicker than the second look
			done(failover.ResultUnknown, "the device says on again")()
			return
		}
		done(failover.ResultDone, "power of "+string(x.id)+" is off: it said so twice")()
	})
}

// fence is what is wrong with the device that can switch the machine off: the last
// fault of it that lasts.
func (m *machine) fence() FaultKind {
	if faults := m.lasting.of(LyingFence); len(faults) > 0 {
		return faults[len(faults)-1].Do
	}
	return ""
}

// unplug takes a machine's power until people have looked.
func (m *machine) unplug() {
	if !m.on {
		return
	}
	m.crash(m.lands())
	m.ail()
	m.w.after(looksSoon, func() {
		if !m.lasting.holds(Crash) { // else there is no power to give back
			m.boot(false)
		}
	})
}
