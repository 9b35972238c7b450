// Package consensus decides what the fleet agrees on: who observes whom, when
// votes are a verdict, which members crossed the line together, and in which
// order facts stand in the ledger.
//
//   - Overlay: who observes whom, a pure function of the roster.
//   - Tally: on the council's leader, counts votes, calls the roll, finds the cut.
//   - Council: one councillor's part in raft; every message and every disk write
//     is an effect.
//   - Ledger: the fold of the committed facts, with the audit chain.
//
// None of them reads a clock, does I/O or locks anything; each has one owner.
package consensus

import (
	"bytes"
	"errors"
	"fmt"
	"time"

	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"
	"go.etcd.io/raft/v3/tracker"
	"google.golang.org/protobuf/proto"

	"moonwatch/member"
)

// CouncilConfig holds the numbers of PROTOCOL 8.
type CouncilConfig struct {
	Tick          time.Duration // of raft; a leader's heartbeat goes out every second tick
	ElectionTicks int           // an election begins after this many to twice as many ticks of silence
}

// heartbeatTicks lie between two heartbeats of an idle leader. One a tick, every
// 100 ms, made TCP headers alone 6 KB/s; five heartbeats in the shortest
// election time-out are enough for a stream that repeats what is lost.
const heartbeatTicks = 2

// DefaultCouncil is profile lan: elections after 1.0 to 1.9 s.
func DefaultCouncil() CouncilConfig {
	return CouncilConfig{Tick: 100 * time.Millisecond, ElectionTicks: 10}
}

// Saved is what a councillor finds on its disk. All is empty on a founding
// councillor.
type Saved struct {
	Seat     uint64 // whose raft this is, 0: a founder's, of a build that knew no others
	Hard     *raftpb.HardState
	Snapshot *raftpb.Snapshot
	Entries  []*raftpb.Entry
}

// last is the index of the last entry that is there.
func (s Saved) last() uint64 {
	if n := len(s.Entries); n > 0 {
		return s.Entries[n-1].GetIndex()
	}
	return s.Snapshot.GetMetadata().GetIndex()
}

// Council is one councillor's part in the agreement: a raft RawNode with its
// log in memory, every write to disk asked for as an effect.
//
// Raft's messages wait for the disk. So a leader whose disk stalls falls silent,
// the others elect another one, and with CheckQuorum it steps down itself:
// a stalled leader that keeps its office is the bug that other systems have.
type Council struct {
	cfg     CouncilConfig
	self    member.ID
	seat    Seat
	seats   Seats
	members map[uint64]member.ID // by seat, also those that were
	node    *raft.RawNode
	store   *storage
	notes   *notes

	tickAt  time.Time
	silent  time.Time       // until then no vote request is answered
	writing *raft.Ready     // handed out as Persist and not yet on disk
	asked   time.Time       // when that was
	now     time.Time       // of this step
	seq     uint64          // of the last Persist
	said    Led             // the last one emitted
	anew    bool            // began empty, and nothing of it is written yet
	reform  *raft.Ready     // whose next entry waits for Reformed
	next    int             // entry of it
	open    map[string]bool // commands that stand in this leader's own log of this term and are not agreed yet
	confs   *raftpb.ConfState
	applied uint64           // raft's index of the last entry that was emitted
	answers answers          // to heartbeats, while it leads
	rounds  []raft.ReadState // confirmed, and not yet emitted: the ledger is behind them
	called  uint64           // the term in which another leader asked this one to take over
	turn    int              // who is offered the leadership next
	barred  bool             // from leading: the clock is off
}

// storage is raft's log in memory. The council in force when raft starts is the
// ledger's, which may be ahead of the last snapshot.
type storage struct {
	*raft.MemoryStorage
	confs *raftpb.ConfState
}

// InitialState is what raft begins with.
func (s *storage) InitialState() (*raftpb.HardState, *raftpb.ConfState, error) {
	hard, _, err := s.MemoryStorage.InitialState()
	return hard, s.confs, err
}

