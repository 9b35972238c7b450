package sim

import (
	"moonwatch/consensus"
	"moonwatch/failover"
	"moonwatch/member"
)

func (w *World) machine(id member.ID) *machine { return w.machines[w.index[id]] }

// Leader is the member that leads the council: the one of the highest term
// among the running councillors that think so; empty if there is none.
func (w *World) Leader() member.ID {
	var leader member.ID
	var term uint64
	for _, m := range w.machines {
		if m.up() && m.mind.Councillor() && m.mind.Leading().Leader == m.id && m.mind.Leading().Term >= term {
			leader, term = m.id, m.mind.Leading().Term
		}
	}
	return leader
}

// State is the fold of the agent that knows most; nil while none runs.
func (w *World) State() *failover.State {
	var best *machine
	for _, m := range w.machines {
		if m.mind != nil && (best == nil || m.mind.Ledger().Head() > best.mind.Ledger().Head()) {
			best = m
		}
	}
	if best == nil {
		return nil
	}
	return best.mind.State()
}

// Occupant is who occupies a slot, in the eyes of the best informed agent.
func (w *World) Occupant(slot member.SlotID) member.ID {
	if st := w.State(); st != nil {
		if s, ok := st.Slot(slot); ok {
			return s.Occupant
		}
	}
	return ""
}

// Served reports whether a slot's occupant really runs its service.
func (w *World) Served(slot member.SlotID) bool {
	id := w.Occupant(slot)
	return id != "" && w.machine(id).serves(slot)
}

// Mode is how much one agent believes to be allowed.
func (w *World) Mode(id member.ID) failover.Mode {
	m := w.machine(id)
	if m.mind == nil {
		return ""
	}
	mode, _ := m.mind.Mode()
	return mode
}

// Verdict is the verdict under which a member stands, empty for none.
func (w *World) Verdict(id member.ID) consensus.VerdictKind {
	st := w.State()
	if st == nil {
		return ""
	}
	s, _ := st.Ledger().Standing(id)
	return s.Kind
}
