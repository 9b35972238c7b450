package sim

import (
	"fmt"
	"slices"
	"time"

	"moonwatch/consensus"
	"moonwatch/member"
	"moonwatch/mind"
)

// OrderRefound is people who found a new council from what some members have on their
// disks: `moonwatch council recover`. Their agents stand still for it.
const OrderRefound FaultKind = "order-refound"

// refoundTakes is how long the agents are stopped.
const refoundTakes = 2 * time.Second

// orderRefound lets operators found a new council. They look first, as the command
// tells them to: while most of the old one runs, or could, they do nothing.
func (w *World) orderRefound(f Fault) {
	if runs, n, all := w.most(func(s consensus.Seat) bool { return w.machine(s.Member).on }); runs {
		w.tell(Happening{What: AgentRefused, Member: f.Whom[0], Text: fmt.Sprintf("%d of %d councillors are there: no council is founded anew", n, all)})
		return
	}
	var survivors []consensus.Survivor
	for _, m := range w.those(f.Whom) {
		m.endAgent()
		if m.on {
			m.start(refoundTakes)
		}
		if s, ok := m.survey(); ok {
			survivors = append(survivors, s)
		}
	}
	p, _, err := consensus.PlanRefounding(survivors, nil, w.time())
	if err == nil {
		err = w.machine(p.Bearer).begins(p)
	}
	if err != nil {
		w.tell(Happening{What: AgentRefused, Member: f.Whom[0], Text: err.Error()})
		return
	}
	w.refounded = p.Number
}

// folded is the ledger on a machine's disk with all that its raft log has.
func (m *machine) folded() (l *consensus.Ledger, agreed consensus.Mark, tail []consensus.Fact, last, term uint64, err error) {
	b := m.disk.boot()
	if b.Genesis != nil || !m.disk.seen {
		return nil, agreed, nil, 0, 0, fmt.Errorf("%s has no ledger", m.id)
	}
	if l, err = mind.Read(b); err != nil {
		return nil, agreed, nil, 0, 0, err
	}
	h := l.HeadHash()
	agreed = consensus.Mark{Index: l.Head(), Hash: h[:]}
	tail, last, term, err = l.AgreeAll(b.Raft)
	return l, agreed, tail, last, term, err
}

// survey is what `moonwatch council recover survey` tells of a machine's disk.
func (m *machine) survey() (consensus.Survivor, bool) {
	l, agreed, tail, last, term, err := m.folded()
	if err != nil {
		return consensus.Survivor{}, false
	}
	h := l.HeadHash()
	s := consensus.Survivor{
		Cluster: l.Cluster(), Member: m.id, Disk: m.disk.id, Refounded: l.Refounded(), Agreed: agreed, Log: consensus.Mark{Index: l.Head(), Hash: h[:]},
		Raft: last, In: term, Term: max(term, m.disk.hard.GetTerm()), Seats: l.Seats(), Sitters: map[member.ID]member.FailureDomain{},
	}
	if seat, ok := l.SeatOf(m.id, m.disk.id, !m.disk.emptied); ok {
		s.Seat = seat.ID
	}
	for _, x := range l.Roster().Members {
		if x.Council {
			s.Sitters[x.ID] = x.Domain
		}
	}
	for _, f := range slices.Concat(m.disk.facts, tail) {
		s.Marks = append(s.Marks, consensus.Mark{Index: f.Index, Hash: slices.Clone(f.Hash[:])})
	}
	return s, true
}

// begins is `moonwatch council recover apply`.
func (m *machine) begins(p consensus.RefoundPlan) error {
	l, _, tail, _, _, err := m.folded()
	if err != nil {
		return err
	}
	plan, err := p.Unsigned()
	if err != nil {
		return err
	}
	f, err := l.Refound(plan)
	if err != nil {
		return err
	}
	whole, err := l.Snapshot()
	if err != nil {
		return err
	}
	begin, err := p.Begin(whole)
	if err != nil {
		return err
	}
	m.disk.keep(append(tail, f))
	m.disk.persist(begin)
	m.w.checker.byPeople = true
	for _, f := range append(tail, f) {
		m.w.checker.applied(m, f)
	}
	m.w.checker.byPeople = false
	return nil
}

// hears is the hello of somebody whose council was founded anew. The daemon asks each
// peer once in each of its lives, and a councillor asks somebody every half minute.
func (m *machine) hears() {
	if m.w.refounded == 0 || !m.up() || m.mind.Ledger().Refounded() == m.w.refounded {
		return
	}
	for _, x := range m.w.machines {
		if x == m || !x.up() || !m.met(x) || !m.reaches(x) || x.mind.Ledger().Refounded() <= m.mind.Ledger().Refounded() {
			continue
		}
		m.feed.anew = x.mind.Ledger().Councillors()
		m.step(mind.RefoundingHeard{Refounding: *x.mind.Ledger().Refounding()})
		return
	}
}
