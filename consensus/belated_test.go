package consensus

import (
	"slices"
	"testing"
	"time"

	"go.etcd.io/raft/v3/raftpb"
)

func TestWhoStoodStillIsSentOnceWhatItLacks(t *testing.T) {
	c := newChamber(t, "a", "b", "c")
	leader := c.elect(6 * time.Second)
	late := c.names[(slices.Index(c.names, leader)+1)%3]
	c.seats[late].away = true
	c.run(time.Second)
	c.step(leader, Propose{Command: []byte("what it lacks")})
	c.run(time.Second)
	answer := raftpb.MsgHeartbeatResp
	from, to, term := uint64(slices.Index(c.names, late)+1), uint64(slices.Index(c.names, leader)+1), c.seats[leader].council.Leader().Term
	sent := 0
	for range 300 {
		m := &raftpb.Message{Type: &answer, From: &from, To: &to, Term: &term}
		for _, e := range c.seats[leader].council.Step(c.now, RaftReceived{Message: m}) {
			if s, ok := e.(SendRaft); ok && s.To == late && s.Message.GetType() == raftpb.MsgApp {
				sent++
			}
		}
	}
	if sent != 1 {
		t.Errorf("it was sent %d times what it lacks", sent)
	}
}
