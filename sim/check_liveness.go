package sim

import (
	"fmt"
	"maps"
	"slices"

	"moonwatch/consensus"
	"moonwatch/failover"
	"moonwatch/member"
)

// Trouble is what is not as it should be in a world whose weather has been calm
// for long enough.
type Trouble struct {
	Name string // L1 to L6
	Text string
}

func (t Trouble) String() string { return t.Name + ": " + t.Text }

// liveness is what has to hold once the weather has been calm for long enough.
var liveness = []Promise{
	{"L1", "every dead member stands under a verdict, or a brake names it"},
	{"L2", "every slot is served, or its case says what it waits for"},
	{"L3", "every running agent that reaches the council has the same ledger"},
	{"L4", "no member that is well stands under a verdict or accused"},
	{"L5", "somebody leads; without a council quorum everybody says so and nobody acts"},
	{"L6", "the brake is released, nothing is drained without a case, and queues are empty"},
}

// LivenessPromises lists what Unsettled looks at.
func LivenessPromises() []Promise { return slices.Clone(liveness) }

// Troubles lists in words what Unsettled finds.
func (w *World) Troubles() []string {
	var out []string
	for _, t := range w.Unsettled() {
		out = append(out, t.String())
	}
	return out
}

// Unsettled lists what is not as it should be. Where the faults that are left
// leave no council quorum, the right answer is to do nothing, and that is what
// has to be the case.
func (w *World) Unsettled() []Trouble {
	l := look{w: w, st: w.State(), leader: w.Leader()}
	if !w.quorumPossible() {
		l.idle() // also where nobody runs any more
		return l.out
	}
	if l.leader == "" {
		l.add("L5", "nobody leads")
	}
	l.dead()
	named := l.slots()
	l.doors()
	l.views()
	l.suspicions()
	l.brake(named)
	l.remains()
	return l.out
}

// look is one look at the whole world.
type look struct {
	w      *World
	st     *failover.State // of the best informed agent
	leader member.ID
	out    []Trouble
}

func (l *look) add(name, format string, args ...any) {
	l.out = append(l.out, Trouble{name, fmt.Sprintf(format, args...)})
}

// gone reports that a verdict says that a member is there no more, or its agent.
func gone(k consensus.VerdictKind) bool {
	return k == consensus.VerdictDown || k == consensus.VerdictAgentLost || k == consensus.VerdictDomainCut
}

// dead looks for L1: partial, or that a service is down, does not say that a member is
// dead. Where so many died that their observers cannot decide, the brake is the record
// that people see.
func (l *look) dead() {
	for _, m := range l.w.machines {
		if m.on && m.mind != nil || l.st.Ledger().Roster().Index(m.id) < 0 {
			continue
		}
		if v, _ := l.st.Ledger().Standing(m.id); !gone(v.Kind) && !l.braked(m.id) {
			l.add("L1", "%s does not run, and nobody says so", m.id)
		}
	}
}

// braked reports that a mode other than normal holds, and that its leader counts
// the member as open.
func (l *look) braked(id member.ID) bool {
	if l.leader == "" || l.st.Brake().Mode() == failover.Normal {
		return false
	}
	return slices.Contains(l.w.machine(l.leader).mind.Accused(), id)
}

// slots looks for L2, and gives the slots whose obstacle is named.
func (l *look) slots() map[member.SlotID]bool {
	named := map[member.SlotID]bool{}
	for _, c := range l.st.OpenCases() {
		named[c.Slot] = c.State == failover.Held && c.Held != "" || c.State == failover.Escalated
		if !named[c.Slot] {
			l.add("L2", "%s is in %s", c.Name(), c.State)
		}
	}
	for _, s := range l.st.Slots() {
		switch {
		case named[s.ID]:
		case s.Occupant == "" && s.Epoch == 0 && l.w.applied > 0: // whoever added it was shown that nobody is free for it
		case s.Vacated != nil: // people want it so
		case s.Occupant == "":
			l.add("L2", "slot %s is vacant, and nobody says why", s.ID)
		case !l.w.machine(s.Occupant).serves(s.ID) && !l.told(s.Occupant):
			l.add("L2", "slot %s of %s is not served, and nobody says why", s.ID, s.Occupant)
		case s.Drained && s.Case == 0 && !l.w.checker.books.away[s.ID]:
			l.add("L6", "slot %s of %s is drained without a case", s.ID, s.Occupant)
		}
	}
	return named
}

