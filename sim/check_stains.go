package sim

import (
	"maps"
	"slices"

	"moonwatch/failover"
	"moonwatch/member"
)

// stains are what may be left of slots on a member that does not have them any more,
// until it says itself that it has stopped them.
type stains map[member.SlotID]stain

type stain struct {
	epoch member.SlotEpoch // up to which it has to be stopped
	drill bool             // only prepared: its member is a spare like any other
}

// ran is a slot that may run and not only be prepared.
func (s stains) ran() (member.SlotID, bool) {
	for _, slot := range slices.Sorted(maps.Keys(s)) {
		if !s[slot].drill {
			return slot, true
		}
	}
	return "", false
}

func (b *books) soil(id member.ID, slot member.SlotID, s stain) {
	if b.dirty[id] == nil {
		b.dirty[id] = stains{}
	}
	b.dirty[id][slot] = s
}

// wiped books a member's word that it has stopped a slot. A word about an earlier slot
// epoch says nothing of a later one.
func (b *books) wiped(id member.ID, p failover.Report) {
	s, dirty := b.dirty[id][p.Slot]
	if !dirty || p.Epoch < s.epoch {
		return
	}
	if !s.drill { // nobody has to wait for that
		b.move(move{what: cleaned, who: id, slot: p.Slot, epoch: p.Epoch})
	}
	if delete(b.dirty[id], p.Slot); len(b.dirty[id]) > 0 {
		return
	}
	delete(b.dirty, id)
	if _, condemned := b.verdict[id]; b.well[id] && !condemned {
		delete(b.aside, id) // it lost its slot to people, not to a failure
	}
	delete(b.well, id)
}
