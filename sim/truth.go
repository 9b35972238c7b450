package sim

import (
	"slices"
	"time"

	"moonwatch/consensus"
	"moonwatch/member"
)

// What is really the case, as no agent can know it: the checkers judge by it.

// ail notes that something happened to a machine just now.
func (m *machine) ail() { m.ailed = m.w.now }

func (w *World) ailAll() {
	for _, m := range w.machines {
		m.ail()
	}
}

// grace is how long after the end of a trouble a verdict about it may still
// come: the vote, the roll call and the commit were under way.
const grace = 5 * time.Second

// lossMemory is how long the loss rule of the observers looks back: 40 regular
// probes of 500 ms.
const lossMemory = 25 * time.Second

// stallMemory is for how long a member that stood still may be blamed for the
// probes that it left unanswered: until 16 regular ones are answered.
const stallMemory = 8*time.Second + grace

// well reports that a member's agent has run, and that more than half of those of
// its observers whose word can come to the leader have reached it and been
// reached, for long enough that no verdict may say otherwise; most councillors
// too. A loss that others do not have is not well, and neither is one of more than
// 51 % for the round trip.
func (m *machine) well(leader *machine) bool {
	w := m.w
	if !m.up() || m.slow.more > tolerated || w.now-m.ailed < grace || w.now-m.lossyAt < lossMemory || m.stoodAt > 0 && w.now-m.stoodAt < stallMemory {
		return false
	}
	return m.reached(leader, w.severed) && (!w.links.flapping() || m.reached(leader, w.interrupted))
}

// reached reports that most councillors, and most of the member's observers whose
// word can come to the leader, reach it and are reached, as severed has it. A link
// that comes and goes is to be looked at both ways: a verdict that comes as it is
// back was made while it was gone. Most of those that have no cause to abstain have to
// reach it too: who abstains says no more for the member than against it.
func (m *machine) reached(leader *machine, severed func(a, b int) bool) bool {
	w := m.w
	if !w.councilReaches(m, severed) {
		return false
	}
	var all, sure portion
	for _, x := range w.observersOf(m) {
		if !x.up() || !w.heardBy(x, leader, severed) {
			continue
		}
		sound := w.sound(m.i, x.i)
		all.count(sound)
		if x.lag() <= tolerated && !w.doubts(x, leader) {
			sure.count(sound)
		}
	}
	return all.most() && (sure.of == 0 || sure.most())
}

// doubts reports that an agent has told the leader that it doubts itself, and has cause to:
// most of those that it looks at are out of its reach (PROTOCOL 3).
func (w *World) doubts(x, leader *machine) bool {
	e := w.checker.polls.ears[hearer{leader.i, x.i}]
	if e == nil || e.abstains < w.now-judgedLag {
		return false
	}
	var edges portion
	for _, id := range w.checker.fold.Overlay().SubjectsOf(x.id) {
		edges.count(!w.sound(w.index[id], x.i))
	}
	return edges.most()
}

// portion is how many of some are so.
type portion struct{ so, of int }

func (p *portion) count(so bool) {
	p.of++
	if so {
		p.so++
	}
}

func (p portion) most() bool { return 2*p.so > p.of }

// observersOf are the machines that have a voice about a member: who observes it
// and is not condemned itself (PROTOCOL 4, rule 1). In a large fleet they are a
// draw from it: where a cut runs through the middle of the fleet most of them can
// be on the far side while most of the fleet is on the near one. Before the fleet
// is founded everybody counts.
func (w *World) observersOf(m *machine) []*machine {
	ids := w.checker.fold.Overlay().ObserversOf(m.id)
	if len(ids) == 0 {
		return slices.DeleteFunc(slices.Clone(w.machines), func(x *machine) bool { return x == m })
	}
	out := make([]*machine, 0, len(ids))
	for _, id := range ids {
		if v, _ := w.checker.fold.Standing(id); !gone(v.Kind) {
			out = append(out, w.machine(id))
		}
	}
	return out
}

// councilReaches reports that most councillors reach a member and are reached.
func (w *World) councilReaches(m *machine, severed func(a, b int) bool) bool {
	enough, _, _ := w.most(func(s consensus.Seat) bool {
		c := w.machine(s.Member)
		return c == m || !severed(m.i, c.i) && !severed(c.i, m.i)
	})
	return enough
}

// heardBy reports whether an agent's statements come to the leader, straight
// or through another councillor.
func (w *World) heardBy(x, leader *machine, severed func(a, b int) bool) bool {
	if !severed(x.i, leader.i) {
		return true
	}
	for _, id := range w.councillors() {
		c := w.machine(id)
		if c.up() && !severed(x.i, c.i) && !severed(c.i, leader.i) {
			return true
		}
	}
	return false
}

// serves reports that the machine really runs a slot's service and that it
// answers.
func (m *machine) serves(slot member.SlotID) bool {
	s := m.running[slot]
	return m.on && m.w.now >= m.halted && s != nil && !s.sick
}

// quorumPossible reports that some running councillor reaches most councillors
// and is reached by them, straight: without that nothing can be agreed.
func (w *World) quorumPossible() bool { return w.quorumOver(w.severed) }

// quorumAtTimes is quorumPossible where a link that comes and goes is there: a
// council can agree on something between two bursts of losses.
func (w *World) quorumAtTimes() bool { return w.quorumOver(w.parted) }

func (w *World) quorumOver(severed func(a, b int) bool) bool {
	for _, id := range w.councillors() {
		if w.commands(w.machine(id), severed) {
			return true
		}
	}
	return false
}

// commands reports that a councillor runs and enough others for a majority with
// it, which it reaches and which reach it. One whose disk was emptied is none.
func (w *World) commands(m *machine, severed func(a, b int) bool) bool {
	if !m.up() || !m.mind.Councillor() {
		return false
	}
	enough, _, _ := w.most(func(s consensus.Seat) bool {
		x := w.machine(s.Member)
		if x == m {
			return w.holds(s)
		}
		return x.up() && w.holds(s) && sits(x, s) && !severed(m.i, x.i) && !severed(x.i, m.i)
	})
	return enough
}

// sits reports that an agent takes part in the council from this seat.
func sits(x *machine, s consensus.Seat) bool {
	have, ok := x.mind.Seat()
	return ok && have.ID == s.ID
}
