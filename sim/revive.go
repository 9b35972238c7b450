package sim

import (
	"errors"
	"fmt"
	"time"

	"go.etcd.io/raft/v3/raftpb"

	"moonwatch/consensus"
	"moonwatch/failover"
	"moonwatch/member"
	"moonwatch/mind"
)

// A world may begin where a real fleet stands: with the ledger that one of its
// agents has. Nobody knows more about the machines than the ledger says, so the
// world takes it at its word: who stands under a verdict is as the verdict says,
// everybody else is well, and occupants run what they occupy.

// Snapshot is where a fleet stands.
type Snapshot struct {
	Ledger []byte    `json:"ledger"` // as consensus.Ledger.Snapshot made it
	At     time.Time `json:"at"`     // when that was
}

// Stand is what a snapshot says in words.
type Stand struct {
	Fleet     member.Fleet
	Council   []member.ID
	Occupants map[member.SlotID]member.ID
	Condemned map[member.ID]consensus.VerdictKind
	Cases     []string // the open ones, as people see them
	Mode      failover.Mode
	Head      uint64 // of the ledger
}

// Read says where the fleet stands. It fails on a ledger that cannot be played.
func (s Snapshot) Read() (Stand, error) {
	r, err := revive(s)
	if err != nil {
		return Stand{}, err
	}
	l := r.state.Ledger()
	x := Stand{
		Fleet: *l.Fleet(), Council: l.Councillors(), Mode: r.state.Brake().Mode(), Head: l.Head(),
		Occupants: map[member.SlotID]member.ID{}, Condemned: map[member.ID]consensus.VerdictKind{},
	}
	for _, slot := range r.state.Slots() {
		x.Occupants[slot.ID] = slot.Occupant
	}
	for _, id := range l.Condemned() {
		x.Condemned[id] = r.verdict(id)
	}
	for _, c := range r.state.OpenCases() {
		x.Cases = append(x.Cases, fmt.Sprintf("%s of slot %s in %s", c.Name(), c.Slot, c.State))
	}
	return x, nil
}

// revival is a Snapshot that was read.
type revival struct {
	raw   []byte
	state *failover.State
	begun time.Time
}

// revive reads a snapshot. A ledger without a fleet has nothing that could be
// played.
func revive(s Snapshot) (*revival, error) {
	fold := mind.NewFold()
	st, l := fold.State, fold.Ledger
	if err := l.Restore(s.Ledger); err != nil {
		return nil, fmt.Errorf("begin with a ledger: %w", err)
	}
	switch {
	case l.Fleet() == nil:
		return nil, errors.New("begin with a ledger: no fleet was applied to it yet")
	case l.Blocked() != "":
		return nil, fmt.Errorf("begin with a ledger: it holds facts that this version does not know: %s", l.Blocked())
	}
	begun := l.Time()
	if s.At.After(begun) {
		begun = s.At
	}
	return &revival{raw: s.Ledger, state: st, begun: begun}, nil
}

// resume lets every member go on from the ledger.
func (w *World) resume(past *revival) error {
	w.epoch = past.begun
	w.before = past.state.Ledger().Head()
	if err := w.checker.open(past); err != nil {
		return err
	}
	for _, id := range w.cfg.Council {
		if _, ok := w.index[id]; !ok {
			return fmt.Errorf("begin with a ledger: councillor %s is not in the fleet", id)
		}
	}
	for _, m := range w.machines {
		m.disk = past.disk(m.id)
		past.settle(m)
		m.book.known, m.book.met = longAgo, true
		m.ail()
		if m.on && !past.agentLost(m.id) {
			m.startSoon()
		}
	}
	return nil
}

// disk is what the ledger leaves on a member's disk.
func (r *revival) disk(id member.ID) *disk {
	l := r.state.Ledger()
	d := newDisk()
	d.seen, d.snapshot, d.base = true, r.raw, l.Head()
	if seat, ok := r.seat(id); ok {
		index, term := l.Raft(), uint64(1)
		d.id, d.seat = seat.Disk, seat.ID
		d.raftSnap = &raftpb.Snapshot{Data: r.raw, Metadata: &raftpb.SnapshotMetadata{Index: &index, Term: &term, ConfState: l.Seats().State()}}
	}
	if u := r.state.Use(id); u.Duty == failover.Occupant {
		s, _ := r.state.Slot(u.Slot)
		d.journal.holding[s.ID] = s.Epoch
	}
	return d
}

// seat is the one that a member has in the council.
func (r *revival) seat(id member.ID) (consensus.Seat, bool) {
	for _, s := range r.state.Ledger().Seats().All() {
		if s.Member == id {
			return s, true
		}
	}
	return consensus.Seat{}, false
}

// verdict is the one under which a member stands.
func (r *revival) verdict(id member.ID) consensus.VerdictKind {
	if s, ok := r.state.Ledger().Standing(id); ok {
		return s.Kind
	}
	return consensus.VerdictUp
}

