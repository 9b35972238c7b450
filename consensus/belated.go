package consensus

import (
	"encoding/binary"
	"time"

	"go.etcd.io/raft/v3/raftpb"
)

// answers are what a leader has heard in return for its heartbeats.
type answers struct {
	last  map[uint64]time.Time // by raft id: when one was last taken
	round uint64               // the last confirmation that was asked for; an answer that carries it counts
}

// belated reports that an answer to a heartbeat tells nothing new. A councillor that
// stood still for ten seconds answers all the heartbeats of that time at one
// instant, and a leader takes each for a reason to send all that this councillor
// lacks (campaign seeds 90276 and 90393: 25 MB). One a tick will do. To raft the
// others are lost on the way, which it stands.
func (c *Council) belated(m *raftpb.Message) bool {
	if m.GetType() != raftpb.MsgHeartbeatResp || !c.Leads() {
		return false
	}
	if ctx := m.GetContext(); len(ctx) == 8 && binary.BigEndian.Uint64(ctx) == c.answers.round {
		return false
	}
	if last, ok := c.answers.last[m.GetFrom()]; ok && c.now.Sub(last) < c.cfg.Tick {
		return true
	}
	c.answers.last[m.GetFrom()] = c.now
	return false
}