// told reports that a member stands under a verdict that is never followed by an
// action: the verdict itself is what people are told. That somebody does not reach
// a member, which is partial, does not say that its slot is not served.
func (l *look) told(id member.ID) bool {
	v, stands := l.st.Ledger().Standing(id)
	return stands && (v.Kind == consensus.VerdictDomainCut || v.Kind == consensus.VerdictAgentLost)
}

// views looks for L3. An agent that is cut off has to know it.
func (l *look) views() {
	head := l.st.Ledger().Head()
	hash := l.st.Ledger().HeadHash()
	for _, m := range l.w.machines {
		switch {
		case m.mind == nil:
		case !m.up():
			l.add("L3", "%s stands still", m.id)
		case !l.inTouch(m):
			if m.mind.Leading().Quorum {
				l.add("L3", "%s is cut off from the council and does not know", m.id)
			}
		case m.mind.Ledger().Head() != head:
			l.add("L3", "%s knows %d facts of %d", m.id, m.mind.Ledger().Head(), head)
		case m.mind.Ledger().HeadHash() != hash:
			l.add("L3", "%s has another ledger", m.id)
		case !m.mind.Leading().Quorum:
			l.add("L3", "%s sees no council", m.id)
		}
	}
}

// inTouch reports that facts can come to an agent: it is a councillor among most
// of them, or it reaches one of those.
func (l *look) inTouch(m *machine) bool {
	for _, id := range l.w.councillors() {
		x := l.w.machine(id)
		if l.w.commands(x, l.w.severed) && (x == m || m.reaches(x)) {
			return true
		}
	}
	return false
}

// suspicions looks for L4.
func (l *look) suspicions() {
	if l.leader == "" {
		return
	}
	leader := l.w.machine(l.leader)
	for _, m := range l.w.machines {
		if !m.well(leader) {
			continue
		}
		v, stands := l.st.Ledger().Standing(m.id)
		switch slot := l.w.checker.books.seats[m.id]; {
		case !stands:
		case v.Kind != consensus.VerdictServiceDown:
			l.add("L4", "%s is well and stands under %s", m.id, v.Kind)
		case slot == "" || m.serves(slot):
			l.add("L4", "%s serves slot %s and stands under %s", m.id, slot, v.Kind)
		}
	}
	for _, id := range leader.mind.Accused() {
		if m := l.w.machine(id); m.well(leader) && (l.w.checker.books.seats[id] == "" || m.serves(l.w.checker.books.seats[id])) {
			l.add("L4", "%s is well and stands accused", id)
		}
	}
}

// lossyFor is the loss of one way from which on two observers of somebody go
// without an answer every minute or two, in a fleet in which nothing is wrong.
// That is no calm: a guarded brake, which asks for a minute without any, stays.
const lossyFor = 0.1

// brake looks for L6. While a slot's obstacle is named or a member is really
// lost, the brake may well hold.
func (l *look) brake(named map[member.SlotID]bool) {
	lost := len(named) > 0
	for _, m := range l.w.machines {
		v, _ := l.st.Ledger().Standing(m.id)
		_, sits := l.w.checker.books.seats[m.id]
		lost = lost || l.leader != "" && !m.well(l.w.machine(l.leader)) && (sits || v.Kind != consensus.VerdictDown)
	}
	b := l.st.Brake()
	if b.Mode() == failover.Guarded && l.w.cfg.Net.Loss >= lossyFor {
		return
	}
	for _, s := range slices.Sorted(maps.Keys(b.Modes)) {
		if m := b.In(s); !lost {
			l.add("L6", "%s is %s: %s", s, m.Mode, m.Why)
		}
	}
	for _, m := range l.w.machines {
		switch {
		case !m.up():
		case len(m.waiting) > 0:
			l.add("L6", "%s has not heard %d messages yet", m.id, len(m.waiting))
		case m.mind.Wants() > 0 && l.inTouch(m):
			l.add("L6", "%s wants %d commands in the ledger", m.id, m.mind.Wants())
		}
	}
}

// idle is the right state of a world without a council quorum: everybody says so,
// and nothing has begun since but what was ordered before and had its time. That
// nothing was agreed S7 has checked, and that nobody stops what it occupies, so
// that the doors find it serving, promise 7.
func (l *look) idle() {
	for _, m := range l.w.machines {
		if !m.up() {
			continue
		}
		if mode, _ := m.mind.Mode(); mode != failover.Isolated {
			l.add("L5", "%s is in mode %s, and there is no council quorum", m.id, mode)
		}
	}
	since, at := l.w.checker.sweeps.quorum, l.w.checker.acted
	if late := l.w.checker.timing().Activate + grace; at-since > late {
		l.add("L5", "a case's step began %v after the council quorum was lost", at-since)
	}
}
