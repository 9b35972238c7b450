package sim

import (
	"maps"
	"slices"

	"moonwatch/failover"
	"moonwatch/member"
)

// remains looks for what a failover has left behind: L2, cases that wait although
// nothing is held against their member any more, and L6, services that run where
// their slot no longer is, and whose agent knows that it started them.
func (l *look) remains() {
	for _, c := range l.st.OpenCases() {
		waits := c.State == failover.Held || c.State == failover.Draining
		if _, stands := l.st.Ledger().Standing(c.Subject); waits && !stands {
			l.add("L2", "%s is in %s, and %s is under no verdict", c.Name(), c.State, c.Subject)
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

// mayRun reports that the ledger gives a member a slot, or may soon. A slot that
// was removed is nobody's, and nothing says stop.
func (l *look) mayRun(id member.ID, slot member.SlotID) bool {
	u := l.st.Use(id)
	_, declared := l.st.Slot(slot)
	return !declared || u.Slot == slot && (u.Duty == failover.Occupant || u.Duty == failover.Claimed)
}
