package driver

import (
	"cmp"

	"moonwatch/member"
)

// The steps after which something may run here, and the one after which
// nothing does. They are failover's names; the journal reads its own entries by
// them.
const stepStop = "stop"

// Holding is what may run on this member: for each slot that was started here
// and not stopped since, the slot epoch at which it was.
func (j *Journal) Holding() map[member.SlotID]member.SlotEpoch {
	j.mu.Lock()
	defer j.mu.Unlock()
	holding := map[member.SlotID]member.SlotEpoch{}
	for slot, r := range j.slots {
		if epoch, _ := r.holds(); epoch > 0 {
			holding[slot] = epoch
		}
	}
	return holding
}

// Bygone is the part of Holding that was begun in an earlier life of the machine: it
// ended with that, and runs only where it starts by itself. What builds of before wrote
// down has no life, and is none of it.
func (j *Journal) Bygone() map[member.SlotID]member.SlotEpoch {
	j.mu.Lock()
	defer j.mu.Unlock()
	bygone := map[member.SlotID]member.SlotEpoch{}
	for slot, r := range j.slots {
		if epoch, boot := r.holds(); epoch > 0 && boot != "" && j.boot != "" && boot != j.boot {
			bygone[slot] = epoch
		}
	}
	return bygone
}

// holds looks for the last entry that tells, and in which life of the machine it was
// begun. A start that failed or whose end is unknown may have left something running; one
// that was never run has left nothing.
func (r *record) holds() (epoch member.SlotEpoch, boot string) {
	if r.Begun != nil && r.Begun.Step != stepStop {
		return r.Begun.SlotEpoch, cmp.Or(r.Begun.Boot, r.Boot)
	}
	for i := len(r.Ended) - 1; i >= 0; i-- {
		e := r.Ended[i]
		switch {
		case e.Step == stepStop && e.Outcome == Done:
			return 0, ""
		case e.Step == stepStop, e.Outcome == Refused, e.Outcome == Retryable:
			continue
		default:
			return e.SlotEpoch, cmp.Or(e.Boot, r.Boot)
		}
	}
	return 0, ""
}
