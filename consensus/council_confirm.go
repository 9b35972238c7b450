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

// askAhead asks raft for a read index too, by way of the leader if this is another. Raft
// tells questions apart by their bytes: the seat is what no other councillor's begins with.
func (c *Council) askAhead(round uint64) {
	c.node.ReadIndex(binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(nil, c.seat.ID), round))
}

// confirmed emits the answers up to which the ledger has come.
func (c *Council) confirmed(out []CouncilEffect) []CouncilEffect {
	if len(c.rounds) == 0 {
		return out
	}
	office := c.Leads() && !c.transferring()
	c.rounds = slices.DeleteFunc(c.rounds, func(r raft.ReadState) bool {
		own := len(r.RequestCtx) == 8
		switch {
		case own && !office:
			return true // of an office that is over, or about to be
		case r.Index > c.applied:
			return false
		case own:
			out = append(out, Confirmed{Round: binary.BigEndian.Uint64(r.RequestCtx)})
		default:
			out = append(out, CameUp{Round: binary.BigEndian.Uint64(r.RequestCtx[8:])})
		}
		return true
	})
	return out
}

// transferring reports that this leader has asked another councillor to take over.
func (c *Council) transferring() bool { return c.node.BasicStatus().LeadTransferee != raft.None }

// Quiet is how long before now, at least, this leader's predecessors were last
// confirmed in office. No voter votes within one election time-out of hearing a
// leader, but for one: whom a leader itself asks to take over is voted for at once.
// The voters' profiles may be others than one's own: the shortest time-out counts.
func (c *Council) Quiet() time.Duration {
	if l := c.Leader(); c.called != 0 && l.Term == c.called+1 {
		return 0
	}
	return min(c.cfg.timeOut(), DefaultCouncil().timeOut())
}
