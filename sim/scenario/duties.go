package scenario

import (
	"moonwatch/failover"
	"moonwatch/member"
	"moonwatch/sim"
)

// dutiful are the members that occupy a slot, or the free spares, in the eyes
// of the best informed agent.
func dutiful(w *sim.World, occupying bool) []member.ID {
	st := w.State()
	if st == nil {
		return nil
	}
	var ids []member.ID
	for _, m := range st.Ledger().Roster().Members {
		if duty := st.Use(m.ID).Duty; occupying && duty == failover.Occupant || !occupying && duty == failover.Spare {
			ids = append(ids, m.ID)
		}
	}
	return ids
}
