package consensus

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"go.etcd.io/raft/v3/raftpb"

	"moonwatch/member"
)

// The kinds by which the council changes.
const (
	KindDisk    FactKind = "disk"    // a member may sit in the council, with this disk
	KindCouncil FactKind = "council" // a Reform
)

// Seat is one place in the council: a number in raft that is never used twice. It
// belongs to a disk, for a vote is a promise of the disk that remembers it: whoever
// comes back with another one has lost its seat, and may get a new one.
type Seat struct {
	ID     uint64    `json:"id"`
	Member member.ID `json:"member"`
	Disk   string    `json:"disk,omitempty"` // empty: the disk with which this member founded
}

// Seats are the council as of one fact.
type Seats struct {
	Voters   []Seat `json:"voters"`             // by number
	Outgoing []Seat `json:"outgoing,omitempty"` // while a swap is under way: the voters before it
	Learners []Seat `json:"learners,omitempty"` // kept warm; they have no vote
	Next     uint64 `json:"next"`               // number of the next new seat
	Changed  uint64 `json:"changed,omitempty"`  // fact of the last change
	Reforms  []Done `json:"reforms,omitempty"`  // the last ones, oldest first
}

// Done is a reform that was accepted: raft may bring its entry again.
type Done struct {
	Raft   uint64 `json:"raft"`
	Reform Reform `json:"reform"`
}

// rememberedReforms is far more than happen between two snapshots.
const rememberedReforms = 64

// Disk is the disk with which a member may sit in the council.
type Disk struct {
	ID    string    `json:"id"`
	Since time.Time `json:"since,omitzero"`
}

// ReformKind is what a change of the council does.
type ReformKind string

// The reforms.
const (
	Learn   ReformKind = "learn"   // a member becomes a learner
	Dismiss ReformKind = "dismiss" // a learner is one no more
	Swap    ReformKind = "swap"    // a learner takes a lost councillor's place, in one joint change
	Settle  ReformKind = "settle"  // the joint change ends: the old council has no say any more
)

// Reform is one change of the council.
type Reform struct {
	Do     ReformKind `json:"do"`
	In     uint64     `json:"in,omitempty"`  // the learner's seat, of Learn and Swap
	Out    uint64     `json:"out,omitempty"` // of Dismiss and Swap
	Member member.ID  `json:"member,omitempty"`
	Disk   string     `json:"disk,omitempty"` // of Learn
	Why    string     `json:"why,omitempty"`
}

// swapAfter is how long a councillor has been lost before it is swapped: most come
// back sooner, and a swap costs a learner (PROTOCOL 8).
const swapAfter = time.Minute

// maxLearners are kept warm.
const maxLearners = 2

// foundingSeats are those of the first council, known by their places in the list.
func foundingSeats(g Genesis) *Seats {
	s := &Seats{Next: uint64(len(g.Council)) + 1}
	for i, id := range g.Council {
		s.Voters = append(s.Voters, Seat{ID: uint64(i + 1), Member: id})
	}
	return s
}

// Joint reports that a swap is under way.
func (s Seats) Joint() bool { return len(s.Outgoing) > 0 }

// All lists every seat that raft knows: those that vote, those that still do, and
// the learners; by number.
func (s Seats) All() []Seat {
	all := slices.Concat(s.Voters, s.Learners)
	for _, x := range s.Outgoing {
		if seatAt(all, x.ID) < 0 {
			all = append(all, x)
		}
	}
	slices.SortFunc(all, bySeat)
	return all
}

func bySeat(a, b Seat) int { return int(a.ID) - int(b.ID) }

func seatAt(list []Seat, id uint64) int {
	return slices.IndexFunc(list, func(s Seat) bool { return s.ID == id })
}

// State is the council as raft has it.
func (s Seats) State() *raftpb.ConfState {
	return &raftpb.ConfState{Voters: numbers(s.Voters), VotersOutgoing: numbers(s.Outgoing), Learners: numbers(s.Learners)}
}

func numbers(list []Seat) []uint64 {
	var n []uint64
	for _, s := range list {
		n = append(n, s.ID)
	}
	return n
}

