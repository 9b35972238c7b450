package consensus

import (
	"slices"
	"testing"
	"time"

	"go.etcd.io/raft/v3/raftpb"

	"moonwatch/member"
)

func TestWhoStoodStillIsSentOnceWhatItLacks(t *testing.T) {
	for name, asked := range map[string]bool{"by heartbeats": false, "by heartbeats that ask for a confirmation": true} {
		t.Run(name, func(t *testing.T) {
			c := newChamber(t, "a", "b", "c")
			leader := c.elect(6 * time.Second)
			late := c.names[(slices.Index(c.names, leader)+1)%3]
			c.seats[late].away = true
			c.run(time.Second)
			c.step(leader, Propose{Command: []byte("what it lacks")})
			c.run(time.Second)
			var mark []byte
			if asked {
				mark = c.mark(leader)
			}
			answer := raftpb.MsgHeartbeatResp
			from, to, term := uint64(slices.Index(c.names, late)+1), uint64(slices.Index(c.names, leader)+1), c.seats[leader].council.Leader().Term
			sent := 0
			for range 300 {
				m := &raftpb.Message{Type: &answer, From: &from, To: &to, Term: &term, Context: mark}
				for _, e := range c.seats[leader].council.Step(c.now, RaftReceived{Message: m}) {
					if s, ok := e.(SendRaft); ok && s.To == late && s.Message.GetType() == raftpb.MsgApp {
						sent++
					}
				}
			}
			most := 1
			if asked {
				most = 2 // and its answer to the confirmation
			}
			if sent < 1 || sent > most {
				t.Errorf("it was sent %d times what it lacks, want 1 to %d", sent, most)
			}
		})
	}
}

// mark asks the leader for a confirmation, and is how raft marks the heartbeats that
// go out for it.
func (c *chamber) mark(leader member.ID) []byte {
	c.t.Helper()
	for _, e := range c.seats[leader].council.Step(c.now, Confirm{Round: 7}) {
		if s, ok := e.(SendRaft); ok && len(s.Message.GetContext()) > 0 {
			return s.Message.GetContext()
		}
	}
	c.t.Fatal("no heartbeat asks for the confirmation")
	return nil
}

// A lease waits for a confirmation, which may not wait for the next heartbeat,
// whatever the moment at which it is asked for.
func TestAConfirmationTakesOneRoundTrip(t *testing.T) {
	c := newChamber(t, "a", "b", "c", "d", "e")
	leader := c.elect(6 * time.Second)
	for round := range uint64(40) {
		asked := c.now
		c.step(leader, Confirm{Round: round + 1})
		for c.seats[leader].confirmed != round+1 && c.now.Sub(asked) < time.Second {
			c.run(time.Millisecond)
		}
		if took := c.now.Sub(asked); took > 5*time.Millisecond {
			t.Fatalf("round %d: confirmed %v after it was asked for, want a round trip of 2 ms", round+1, took)
		}
		c.run(17 * time.Millisecond)
	}
}
