package failover

import (
	"fmt"
	"time"
)

// Rehearsal says what an order would lead to at this moment.
type Rehearsal struct {
	Refused string   `json:"refused,omitempty"` // by policy; empty: it would be accepted
	Steps   []string `json:"steps,omitempty"`
	Plan    string   `json:"plan,omitempty"` // of a request: hash of what it asks for
}

// RehearseDrain plays an order to drain, and changes nothing.
func (st *State) RehearseDrain(now time.Time, p DrainOrdered) Rehearsal {
	if err := st.CheckDrain(now, p); err != nil {
		return Rehearsal{Refused: err.Error()}
	}
	s := st.s.Slots[p.Slot]
	if p.Back {
		return Rehearsal{Steps: []string{fmt.Sprintf("the doors send traffic to %s in slot %s again", p.Subject, p.Slot)}}
	}
	slots, serving := st.servingWithout(s)
	return Rehearsal{Steps: []string{
		fmt.Sprintf("the doors send nothing new to %s in slot %s, until it is undrained", p.Subject, p.Slot),
		fmt.Sprintf("%d of %d slots of pool %s go on serving", serving, slots, s.Pool),
	}}
}

// RehearseSwitchover plays an order to switch over, and changes nothing.
func (st *State) RehearseSwitchover(now time.Time, p SwitchoverOrdered) Rehearsal {
	if err := st.CheckSwitchover(now, p); err != nil {
		return Rehearsal{Refused: err.Error()}
	}
	s, t := st.s.Slots[p.Slot], st.timing()
	pool, _ := st.ledger.Fleet().Pool(s.Pool)
	free := st.FreeSpares(now, &Case{Slot: p.Slot, Pool: s.Pool, Subject: p.Subject, Planned: true, Order: &Order{To: p.To}})
	spare := free[0]
	var steps []string
	say := func(format string, args ...any) { steps = append(steps, fmt.Sprintf(format, args...)) }
	unfenced := !pool.Exclusive && (len(pool.Fence) == 0 || pool.Fence[0] == noProof)
	if !unfenced {
		if st.mayDrain(s) {
			say("the doors send nothing new to %s, and it goes on for %v", p.Subject, Linger)
		}
		say("%s stops slot %s%s, and proves it, within %v", p.Subject, p.Slot, by(pool.Actions.Stop), t.Stop)
	}
	say("spare %s is claimed, the best of %d free", spare, len(free))
	say("%s starts slot %s%s, within %v", spare, p.Slot, by(pool.Actions.Activate), t.Activate)
	if pool.Checks.Outside() {
		say("its observers see it serve, within %v", t.Verify)
	}
	say("%s is the occupant, and the doors send traffic there", spare)
	if unfenced {
		say("%s stops slot %s%s after %v, and is a spare", p.Subject, p.Slot, by(pool.Actions.Stop), Linger)
	} else {
		say("%s is a spare", p.Subject)
	}
	return Rehearsal{Steps: steps}
}

// RehearseRequest plays a request for what takes two people, and changes nothing.
func (st *State) RehearseRequest(now time.Time, p Requested) Rehearsal {
	plan, err := st.PlanOf(now, p)
	p.Plan = plan.Hash()
	if err == nil {
		err = st.checkRequest(now, p)
	}
	if err != nil {
		return Rehearsal{Refused: err.Error()}
	}
	steps := plan.Words()
	if p.Alone {
		steps = append(steps, fmt.Sprintf("it takes effect %v after it was announced, unless another operator vetoes it, or at once if one approves it", AloneAfter))
	} else {
		steps = append(steps, fmt.Sprintf("another operator has to approve it within %v", AnswerWithin))
	}
	steps = append(steps, fmt.Sprintf("it may be made use of for %v after that, as long as slot epoch, verdict and pool are the same", p.For))
	return Rehearsal{Steps: steps, Plan: plan.Hash()}
}

// by names an installed action.
func by(action string) string {
	if action == "" {
		return ""
	}
	return " by " + action
}