// change is a reform as raft has it. The joint state is left by a fact of its own,
// and not by raft: so the ledger says at every fact which council is in force.
func (r Reform) change() *raftpb.ConfChangeV2 {
	one := func(t raftpb.ConfChangeType, id uint64) *raftpb.ConfChangeSingle {
		return &raftpb.ConfChangeSingle{Type: t.Enum(), NodeId: &id}
	}
	switch r.Do {
	case Learn:
		return &raftpb.ConfChangeV2{Changes: []*raftpb.ConfChangeSingle{one(raftpb.ConfChangeAddLearnerNode, r.In)}}
	case Dismiss:
		return &raftpb.ConfChangeV2{Changes: []*raftpb.ConfChangeSingle{one(raftpb.ConfChangeRemoveNode, r.Out)}}
	case Swap:
		return &raftpb.ConfChangeV2{
			Transition: raftpb.ConfChangeTransitionJointExplicit.Enum(),
			Changes:    []*raftpb.ConfChangeSingle{one(raftpb.ConfChangeRemoveNode, r.Out), one(raftpb.ConfChangeAddNode, r.In)},
		}
	default:
		return &raftpb.ConfChangeV2{} // leaves the joint state
	}
}

// after is the council after an accepted reform.
func (s Seats) after(f Fact, r Reform) *Seats {
	n := s
	n.Changed = f.Index
	n.Reforms = append(slices.Clone(s.Reforms), Done{f.Raft, r})
	if len(n.Reforms) > rememberedReforms {
		n.Reforms = n.Reforms[1:]
	}
	without := func(list []Seat, id uint64) []Seat {
		return slices.DeleteFunc(slices.Clone(list), func(x Seat) bool { return x.ID == id })
	}
	switch r.Do {
	case Learn:
		n.Learners = append(slices.Clone(s.Learners), Seat{ID: r.In, Member: r.Member, Disk: r.Disk})
		n.Next = r.In + 1
	case Dismiss:
		n.Learners = without(s.Learners, r.Out)
	case Swap:
		n.Outgoing = s.Voters
		n.Voters = append(without(s.Voters, r.Out), s.Learners[seatAt(s.Learners, r.In)])
		slices.SortFunc(n.Voters, bySeat)
		n.Learners = without(s.Learners, r.In)
	case Settle:
		n.Outgoing = nil
	}
	return &n
}

// checkReform refuses a change that the rules of the council do not allow. What the
// fleet's state forbids, a cascade or maintenance, is for others to say.
func (l *Ledger) checkReform(f Fact) error {
	if err := l.FromCouncil(f.Command); err != nil {
		return err
	}
	r, err := decode[Reform](f)
	if err != nil {
		return err
	}
	s := l.Seats()
	if r.Do != Settle && s.Joint() {
		return fmt.Errorf("council: %s while a swap is under way: one at a time", r.Do)
	}
	switch r.Do {
	case Learn:
		return l.checkLearner(r)
	case Dismiss:
		if seatAt(s.Learners, r.Out) < 0 {
			return fmt.Errorf("council: dismiss seat %d: no learner's", r.Out)
		}
		return nil
	case Swap:
		return l.checkSwap(f.Time, r)
	case Settle:
		if !s.Joint() {
			return errors.New("council: settle: no swap is under way")
		}
		return nil
	default:
		return fmt.Errorf("council: unknown reform %q", r.Do)
	}
}

func (l *Ledger) checkLearner(r Reform) error {
	s := l.Seats()
	m, listed := l.roster.Member(r.Member)
	switch {
	case r.In != s.Next:
		return fmt.Errorf("council: seat %d for %s: the next one is %d", r.In, r.Member, s.Next)
	case !listed || !m.Council:
		return fmt.Errorf("council: %s may not sit in it: want council: allowed in fleet.yaml", r.Member)
	case r.Disk == "" || l.s.Disks[r.Member].ID != r.Disk:
		return fmt.Errorf("council: %s has not said that it may sit with that disk", r.Member)
	case len(s.Learners) >= maxLearners:
		return fmt.Errorf("council: %d learners are enough", maxLearners)
	}
	for _, x := range s.All() {
		if x.Member == r.Member && !l.emptied(x) {
			return fmt.Errorf("council: %s has seat %d", r.Member, x.ID)
		}
	}
	return nil
}

