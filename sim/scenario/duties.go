package scenario

import (
	"moonwatch/failover"
	"moonwatch/member"
	"moonwatch/sim"
)

// dutiful are the members with a duty, in the eyes of the best informed agent.
func dutiful(w *sim.World, duty failover.Duty) []member.ID {
	st := w.State()
	if st == nil {
		return nil
	}
	var ids []member.ID
	for _, m := range st.Ledger().Roster().Members {
		if st.Use(m.ID).Duty == duty {
			ids = append(ids, m.ID)
		}
	}
	return ids
}
