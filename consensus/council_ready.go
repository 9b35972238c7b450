package consensus

import (
	"errors"
	"fmt"

	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"
)

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
		c.answers.asks(m)
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
			if entry := contextOf(e); entry != nil {
				c.reform, c.next = &rd, from+i+1
				return append(out, Committed{Raft: e.GetIndex(), Entry: entry, Reforms: true})
			}
		case e.GetType() == raftpb.EntryNormal && len(e.GetData()) > 0:
			command, _ := Unstamped(e.GetData())
			delete(c.open, string(command))
			out = append(out, Committed{Raft: e.GetIndex(), Entry: e.GetData()})
		}
	}
	c.node.Advance(rd)
	return out
}
