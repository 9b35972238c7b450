package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"moonwatch/failover"
	"moonwatch/member"
	"moonwatch/status"
)

// plan is what an apply would change, as far as the agent that was asked knows.
type plan struct {
	changes []string // of the fleet, one line each
	slots   []string // who gets which slot
	trouble []string // what the council will refuse, seen from here
	same    bool     // the fleet in force is the wanted one
	whole   bool     // all of the live fleet was known; false: members and pools only
}

// makePlan compares a fleet with the one in force: live, nil before the first.
// Where the agent does not tell it, known is false, and what the page tells is
// compared.
func makePlan(live *member.Fleet, known bool, page status.Page, wanted *member.Fleet) plan {
	p := plan{whole: known}
	old, now := items(live), items(wanted)
	if !known {
		old = itemsOfPage(page)
	}
	for _, n := range now {
		i := slices.IndexFunc(old, func(o item) bool { return o.name == n.name })
		if i < 0 {
			p.changes = append(p.changes, "+ "+n.describe())
			continue
		}
		if diff := old[i].diff(n, known); diff != "" {
			p.changes = append(p.changes, "~ "+n.name+": "+diff)
		}
	}
	for _, o := range old {
		if !slices.ContainsFunc(now, func(n item) bool { return n.name == o.name }) {
			p.changes = append(p.changes, "- "+o.name)
		}
	}
	p.same = known && sameFleet(live, wanted)
	if known && reordered(live, wanted) {
		p.changes = append(p.changes, "~ order of members: members take vacant slots in this order")
	}
	p.place(page, wanted)
	return p
}

// sameFleet compares what the ledger would hold, to the byte.
func sameFleet(live, wanted *member.Fleet) bool {
	a, errA := json.Marshal(live)
	b, errB := json.Marshal(wanted)
	return errA == nil && errB == nil && bytes.Equal(a, b)
}

// place foretells what the ledger will do with slots: occupants stay, and free
// members take vacant slots of their pool in the order of the file.
func (p *plan) place(page status.Page, wanted *member.Fleet) {
	held := map[member.SlotID]status.Slot{}
	for _, s := range page.Slots {
		held[s.ID] = s
	}
	free := freeMembers(page, wanted)
	declared := map[member.SlotID]bool{}
	for _, pool := range wanted.Pools {
		for _, id := range pool.Slots {
			declared[id] = true
			s := held[id]
			if s.Occupant != "" {
				continue
			}
			if why := keptVacant(page, s); why != "" && s.Pool == pool.Name {
				p.slots = append(p.slots, fmt.Sprintf("slot %s of pool %s: stays vacant, %s", id, pool.Name, why))
				continue
			}
			taker := slices.IndexFunc(free, func(m member.Member) bool { return m.Pool == pool.Name })
			if taker < 0 {
				p.slots = append(p.slots, fmt.Sprintf("slot %s of pool %s: stays vacant, no member is free", id, pool.Name))
				continue
			}
			p.slots = append(p.slots, fmt.Sprintf("slot %s of pool %s: %s takes it", id, pool.Name, free[taker].ID))
			free = slices.Delete(free, taker, taker+1)
		}
	}
	for _, s := range page.Slots {
		p.judge(page, s, declared, wanted)
	}
}

// keptVacant says why a vacant slot is not filled by a fleet that declares it, empty if it
// may be.
func keptVacant(page status.Page, s status.Slot) string {
	if s.Vacated != nil {
		return fmt.Sprintf("%s vacated it: 'moonwatch fill %s'", s.Vacated.By, s.ID)
	}
	if who := mayRun(page, s.ID); len(who) > 0 {
		return "it may still run on " + strings.Join(who, ", ")
	}
	return ""
}

// mayRun lists who has not said yet that a slot is stopped there.
func mayRun(page status.Page, slot member.SlotID) []string {
	var who []string
	for _, m := range page.Members {
		if slices.Contains(m.Leftover, slot) {
			who = append(who, string(m.ID))
		}
	}
	return who
}

// judge says what stands against the change in the slot's name.
func (p *plan) judge(page status.Page, s status.Slot, declared map[member.SlotID]bool, wanted *member.Fleet) {
	pool, ok := wanted.PoolOfSlot(s.ID)
	goes := !declared[s.ID] || !ok || pool.Name != s.Pool
	if s.Occupant == "" {
		if who := mayRun(page, s.ID); goes && len(who) > 0 {
			p.trouble = append(p.trouble, fmt.Sprintf("slot %s of pool %s would go, and may still run on %s", s.ID, s.Pool, strings.Join(who, ", ")))
		}
		return
	}
	if goes {
		p.trouble = append(p.trouble, fmt.Sprintf("slot %s of pool %s is held by %s and would go: 'moonwatch drain %s' and then 'moonwatch vacate %s' empty it", s.ID, s.Pool, s.Occupant, s.ID, s.ID))
	}
	i := slices.IndexFunc(wanted.Members, func(m member.Member) bool { return m.ID == s.Occupant })
	lent := slices.ContainsFunc(page.Members, func(m status.Member) bool {
		return m.ID == s.Occupant && m.Home != "" && i >= 0 && m.Home == wanted.Members[i].Pool
	})
	if i >= 0 && wanted.Members[i].Retired {
		p.trouble = append(p.trouble, fmt.Sprintf("member %s holds slot %s: 'moonwatch switchover %s' moves that to a spare", s.Occupant, s.ID, s.Occupant))
	} else if i < 0 || wanted.Members[i].Pool != s.Pool && !lent {
		p.trouble = append(p.trouble, fmt.Sprintf("member %s holds slot %s and would leave pool %s", s.Occupant, s.ID, s.Pool))
	}
}

// freeMembers are those that a vacant slot could be given to: spares, and
// members that are new.
func freeMembers(page status.Page, wanted *member.Fleet) []member.Member {
	known := map[member.ID]status.Member{}
	for _, m := range page.Members {
		known[m.ID] = m
	}
	var free []member.Member
	for _, m := range wanted.Members {
		now, old := known[m.ID]
		if m.Pool != "" && !m.Retired && (!old || now.Verdict == "" && (now.Duty == failover.Spare || now.Duty == "")) {
			free = append(free, m)
		}
	}
	return free
}
