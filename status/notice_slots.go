package status

import (
	"fmt"
	"slices"

	"moonwatch/consensus"
	"moonwatch/member"
)

// The vacancies of a pool have one cause, and so do those of its occupants that never
// served: too few members, or an action that fails.

// vacancies are of slots that nobody holds: no case will ever fill them. People know of
// those that they emptied.
func vacancies(p Page) []Notice {
	return slotNotices(p, func(s Slot) bool { return s.State == SlotVacant && s.Vacated == nil }, func(pool string, few []Slot) Notice {
		return Notice{
			ID: "vacant/" + pool, Severity: Critical,
			What: fmt.Sprintf("Pool %s has %s that nobody holds: %s.", pool, plural(len(few), "slot"), slotNames(few)),
			Does: "Nothing: no member was lost, so no case fills it. A vacant slot is given away when a changed fleet.yaml is applied, and by 'moonwatch fill'.",
			Do:   "Add a member to the pool in fleet.yaml and apply it, or 'moonwatch fill SLOT' once a member is free; 'moonwatch explain SLOT' says who could take it already.",
		}
	})
}

// starts are of occupants that have never served: no verdict will ever replace them.
func starts(p Page) []Notice {
	begun := func(s Slot) bool {
		m, known := p.member(s.Occupant)
		// What befell the occupant itself is told with its verdict.
		down := m.Verdict == consensus.VerdictDown || m.Verdict == consensus.VerdictDomainCut
		return s.State == SlotStarting && s.Case == "" && known && !down
	}
	return slotNotices(p, begun, func(pool string, few []Slot) Notice {
		n := Notice{
			ID: "starting/" + pool, Severity: Critical,
			What: fmt.Sprintf("Pool %s has %s whose occupant has not said yet that its service is up: %s.", pool, plural(len(few), "slot"), slotNames(few)),
			Does: "Their agents try again, every 30 s at last. Nobody takes their place as long as they are up: what never served is no service that fails.",
			Do:   "Look at the action activate of the pool, and at 'step ended' in the log of the occupant's agent.",
		}
		for _, s := range few {
			n.Members = append(n.Members, s.Occupant)
			if f, failed := p.startFailed(s); failed {
				n.Folded = append(n.Folded, fmt.Sprintf("%s: %s", s.ID, f.Line))
			}
		}
		return n
	})
}

// slotNotices makes one notice for each pool with slots that are so.
func slotNotices(p Page, are func(Slot) bool, of func(pool string, few []Slot) Notice) []Notice {
	var out []Notice
	for _, x := range p.Pools {
		var few []Slot
		for _, s := range p.Slots {
			if s.Pool == x.Name && are(s) {
				few = append(few, s)
			}
		}
		if few == nil {
			continue
		}
		n := of(x.Name, few)
		n.Stage, n.Since = Stands, p.Now
		n.Command, n.Patience, n.Passing = "moonwatch explain "+string(few[0].ID), slotPatience, true
		out = append(out, n)
	}
	return out
}

func slotNames(few []Slot) string {
	var ids []member.SlotID
	for _, s := range few {
		ids = append(ids, s.ID)
	}
	return names(ids)
}

// slotsOver says how the matter of a pool's vacant or starting slots ended.
func slotsOver(p Page, kind, pool string) string {
	i := slices.IndexFunc(p.Pools, func(x Pool) bool { return x.Name == pool })
	switch {
	case i < 0:
		return fmt.Sprintf("Pool %s is no more.", pool)
	case kind == "vacant":
		return fmt.Sprintf("Each slot of pool %s has an occupant.", pool)
	default:
		return fmt.Sprintf("Each occupant of pool %s that is up has served by now: %d of %d slots serve.", pool, p.Pools[i].Serving, p.Pools[i].Slots)
	}
}
