package consensus

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"go.etcd.io/raft/v3/raftpb"
)

func TestADiskThatWorksAgainIsToldOfOnce(t *testing.T) {
	c := newChamber(t, "a", "b", "c")
	leader := c.elect(6 * time.Second)
	lame := c.names[(slices.Index(c.names, leader)+1)%3]
	c.seats[lame].stalled = true
	for i := range 20 {
		c.step(leader, Propose{Command: fmt.Appendf(nil, "command %d", i)})
		c.run(time.Second)
	}
	said := map[raftpb.MessageType]int{}
	var done []CouncilEvent // its writes that end now, one after the other
	for _, w := range c.waiting {
		if _, ok := w.ev.(Persisted); ok && w.to == lame {
			done = append(done, w.ev)
		}
	}
	for ; len(done) > 0; done = done[1:] {
		for _, e := range c.seats[lame].council.Step(c.now, done[0]) {
			switch e := e.(type) {
			case Persist:
				c.seats[lame].persist(e)
				done = append(done, Persisted{Seq: e.Seq})
			case SendRaft:
				said[e.Message.GetType()]++
			}
		}
	}
	if n := said[raftpb.MsgHeartbeatResp]; n != 1 {
		t.Errorf("%d answers to heartbeats at one instant, for each of which the leader sends all that is missing", n)
	}
}