func (r *revival) agentLost(id member.ID) bool { return r.verdict(id) == consensus.VerdictAgentLost }

// settle lets a machine be as its verdict says.
func (r *revival) settle(m *machine) {
	kind := r.verdict(m.id)
	for slot, epoch := range m.disk.journal.holding {
		if kind != consensus.VerdictServiceDown {
			m.running[slot] = &service{epoch: epoch}
		}
	}
	if kind == consensus.VerdictDown || kind == consensus.VerdictDomainCut {
		m.on = false
		m.stopped, m.running = m.running, map[member.SlotID]*service{}
	}
}

// open lets the checker's books begin where the ledger stands.
func (c *checker) open(r *revival) error {
	if err := c.fold.Restore(r.raw); err != nil {
		return err
	}
	l := c.fold
	h := l.HeadHash()
	copy(c.hash[:], h[:])
	c.growth.time, c.growth.roster = l.Time(), l.Roster().Epoch
	b := &c.books
	for _, s := range c.state.Slots() {
		b.slots[s.ID] = &slotBook{pool: s.Pool, past: map[member.SlotEpoch]member.ID{}}
		if s.Occupant != "" {
			b.seat(s.Occupant, s.ID, s.Epoch)
			c.past.begin(move{what: given, who: s.Occupant, slot: s.ID, epoch: s.Epoch})
		}
		b.slots[s.ID].drained, b.away[s.ID] = s.Drained, s.Away != nil
	}
	for _, m := range l.Roster().Members {
		b.pools[m.ID] = m.Pool
		if s, ok := l.Standing(m.ID); ok {
			b.verdict[m.ID] = judgement{s.Kind, s.Incarnation}
		}
		u := c.state.Use(m.ID)
		if u.Lent != nil {
			b.lent[m.ID] = u.Lent.Case
		}
		if p := u.Proof; p != nil {
			c.proofs[m.ID] = proofBook{at: p.At, good: p.Good, failed: u.Drilled != nil && !u.Drilled.Good}
		}
		for pool, p := range u.Fits {
			c.fits[fitting{m.ID, pool}] = fitted{p.Good, p.At}
		}
		b.aside[m.ID] = u.Duty == failover.Quarantined || u.Duty == failover.BurnIn
		b.well[m.ID] = u.Duty == failover.Quarantined && !u.LetGo.IsZero() // one in burn-in has fallen since
		for slot, epoch := range u.Leftover {
			drill := u.Shadow[slot] && !b.aside[m.ID] // of a spare that a case sent back it is the case's
			if b.soil(m.ID, slot, stain{epoch, drill}); !drill {
				c.past.begin(move{what: given, who: m.ID, slot: slot, epoch: epoch}, move{what: unseated, who: m.ID, slot: slot, epoch: epoch})
			}
		}
	}
	if d := c.state.Drill(); d != nil {
		b.drill = drillBook{d.Member, d.Slot, d.Epoch}
	}
	for _, k := range c.state.Cases() {
		b.cases[k.ID] = caseBookOf(k)
		if k.Open() && k.Spare != "" && c.state.Use(k.Spare).Duty == failover.Claimed {
			b.claims[k.Spare] = k.ID
			c.past.begin(move{what: claimed, who: k.Spare, slot: k.Slot, epoch: k.NewEpoch})
		}
		for id := range b.cases[k.ID].preparing {
			b.claims[id] = k.ID
			c.past.begin(move{what: prepares, who: id, slot: k.Slot, epoch: b.cases[k.ID].preparing[id].epoch})
		}
	}
	for s, m := range c.state.Brake().Modes {
		b.modes[s] = m.Mode
	}
	for _, h := range c.state.Holds(l.Time()) {
		b.held[h.ID] = h.HoldGiven
	}
	return nil
}

// caseBookOf books a case that was opened before the world began.
func caseBookOf(k *failover.Case) *caseBook {
	x := &caseBook{
		slot: k.Slot, subject: k.Subject, epoch: k.Epoch, state: k.State, planned: k.Planned, forced: k.Forced, restarts: k.Restart && k.Open(),
		attempt: k.Attempt, spare: k.Spare, claimedAt: k.NewEpoch, executor: map[int]order{},
		fence: order{k.Subject, failover.StepStop, k.Epoch},
	}
	for _, p := range k.History {
		if p.State == failover.Cutover {
			x.cutovers++
		}
	}
	for _, p := range k.Preparing {
		if x.preparing == nil {
			x.preparing = map[member.ID]preparing{}
		}
		x.preparing[p.Spare] = preparing{epoch: p.Epoch, ready: p.Ready}
	}
	if k.Spare != "" {
		x.executor[k.Attempt] = order{k.Spare, failover.StepActivate, k.NewEpoch}
	} else {
		x.executor[k.Attempt] = order{k.Subject, failover.StepRestart, k.Epoch}
	}
	return x
}