// NewCouncil makes the holder of a seat. Founders are the first councillors, sorted,
// seats the council in force at applied, the raft index up to which the ledger stands.
// It refuses what raft would panic about; the error says which part of the saved
// state is wrong. A seat that is not a founder's and has nothing saved begins empty:
// it waits for the leader's snapshot.
func NewCouncil(cfg CouncilConfig, seat Seat, founders []member.ID, seats Seats, saved Saved, applied uint64, now time.Time) (*Council, error) {
	founding := seat.Disk == ""
	if founding && (seat.ID == 0 || seat.ID > uint64(len(founders)) || founders[seat.ID-1] != seat.Member) {
		return nil, fmt.Errorf("council: %s is not one of its founders %v", seat.Member, founders)
	}
	if saved.Seat != seat.ID && (saved.Seat != 0 || !founding) {
		saved = Saved{} // what another seat promised does not bind this one
	}
	c := &Council{
		cfg: cfg, self: seat.Member, seat: seat, seats: seats, members: map[uint64]member.ID{},
		store: &storage{MemoryStorage: raft.NewMemoryStorage(), confs: seats.State()}, notes: &notes{}, open: map[string]bool{},
		answers: answers{last: map[uint64]time.Time{}},
	}
	c.Know(seats)
	empty := saved.Hard == nil && raft.IsEmptySnap(saved.Snapshot) && len(saved.Entries) == 0
	if !founding && !empty && applied > saved.last() {
		// The feed had brought the ledger further than raft was when it was seated:
		// raft begins with its own snapshot, and brings again what is known.
		applied = saved.Snapshot.GetMetadata().GetIndex()
		c.store.confs = saved.Snapshot.GetMetadata().GetConfState()
	}
	if founding || !empty {
		if err := c.load(len(founders), saved, applied); err != nil {
			return nil, fmt.Errorf("council: saved state: %w", err)
		}
	} else {
		applied, c.store.confs, c.anew = 0, &raftpb.ConfState{}, true
	}
	c.confs = c.store.confs
	restarted := saved.Hard != nil || len(saved.Entries) > 0
	if restarted {
		// PreVote and CheckQuorum protect a leader only from voters that
		// remember it, and a restart forgets (PROTOCOL 6).
		c.silent = now.Add(time.Duration(cfg.ElectionTicks) * cfg.Tick)
	}
	node, err := raft.NewRawNode(&raft.Config{
		ID: seat.ID, ElectionTick: cfg.ElectionTicks, HeartbeatTick: heartbeatTicks,
		Storage: c.store, Applied: applied,
		MaxSizePerMsg: 1 << 20, MaxInflightMsgs: 256, MaxUncommittedEntriesSize: 64 << 20,
		PreVote: true, CheckQuorum: true, Logger: c.notes,
	})
	if err != nil {
		return nil, fmt.Errorf("council: %w", err)
	}
	c.node, c.applied = node, applied
	c.tickAt = now.Add(phase(seat.Member, cfg.Tick))
	return c, nil
}

// Know learns who holds which seat.
func (c *Council) Know(s Seats) {
	c.seats = s
	for _, x := range s.All() {
		c.members[x.ID] = x.Member
	}
}

