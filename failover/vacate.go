package failover

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"moonwatch/consensus"
	"moonwatch/member"
)

// A pool shrinks in three steps: people drain a slot, vacate it, and take it out of
// fleet.yaml. A slot that its former occupant may still run is neither removed, for
// then nobody would know by which action it is stopped, nor given to somebody else.
// Whoever thinks better of it fills the slot again.

// KindVacated empties a slot: its occupant stops it, and is a spare again.
const KindVacated consensus.FactKind = "slot-vacated"

// KindFilled gives a vacant slot to the first free member of its pool.
const KindFilled consensus.FactKind = "slot-filled"

// VacateOrdered takes a drained slot away from an occupant that is well, and gives it to
// nobody, until people fill it. No fleet that is applied meanwhile does.
type VacateOrdered struct {
	Slot    member.SlotID    `json:"slot"`
	Subject member.ID        `json:"subject"`
	Epoch   member.SlotEpoch `json:"slot_epoch"`
	Reason  string           `json:"reason"`
}

// FillOrdered has a vacant slot occupied.
type FillOrdered struct {
	Slot   member.SlotID    `json:"slot"`
	Epoch  member.SlotEpoch `json:"slot_epoch"` // the last one that it had, 0 if it never had any
	Reason string           `json:"reason"`
}

// CheckVacate says why a slot may not be vacated, nil if it may. Who orders it is looked
// at elsewhere. How many slots of the pool have to go on serving was asked by the drain.
func (st *State) CheckVacate(now time.Time, p VacateOrdered) error {
	s, err := st.checkOccupied("vacate", p.Slot, p.Subject, p.Epoch)
	if err != nil {
		return err
	}
	what := fmt.Sprintf("vacate of %s", p.Slot)
	if err := checkReason(what, p.Reason); err != nil {
		return err
	}
	if s.Away == nil {
		return fmt.Errorf("%s: it is not drained: 'moonwatch drain %s' takes its traffic away first", what, p.Slot)
	}
	if missing := st.untold(now, s); len(missing) > 0 {
		return fmt.Errorf("%s: it may still get traffic: %s", what, strings.Join(missing, "; "))
	}
	if v, stands := st.ledger.Standing(p.Subject); stands && v.Kind != consensus.VerdictPartial {
		return fmt.Errorf("%s: %s is under %s, and has to be there to stop it", what, p.Subject, v.Kind)
	}
	if h := st.stilled(now, p.Subject, s.Pool); h != nil {
		return fmt.Errorf("%s: %s", what, h.why())
	}
	return nil
}

// vacate empties a slot. Its occupant was well all along, so its word that it has stopped
// makes it a spare. What is under way may end first, where nobody's lease forbids that.
func (st *State) vacate(f consensus.Fact, p VacateOrdered) {
	s := st.s.Slots[p.Slot]
	u := st.s.Uses[p.Subject]
	u.Duty, u.Since, u.Slot, u.Case, u.Lent = Quarantined, f.Time, "", 0, nil
	u.left(s.ID, s.Epoch)
	u.LetGo = f.Time
	if pool, _ := st.ledger.Fleet().Pool(s.Pool); !pool.Exclusive {
		u.LetGo = f.Time.Add(Linger)
	}
	*s = Slot{ID: s.ID, Pool: s.Pool, Epoch: s.Epoch, Since: f.Time, Vacated: orderOf(f, p.Reason, "")}
}

