package consensus

import (
	"fmt"
	"time"

	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"

	"moonwatch/member"
)

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
		answers: newAnswers(),
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
	c.tickAt = now.Add(member.Phase(string(seat.Member), cfg.Tick))
	return c, nil
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