// load fills raft's storage from what was saved, or with the founding state
// that all founders share.
func (c *Council) load(founders int, saved Saved, applied uint64) error {
	voters := make([]uint64, founders)
	for i := range voters {
		voters[i] = uint64(i + 1)
	}
	snap := saved.Snapshot
	if raft.IsEmptySnap(snap) {
		one := uint64(1)
		snap = &raftpb.Snapshot{Metadata: &raftpb.SnapshotMetadata{
			Index: &one, Term: &one, ConfState: &raftpb.ConfState{Voters: voters},
		}}
	}
	base := snap.GetMetadata().GetIndex()
	if err := c.store.ApplySnapshot(snap); err != nil {
		return fmt.Errorf("snapshot at raft index %d: %w", base, err)
	}
	next := base + 1
	var entries []*raftpb.Entry
	for _, e := range saved.Entries {
		if e.GetIndex() < next {
			continue // already in the snapshot
		}
		if e.GetIndex() != next {
			return fmt.Errorf("raft entry %d follows %d: entries between them are lost", e.GetIndex(), next-1)
		}
		entries = append(entries, e)
		next++
	}
	if err := c.store.Append(entries); err != nil {
		return fmt.Errorf("raft entries up to %d: %w", next-1, err)
	}
	hard := saved.Hard
	if raft.IsEmptyHardState(hard) {
		term, commit := snap.GetMetadata().GetTerm(), base
		hard = &raftpb.HardState{Term: &term, Commit: &commit}
	}
	if hard.GetCommit() >= next {
		return fmt.Errorf("committed up to raft entry %d, the log ends with %d: entries are lost", hard.GetCommit(), next-1)
	}
	if hard.GetCommit() < base {
		commit := base
		hard.Commit = &commit
	}
	if applied > hard.GetCommit() {
		commit := min(applied, next-1)
		hard.Commit = &commit
	}
	if applied > next-1 {
		return fmt.Errorf("the ledger stands at raft entry %d, the log ends with %d: entries are lost", applied, next-1)
	}
	if applied < base {
		return fmt.Errorf("the ledger stands at raft entry %d, the log begins after %d: facts are lost", applied, base)
	}
	return c.store.SetHardState(hard)
}

// Step takes one event and says what is to be done.
func (c *Council) Step(now time.Time, ev CouncilEvent) []CouncilEffect {
	c.now = now
	switch ev := ev.(type) {
	case CouncilWoken:
	case RaftReceived:
		c.receive(now, ev.Message)
	case Persisted:
		return c.persisted(ev)
	case Reformed:
		return c.reformed(ev)
	case ClockJudged:
		c.barred = !ev.Good
		c.giveUpOffice()
	case Propose:
		c.propose(ev.Command)
	case Confirm:
		c.confirm(ev.Round)
	default:
		panic(fmt.Sprintf("consensus: unknown event %T", ev))
	}
	c.tick(now)
	return c.ready(nil)
}

func (c *Council) tick(now time.Time) {
	missed := 0
	for !now.Before(c.tickAt) {
		// After a stall only one election time-out is made up for: more
		// ticks would depose a leader whose messages wait behind this call.
		if missed < c.cfg.ElectionTicks/2 {
			c.node.Tick()
		}
		missed++
		c.tickAt = c.tickAt.Add(c.cfg.Tick)
	}
}

// giveUpOffice hands the leadership to the next councillor on the list that is
// not this one. If that one does not take it, raft stays with us, and the next
// judgement tries another.
func (c *Council) giveUpOffice() {
	if !c.barred || !c.Leads() {
		return
	}
	voters := c.seats.Voters
	self := seatAt(voters, c.seat.ID)
	c.turn++
	if n := len(voters); n > 1 {
		c.node.TransferLeader(voters[(self+1+c.turn%(n-1))%n].ID)
	}
}

// standsForElection reports that a message asks for a vote.
func standsForElection(m *raftpb.Message) bool {
	return m.GetType() == raftpb.MsgVote || m.GetType() == raftpb.MsgPreVote
}

func (c *Council) receive(now time.Time, m *raftpb.Message) {
	if m.GetTo() != c.seat.ID {
		return // it is for a seat that this member had, or is about to have
	}
	if standsForElection(m) && now.Before(c.silent) || c.barred && m.GetType() == raftpb.MsgTimeoutNow {
		return
	}
	if c.belated(m) {
		return
	}
	if m.GetType() == raftpb.MsgProp && c.Leads() {
		for _, e := range m.GetEntries() {
			c.propose(e.GetData())
		}
		return
	}
	if m.GetType() == raftpb.MsgTimeoutNow && m.GetTerm() == c.Leader().Term {
		c.called = m.GetTerm()
	}
	// An error means that the message is not for us or comes from a stranger.
	_ = c.node.Step(m)
}

