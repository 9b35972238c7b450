package consensus

import (
	"bytes"
	"time"

	"go.etcd.io/raft/v3/raftpb"
)

// answers are what a leader has heard in return for its heartbeats.
type answers struct {
	last  map[uint64]time.Time // by raft id: when one was last taken
	asked []byte               // raft's mark of the last confirmation that heartbeats carried
	told  map[uint64][]byte    // by raft id: the last such mark that was taken
}

func newAnswers() answers {
	return answers{last: map[uint64]time.Time{}, told: map[uint64][]byte{}}
}

// asks notes for which confirmation a heartbeat goes out.
func (a *answers) asks(m *raftpb.Message) {
	if mark := m.GetContext(); m.GetType() == raftpb.MsgHeartbeat && len(mark) > 0 {
		a.asked = mark
	}
}

// confirms reports that an answer is its sender's first one to the confirmation that
// is under way.
func (a *answers) confirms(m *raftpb.Message) bool {
	mark := m.GetContext()
	if len(mark) == 0 || !bytes.Equal(mark, a.asked) || bytes.Equal(mark, a.told[m.GetFrom()]) {
		return false
	}
	a.told[m.GetFrom()] = mark
	return true
}

// belated reports that an answer to a heartbeat tells nothing new. A councillor that
// stood still for ten seconds answers all the heartbeats of that time at one
// instant, and a leader takes each for a reason to send all that this councillor
// lacks (campaign seeds 90276 and 90393: 25 MB). One a tick will do, and one to each
// confirmation, for a lease waits for that. To raft the others are lost on the way,
// which it stands.
func (c *Council) belated(m *raftpb.Message) bool {
	if m.GetType() != raftpb.MsgHeartbeatResp || !c.Leads() || c.answers.confirms(m) {
		return false
	}
	if last, ok := c.answers.last[m.GetFrom()]; ok && c.now.Sub(last) < c.cfg.Tick {
		return true
	}
	c.answers.last[m.GetFrom()] = c.now
	return false
}