func (l *Ledger) checkSwap(now time.Time, r Reform) error {
	s := l.Seats()
	out, in := seatAt(s.Voters, r.Out), seatAt(s.Learners, r.In)
	if out < 0 || in < 0 {
		return fmt.Errorf("council: swap seat %d for %d: want a councillor's and a learner's", r.Out, r.In)
	}
	why, since := l.Lost(s.Voters[out])
	switch {
	case why == "":
		return fmt.Errorf("council: %s is not lost", s.Voters[out].Member)
	case now.Sub(since) < swapAfter:
		return fmt.Errorf("council: %s is lost for %v, swapped after %v", s.Voters[out].Member, now.Sub(since).Round(time.Second), swapAfter)
	}
	if why, _ := l.Lost(s.Learners[in]); why != "" {
		return fmt.Errorf("council: learner %s is lost itself: %s", s.Learners[in].Member, why)
	}
	return nil
}

// checkDisk takes nobody's word but the member's own.
func (l *Ledger) checkDisk(f Fact) error {
	d, err := decode[Disk](f)
	if err != nil {
		return err
	}
	m, listed := l.roster.Member(f.Command.Proposer)
	switch {
	case d.ID == "" || len(d.ID) > 64:
		return fmt.Errorf("disk of %s: %q, want its identity", f.Command.Proposer, d.ID)
	case !listed || !m.Council:
		return fmt.Errorf("disk of %s: it may not sit in the council: want council: allowed in fleet.yaml", f.Command.Proposer)
	case l.s.Disks[f.Command.Proposer].ID == d.ID:
		return fmt.Errorf("disk of %s: known", f.Command.Proposer)
	}
	return nil
}

// noteDisk remembers the disk of a member.
func (l *Ledger) noteDisk(id member.ID, d Disk) {
	l.s.Disks = maps.Clone(l.s.Disks)
	if l.s.Disks == nil {
		l.s.Disks = map[member.ID]Disk{}
	}
	l.s.Disks[id] = d
}

// emptied reports that a member has come back with another disk than its seat's.
func (l *Ledger) emptied(s Seat) bool {
	d, said := l.s.Disks[s.Member]
	return said && d.ID != s.Disk
}

// Lost says why a seat's holder cannot be counted on, and since when; empty if it
// can. A failure domain that is cut off is not lost: it may come back as a whole.
func (l *Ledger) Lost(s Seat) (why string, since time.Time) {
	if m, listed := l.roster.Member(s.Member); !listed || !m.Council {
		return "it may not sit in the council any more", time.Time{}
	}
	if l.emptied(s) {
		return "its disk was emptied", l.s.Disks[s.Member].Since
	}
	v, stands := l.s.Standing[s.Member]
	if stands && (v.Kind == VerdictDown || v.Kind == VerdictAgentLost) {
		return string(v.Kind), v.At
	}
	return "", time.Time{}
}

// Seats are the council in force.
func (l *Ledger) Seats() Seats {
	if l.s.Seats == nil {
		return Seats{}
	}
	return *l.s.Seats
}

// Councillors are the members that vote, sorted.
func (l *Ledger) Councillors() []member.ID { return holders(l.Seats().Voters) }

func holders(list []Seat) []member.ID {
	var ids []member.ID
	for _, s := range list {
		ids = append(ids, s.Member)
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

// SeatOf is the seat of a member with this disk; founder says that it still has the
// disk with which it founded.
func (l *Ledger) SeatOf(id member.ID, disk string, founder bool) (seat Seat, ok bool) {
	all := l.Seats()
	// Asked after every step of an agent: no list of all is made for it.
	for _, list := range [...][]Seat{all.Voters, all.Outgoing, all.Learners} {
		for _, s := range list {
			holds := s.Member == id && (s.Disk == "" && founder || s.Disk != "" && s.Disk == disk)
			if holds && (!ok || s.ID < seat.ID) {
				seat, ok = s, true
			}
		}
	}
	return seat, ok
}

// MaySit reports that a member has yet to say with which disk it may sit in the
// council.
func (l *Ledger) MaySit(id member.ID, disk string) bool {
	m, listed := l.roster.Member(id)
	return listed && m.Council && disk != "" && l.s.Disks[id].ID != disk
}

// Reformed reports whether the raft entry with this index was a reform that was
// accepted, as far back as reforms are remembered.
func (l *Ledger) Reformed(raft uint64) bool {
	return slices.ContainsFunc(l.Seats().Reforms, func(d Done) bool { return d.Raft == raft })
}