// propose hands a command to raft; another councillor's raft hands it on to the
// leader. Whoever wants it repeats it until it is agreed, and a leader that cannot
// agree for a while, for its disk is slow, would fill its log with the repeats: what
// stands in it already comes to nothing but an end of the term.
func (c *Council) propose(command []byte) {
	leads := c.Leads()
	if leads && c.open[string(command)] {
		return
	}
	if leads && bytes.Contains(command, reformMark) {
		if r, ok := reformOf(command); ok {
			cc := r.change()
			cc.Context = command
			// Raft refuses a change before the last one has ended, and says so by an
			// empty entry: it is proposed again.
			_ = c.node.ProposeConfChange(cc)
			return
		}
	}
	// A dropped proposal is repeated by whoever wants it.
	if err := c.node.Propose(command); err == nil && leads {
		c.open[string(command)] = true
	}
}

// persisted goes on where a Persist had stopped.
func (c *Council) persisted(ev Persisted) []CouncilEffect {
	if c.writing == nil || ev.Seq != c.seq {
		return nil
	}
	rd := *c.writing
	c.writing = nil
	return c.ready(c.release(rd, nil))
}

// ready takes what raft wants done. At most one write is under way.
func (c *Council) ready(out []CouncilEffect) []CouncilEffect {
	for c.writing == nil && c.reform == nil && c.node.HasReady() {
		rd := c.node.Ready()
		c.rounds = append(c.rounds, rd.ReadStates...)
		if raft.IsEmptyHardState(rd.HardState) && len(rd.Entries) == 0 && raft.IsEmptySnap(rd.Snapshot) {
			out = c.release(rd, out)
			continue
		}
		c.remember(rd)
		c.seq++
		c.writing, c.asked = &rd, c.now
		p := Persist{Seq: c.seq, Seat: c.seat.ID, Anew: c.anew, Entries: rd.Entries, Sync: rd.MustSync || !raft.IsEmptySnap(rd.Snapshot)}
		c.anew = false
		if !raft.IsEmptyHardState(rd.HardState) {
			p.Hard = rd.HardState
		}
		if !raft.IsEmptySnap(rd.Snapshot) {
			p.Snapshot = rd.Snapshot
		}
		out = append(out, p)
	}
	return c.noted(c.led(c.confirmed(out)))
}

// remember puts a Ready into raft's storage in memory.
func (c *Council) remember(rd raft.Ready) {
	if !raft.IsEmptySnap(rd.Snapshot) {
		if err := c.store.ApplySnapshot(rd.Snapshot); err != nil && !errors.Is(err, raft.ErrSnapOutOfDate) {
			panic(fmt.Sprintf("consensus: apply snapshot: %v", err))
		}
		c.confs = rd.Snapshot.GetMetadata().GetConfState()
	}
	if err := c.store.Append(rd.Entries); err != nil {
		panic(fmt.Sprintf("consensus: append: %v", err))
	}
	if !raft.IsEmptyHardState(rd.HardState) {
		_ = c.store.SetHardState(rd.HardState) // cannot fail
	}
}

// release emits what had to wait for the disk.
func (c *Council) release(rd raft.Ready, out []CouncilEffect) []CouncilEffect {
	if !raft.IsEmptySnap(rd.Snapshot) {
		out = append(out, Installed{Ledger: rd.Snapshot.GetData()})
		c.applied = max(c.applied, rd.Snapshot.GetMetadata().GetIndex())
	}
	for _, m := range saidOnce(rd.Messages) {
		if c.barred && standsForElection(m) {
			continue // it only finds out that it has no leader
		}
		to := m.GetTo()
		if id, known := c.members[to]; known {
			out = append(out, SendRaft{To: id, Message: m})
			if m.GetType() == raftpb.MsgSnap {
				// The stream is reliable or gone; if it is gone, raft finds
				// out by probing.
				c.node.ReportSnapshot(to, raft.SnapshotFinish)
			}
		}
	}
	return c.commit(rd, 0, out)
}

// commit emits what was agreed, from one entry on. At a reform it stops until the
// ledger has said what becomes of it: raft must not go on with the old council.
func (c *Council) commit(rd raft.Ready, from int, out []CouncilEffect) []CouncilEffect {
	for i, e := range rd.CommittedEntries[from:] {
		c.applied = max(c.applied, e.GetIndex())
		switch {
		case e.GetType() == raftpb.EntryConfChangeV2:
			if command := contextOf(e); command != nil {
				c.reform, c.next = &rd, from+i+1
				return append(out, Committed{Raft: e.GetIndex(), Command: command, Reforms: true})
			}
		case e.GetType() == raftpb.EntryNormal && len(e.GetData()) > 0:
			delete(c.open, string(e.GetData()))
			out = append(out, Committed{Raft: e.GetIndex(), Command: e.GetData()})
		}
	}
	c.node.Advance(rd)
	return out
}

