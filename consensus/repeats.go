package consensus

import (
	"go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/proto"
)

// saidOnce takes out of what raft wants to send the answers that say the same as
// a later one to the same councillor.
//
// A councillor whose disk stands still goes on hearing heartbeats, and its answers
// wait for the disk. When it writes again they would all go out at one instant,
// and to each the leader would answer with all that this councillor lacks: after
// a disk had been full for two minutes, 350 times 78 KB.
func saidOnce(out []*raftpb.Message) []*raftpb.Message {
	if len(out) < 2 {
		return out
	}
	kept := make([]*raftpb.Message, 0, len(out))
	for i, m := range out {
		if !saidAgain(m, out[i+1:]) {
			kept = append(kept, m)
		}
	}
	return kept
}

func saidAgain(m *raftpb.Message, later []*raftpb.Message) bool {
	if t := m.GetType(); t != raftpb.MsgHeartbeatResp && t != raftpb.MsgAppResp {
		return false
	}
	for _, x := range later {
		if x.GetType() == m.GetType() && x.GetTo() == m.GetTo() && proto.Equal(x, m) {
			return true
		}
	}
	return false
}