// CheckFill says why a slot may not be filled, nil if it may. Who orders it is looked at
// elsewhere.
func (st *State) CheckFill(now time.Time, p FillOrdered) error {
	what := fmt.Sprintf("fill of %s", p.Slot)
	s, ok := st.s.Slots[p.Slot]
	switch {
	case !ok:
		return fmt.Errorf("%s: no slot %s", what, p.Slot)
	case s.Occupant != "":
		return fmt.Errorf("%s: %s occupies it", what, s.Occupant)
	case s.Epoch != p.Epoch:
		return fmt.Errorf("%s: it was at slot epoch %d last, the order means %d", what, s.Epoch, p.Epoch)
	}
	if err := checkReason(what, p.Reason); err != nil {
		return err
	}
	holds := slices.DeleteFunc(st.Holds(now), func(h *Hold) bool { return h.Kind == Maintenance })
	if h := Bound(holds, now, Fleet, InPool(s.Pool)); h != nil {
		return fmt.Errorf("%s: %s", what, h.why())
	}
	if who := st.mayRun(s.ID); len(who) > 0 {
		return fmt.Errorf("%s: it may still run on %s", what, joined(who))
	}
	if st.taker(now, st.ledger.Roster().Members, s) == "" {
		return fmt.Errorf("%s: no free spare in pool %s", what, s.Pool)
	}
	return nil
}

func (st *State) fill(f consensus.Fact, p FillOrdered) {
	st.place(f, st.ledger.Roster().Members, st.s.Slots[p.Slot])
}

// mayRun lists who has not said yet that a slot is stopped there, sorted: retired members
// too, as long as they have a name.
func (st *State) mayRun(slot member.SlotID) []member.ID {
	var who []member.ID
	for _, uses := range []map[member.ID]*Use{st.s.Uses, st.s.Retired} {
		for id, u := range uses {
			if _, may := u.Leftover[slot]; may {
				who = append(who, id)
			}
		}
	}
	slices.Sort(who)
	return who
}

// checkRemoved refuses to take a vacant slot out of its pool while somebody may still run
// it, or prepares for it in a drill.
func (st *State) checkRemoved(s *Slot) error {
	if who := st.mayRun(s.ID); len(who) > 0 {
		return fmt.Errorf("pools.%s.slots: %s is vacant, and may still run on %s: wait until it is stopped there, or retire and forget who is gone for good",
			s.Pool, s.ID, joined(who))
	}
	if d := st.s.Drill; d != nil && d.Slot == s.ID {
		return fmt.Errorf("pools.%s.slots: %s prepares for %s in a drill: wait for its end", s.Pool, d.Member, s.ID)
	}
	return nil
}

func joined(ids []member.ID) string {
	words := make([]string, len(ids))
	for i, id := range ids {
		words[i] = string(id)
	}
	return strings.Join(words, ", ")
}

// RehearseVacate plays an order to vacate, and changes nothing.
func (st *State) RehearseVacate(now time.Time, p VacateOrdered) Rehearsal {
	if err := st.CheckVacate(now, p); err != nil {
		return Rehearsal{Refused: err.Error()}
	}
	s := st.s.Slots[p.Slot]
	pool, _ := st.ledger.Fleet().Pool(s.Pool)
	after := fmt.Sprintf(" after %v", Linger)
	if pool.Exclusive {
		after = ""
	}
	return Rehearsal{Steps: []string{
		fmt.Sprintf("slot %s is nobody's, until people fill it or take it out of fleet.yaml", p.Slot),
		fmt.Sprintf("%s stops it%s%s, and is a spare", p.Subject, by(pool.Actions.Stop), after),
	}}
}

// RehearseFill plays an order to fill, and changes nothing.
func (st *State) RehearseFill(now time.Time, p FillOrdered) Rehearsal {
	if err := st.CheckFill(now, p); err != nil {
		return Rehearsal{Refused: err.Error()}
	}
	s := st.s.Slots[p.Slot]
	pool, _ := st.ledger.Fleet().Pool(s.Pool)
	id := st.taker(now, st.ledger.Roster().Members, s)
	return Rehearsal{Steps: []string{
		fmt.Sprintf("%s is the occupant of slot %s, and no spare any more", id, p.Slot),
		fmt.Sprintf("%s starts it%s", id, by(pool.Actions.Activate)),
		"once it is up, the doors send traffic there",
	}}
}