// reformed goes on where a reform had stopped.
func (c *Council) reformed(ev Reformed) []CouncilEffect {
	if c.reform == nil {
		return nil
	}
	rd := *c.reform
	c.reform = nil
	if ev.Accepted {
		c.confs = c.node.ApplyConfChange(ev.Reform.change())
		c.Know(ev.Seats)
	}
	return c.ready(c.commit(rd, c.next, nil))
}

// contextOf is the command in a change of the council.
func contextOf(e *raftpb.Entry) []byte {
	var cc raftpb.ConfChangeV2
	if proto.Unmarshal(e.GetData(), &cc) != nil {
		return nil
	}
	return cc.GetContext()
}

// reformMark stands in every command of that kind, and in few others.
var reformMark = []byte(`"kind":"council"`)

// reformOf reads the reform in a command; false if it is another kind's. Only a
// leader puts commands into the log, so a reform never travels as anything else.
func reformOf(command []byte) (Reform, bool) {
	cmd, err := DecodeCommand(command)
	if err != nil || cmd.Kind != KindCouncil {
		return Reform{}, false
	}
	r, err := decode[Reform](Fact{Command: cmd})
	return r, err == nil
}

// led emits a change of leader.
func (c *Council) led(out []CouncilEffect) []CouncilEffect {
	if now := c.Leader(); now != c.said {
		c.said = now
		clear(c.open) // another leader may overwrite what was not agreed
		out = append(out, now)
	}
	return out
}

func (c *Council) noted(out []CouncilEffect) []CouncilEffect {
	for _, text := range c.notes.take() {
		out = append(out, Noted{Text: text})
	}
	return out
}

// Leader is who leads now, as far as this councillor knows.
func (c *Council) Leader() Led {
	s := c.node.BasicStatus()
	l := Led{Term: s.HardState.GetTerm()}
	l.Leader = c.members[s.Lead] // nobody, if there is none
	return l
}

// Leads reports whether this councillor leads.
func (c *Council) Leads() bool { return c.Leader().Leader == c.self }

// Writing is for how long the write that is under way has been asked for, 0 if there
// is none. Until it ends this councillor applies nothing and says nothing.
func (c *Council) Writing(now time.Time) time.Duration {
	if c.writing == nil {
		return 0
	}
	return now.Sub(c.asked)
}

// Seat is the one that this council member holds.
func (c *Council) Seat() Seat { return c.seat }

// Warmth is how far the others are, as a leader knows it.
func (c *Council) Warmth() Warmth {
	w := Warmth{Agreed: c.node.BasicStatus().HardState.GetCommit(), Has: map[uint64]uint64{}}
	c.node.WithProgress(func(id uint64, _ raft.ProgressType, pr tracker.Progress) { w.Has[id] = pr.Match })
	return w
}

// Compact lets raft forget its log up to applied, whose state is ledger. The
// caller has the ledger on disk already. Keep is how many entries stay for
// councillors that lag a little.
func (c *Council) Compact(applied uint64, ledger []byte, keep uint64) (*raftpb.Snapshot, error) {
	if last, _ := c.store.LastIndex(); applied > last {
		return nil, nil // a new seat: the ledger came by the feed, and its log has not come yet
	}
	snap, err := c.store.CreateSnapshot(applied, c.confs, ledger)
	if errors.Is(err, raft.ErrSnapOutOfDate) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("council: snapshot at raft entry %d: %w", applied, err)
	}
	if applied > keep {
		if err := c.store.Compact(applied - keep); err != nil && !errors.Is(err, raft.ErrCompacted) {
			return nil, fmt.Errorf("council: compact to raft entry %d: %w", applied-keep, err)
		}
	}
	return snap, nil
}

// Wake is when the council wants to be called next.
func (c *Council) Wake() time.Time { return c.tickAt }
