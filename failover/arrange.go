package failover

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"moonwatch/consensus"
	"moonwatch/member"
)

// checkFleet refuses a fleet that takes the ground away from under what runs.
func (st *State) checkFleet(fl *member.Fleet) error {
	var errs []error
	in := map[member.ID]member.Member{}
	for _, m := range fl.Members {
		in[m.ID] = m
	}
	declared := map[member.SlotID]string{}
	for _, p := range fl.Pools {
		for _, s := range p.Slots {
			declared[s] = p.Name
		}
	}
	occupied := map[string][]string{} // slots that would go, by their pool
	for _, s := range st.Slots() {
		stays := declared[s.ID] == s.Pool
		if s.Occupant == "" {
			if !stays {
				errs = append(errs, st.checkRemoved(s))
			}
			continue
		}
		if err := st.checkExclusive(s, fl); err != nil {
			errs = append(errs, err)
		}
		if !stays {
			occupied[s.Pool] = append(occupied[s.Pool], fmt.Sprintf("%s by %s", s.ID, s.Occupant))
		}
		if m, ok := in[s.Occupant]; !ok || m.Retired {
			errs = append(errs, fmt.Errorf("members.%s: occupies slot %s: switch over before it is removed", s.Occupant, s.ID))
		} else if m.Pool != s.Pool && !st.staysLent(m) {
			errs = append(errs, fmt.Errorf("members.%s.pool: occupies slot %s of pool %s: switch over before it moves", s.Occupant, s.ID, s.Pool))
		}
	}
	for _, pool := range slices.Sorted(maps.Keys(occupied)) {
		errs = append(errs, fmt.Errorf("pools.%s.slots: occupied: %s: 'moonwatch drain' and then 'moonwatch vacate' empty a slot that is to go",
			pool, strings.Join(occupied[pool], ", ")))
	}
	for _, c := range st.OpenCases() {
		if m, ok := in[c.Spare]; c.Spare != "" && (!ok || m.Retired || m.Pool != c.Pool && !st.staysLent(m)) {
			errs = append(errs, fmt.Errorf("members.%s: case %s is putting it into slot %s: wait for its end", c.Spare, c.Name(), c.Slot))
		}
		for _, p := range c.Preparing {
			if m, ok := in[p.Spare]; !ok || m.Retired || m.Pool != c.Pool && !st.staysLent(m) {
				errs = append(errs, fmt.Errorf("members.%s: it prepares for slot %s of case %s: wait for its end", p.Spare, c.Slot, c.Name()))
			}
		}
	}
	return errors.Join(errs...)
}

// arrange brings slots and duties in line with a new fleet: members take the
// vacant slots of their pool in the order of the file, the others are spares.
func (st *State) arrange(f consensus.Fact) {
	fl, _ := consensus.DecodePayload[member.Fleet](f)
	st.newTerms(f, &fl)
	uses, retired := map[member.ID]*Use{}, map[member.ID]*Use{}
	for _, m := range fl.Members {
		u := st.known(m.ID)
		if m.Retired || m.Pool == "" {
			if u != nil {
				retired[m.ID] = u.retire()
			}
			continue
		}
		if u == nil {
			u = &Use{Duty: Spare, Since: f.Time}
		} else if st.s.Uses[m.ID] == nil {
			u.takenBack(f.Time)
		}
		uses[m.ID] = u
		if u.Lent != nil && (u.Duty == Spare || u.Lent.Pool == m.Pool) {
			u.Lent = nil // asked for anew by the new policy; or it is moved there for good
		}
	}
	st.s.Uses, st.s.Retired = uses, retired
	slots := map[member.SlotID]*Slot{}
	for _, p := range fl.Pools {
		for _, id := range p.Slots {
			slots[id] = st.s.Slots[id]
			if slots[id] == nil || slots[id].Pool != p.Name { // a vacant one may go from pool to pool
				slots[id] = &Slot{ID: id, Pool: p.Name}
			}
			if s := slots[id]; s.Occupant == "" && s.Vacated == nil {
				st.place(f, fl.Members, s)
			}
		}
	}
	st.s.Slots = slots
	st.forgetDoors()
	st.left(f)
}

// place puts the first free member of the pool into a slot, if there is one.
func (st *State) place(f consensus.Fact, members []member.Member, s *Slot) {
	id := st.taker(f.Time, members, s)
	if id == "" {
		return
	}
	*s = Slot{ID: s.ID, Pool: s.Pool, Occupant: id, Epoch: member.SlotEpoch(f.Index), Since: f.Time}
	*st.s.Uses[id] = Use{Duty: Occupant, Slot: s.ID, Since: f.Time, LastUsed: f.Time}
}

// taker is the first free member of a vacant slot's pool, nobody while somebody else may
// still run the slot.
func (st *State) taker(now time.Time, members []member.Member, s *Slot) member.ID {
	if len(st.mayRun(s.ID)) > 0 {
		return ""
	}
	for _, m := range members {
		u := st.s.Uses[m.ID]
		if u == nil || u.Duty != Spare || m.Pool != s.Pool || len(u.Leftover) > 0 {
			continue
		}
		if _, condemned := st.ledger.Standing(m.ID); !condemned && st.spared(now, m.ID, true) == nil {
			return m.ID
		}
	}
	return ""
}
