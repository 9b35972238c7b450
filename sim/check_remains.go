package sim

import (
	"maps"
	"slices"

	"moonwatch/failover"
	"moonwatch/member"
)

// remains looks for what a failover has left behind: L2, cases that wait although
// nothing is held against their member any more, or for what is over, and L6, services that run where
// their slot no longer is, and whose agent knows that it started them.
func (l *look) remains() {
	for _, c := range l.st.OpenCases() {
		waits := c.State == failover.Held || c.State == failover.Draining
		if _, stands := l.st.Ledger().Standing(c.Subject); waits && !stands {
			l.add("L2", "%s is in %s, and %s is under no verdict", c.Name(), c.State, c.Subject)
		} else if c.State == failover.Held && l.free(c) {
			l.add("L2", "%s waits (%s), and nothing holds it any more", c.Name(), c.Held)
		}
	}
	for _, m := range l.w.machines {
		if !m.up() || l.w.now < m.halted || !l.inTouch(m) {
			continue
		}
		for _, slot := range slices.Sorted(maps.Keys(m.running)) {
			if m.disk.journal.holding[slot] > 0 && !l.mayRun(m.id, slot) {
				l.add("L6", "%s runs slot %s, which is not its own", m.id, slot)
			}
		}
	}
}

// free reports that no gate keeps a waiting case from going on. Evidence and orders
// of people are none: a roll call may stay unclear, and an order may be one that the
// ledger does not have yet.
func (l *look) free(c *failover.Case) bool {
	switch c.Held {
	case failover.HeldEvidence, failover.HeldHold, failover.HeldMaintenance, failover.HeldDryRun:
		return false
	default: // the ledger knows
	}
	gate := l.st.ReplaceGate
	switch {
	case c.Planned:
		gate = l.st.Gate
	case l.st.Restartable(l.w.time(), c):
		gate = l.st.RestartGate
	}
	reason, _ := gate(l.w.time(), c)
	return reason == ""
}

// mayRun reports that the ledger gives a member a slot, or may soon. A slot that
// was removed is nobody's, and nothing says stop.
func (l *look) mayRun(id member.ID, slot member.SlotID) bool {
	u := l.st.Use(id)
	_, declared := l.st.Slot(slot)
	return !declared || u.Slot == slot && (u.Duty == failover.Occupant || u.Duty == failover.Claimed)
}
