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
	"errors"
	"fmt"
	"slices"
	"time"

	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"

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
	Hard     *raftpb.HardState
	Snapshot *raftpb.Snapshot
	Entries  []*raftpb.Entry
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
	members []member.ID // by raft id - 1
	node    *raft.RawNode
	store   *raft.MemoryStorage
	notes   *notes

	tickAt  time.Time
	silent  time.Time       // until then no vote request is answered
	writing *raft.Ready     // handed out as Persist and not yet on disk
	asked   time.Time       // when that was
	now     time.Time       // of this step
	seq     uint64          // of the last Persist
	said    Led             // the last one emitted
	open    map[string]bool // commands that stand in this leader's own log of this term and are not agreed yet
	confs   *raftpb.ConfState
	applied uint64           // raft's index of the last entry that was emitted
	answers answers          // to heartbeats, while it leads
	rounds  []raft.ReadState // confirmed, and not yet emitted: the ledger is behind them
	called  uint64           // the term in which another leader asked this one to take over
	turn    int              // who is offered the leadership next
	barred  bool             // from leading: the clock is off
}

// NewCouncil makes the councillor self among founders (sorted). Applied is the
// raft index up to which its ledger stands. It refuses what raft would panic
// about; the error says which part of the saved state is wrong.
func NewCouncil(cfg CouncilConfig, self member.ID, founders []member.ID, saved Saved, applied uint64, now time.Time) (*Council, error) {
	id := slices.Index(founders, self) + 1
	if id == 0 {
		return nil, fmt.Errorf("council: %s is not one of its founders %v", self, founders)
	}
	c := &Council{cfg: cfg, self: self, members: founders, store: raft.NewMemoryStorage(), notes: &notes{}, open: map[string]bool{}, answers: answers{last: map[uint64]time.Time{}}}
	if err := c.load(saved, applied); err != nil {
		return nil, fmt.Errorf("council: saved state: %w", err)
	}
	restarted := saved.Hard != nil || len(saved.Entries) > 0
	if restarted {
		// PreVote and CheckQuorum protect a leader only from voters that
		// remember it, and a restart forgets (PROTOCOL 6).
		c.silent = now.Add(time.Duration(cfg.ElectionTicks) * cfg.Tick)
	}
	node, err := raft.NewRawNode(&raft.Config{
		ID: uint64(id), ElectionTick: cfg.ElectionTicks, HeartbeatTick: heartbeatTicks,
		Storage: c.store, Applied: applied,
		MaxSizePerMsg: 1 << 20, MaxInflightMsgs: 256, MaxUncommittedEntriesSize: 64 << 20,
		PreVote: true, CheckQuorum: true, Logger: c.notes,
	})
	if err != nil {
		return nil, fmt.Errorf("council: %w", err)
	}
	c.node, c.applied = node, applied
	c.tickAt = now.Add(phase(self, cfg.Tick))
	return c, nil
}

// load fills raft's storage from what was saved, or with the founding state
// that all founders share.
func (c *Council) load(saved Saved, applied uint64) error {
	voters := make([]uint64, len(c.members))
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
	c.confs = snap.GetMetadata().GetConfState()
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
	self := slices.Index(c.members, c.self)
	c.turn++
	to := (self + 1 + c.turn%max(1, len(c.members)-1)) % len(c.members)
	if to != self {
		c.node.TransferLeader(uint64(to + 1))
	}
}

// standsForElection reports that a message asks for a vote.
func standsForElection(m *raftpb.Message) bool {
	return m.GetType() == raftpb.MsgVote || m.GetType() == raftpb.MsgPreVote
}

func (c *Council) receive(now time.Time, m *raftpb.Message) {
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
	for c.writing == nil && c.node.HasReady() {
		rd := c.node.Ready()
		c.rounds = append(c.rounds, rd.ReadStates...)
		if raft.IsEmptyHardState(rd.HardState) && len(rd.Entries) == 0 && raft.IsEmptySnap(rd.Snapshot) {
			out = c.release(rd, out)
			continue
		}
		c.remember(rd)
		c.seq++
		c.writing, c.asked = &rd, c.now
		p := Persist{Seq: c.seq, Entries: rd.Entries, Sync: rd.MustSync || !raft.IsEmptySnap(rd.Snapshot)}
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
		if to := m.GetTo(); to >= 1 && to <= uint64(len(c.members)) {
			out = append(out, SendRaft{To: c.members[to-1], Message: m})
			if m.GetType() == raftpb.MsgSnap {
				// The stream is reliable or gone; if it is gone, raft finds
				// out by probing.
				c.node.ReportSnapshot(to, raft.SnapshotFinish)
			}
		}
	}
	for _, e := range rd.CommittedEntries {
		c.applied = max(c.applied, e.GetIndex())
		if e.GetType() == raftpb.EntryNormal && len(e.GetData()) > 0 {
			delete(c.open, string(e.GetData()))
			out = append(out, Committed{Raft: e.GetIndex(), Command: e.GetData()})
		}
	}
	c.node.Advance(rd)
	return out
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
	if s.Lead >= 1 && s.Lead <= uint64(len(c.members)) {
		l.Leader = c.members[s.Lead-1]
	}
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

// Compact lets raft forget its log up to applied, whose state is ledger. The
// caller has the ledger on disk already. Keep is how many entries stay for
// councillors that lag a little.
func (c *Council) Compact(applied uint64, ledger []byte, keep uint64) (*raftpb.Snapshot, error) {
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
