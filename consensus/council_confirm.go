package consensus

import (
	"encoding/binary"
	"slices"
	"time"

	"go.etcd.io/raft/v3"
)

// confirm asks raft for a read index: a quorum answers a heartbeat that goes out
// now. A leader that was deposed and does not know it yet gets no answer.
func (c *Council) confirm(round uint64) {
	if !c.Leads() || c.transferring() {
		return
	}
	c.node.ReadIndex(binary.BigEndian.AppendUint64(nil, round))
}

// confirmed emits the confirmations up to which the ledger has come.
func (c *Council) confirmed(out []CouncilEffect) []CouncilEffect {
	if len(c.rounds) == 0 {
		return out
	}
	if !c.Leads() || c.transferring() {
		c.rounds = nil // of an office that is over, or about to be
		return out
	}
	c.rounds = slices.DeleteFunc(c.rounds, func(r raft.ReadState) bool {
		if r.Index > c.applied || len(r.RequestCtx) != 8 {
			return false
		}
		out = append(out, Confirmed{Round: binary.BigEndian.Uint64(r.RequestCtx)})
		return true
	})
	return out
}

// transferring reports that this leader has asked another councillor to take over.
func (c *Council) transferring() bool { return c.node.BasicStatus().LeadTransferee != raft.None }

// Quiet is how long before now, at least, this leader's predecessors were last
// confirmed in office. No voter votes within one election time-out of hearing a
// leader, but for one: whom a leader itself asks to take over is voted for at once.
// Raft counts whole ticks, so the time-out is one tick shorter than it says.
func (c *Council) Quiet() time.Duration {
	if l := c.Leader(); c.called != 0 && l.Term == c.called+1 {
		return 0
	}
	return time.Duration(c.cfg.ElectionTicks-1) * c.cfg.Tick
}
