package consensus

import (
	"slices"
	"testing"
	"time"

	"moonwatch/member"
)

// A councillor that was away has, when its question is answered, what was agreed
// meanwhile; and whoever asks disturbs no question of the leader's.
func TestWhoAsksAheadHasWhatWasAgreedBefore(t *testing.T) {
	c := newChamber(t, "a", "b", "c")
	leader := c.elect(5 * time.Second)
	who := c.names[slices.IndexFunc(c.names, func(id member.ID) bool { return id != leader })]
	s := c.seats[who]
	s.away = true
	c.step(leader, Propose{Command: []byte("one")})
	c.run(500 * time.Millisecond)
	c.step(who, AskAhead{Round: 6})
	c.run(500 * time.Millisecond)
	if s.cameUp != 0 || slices.Contains(s.commands, "one") {
		t.Fatalf("it is away, and has %q", s.commands)
	}
	s.away = false
	c.step(leader, Propose{Command: []byte("two")})
	for range 5 { // one may be lost: its raft looks for a leader after it was away
		c.step(who, AskAhead{Round: 7})
		c.step(leader, Confirm{Round: 7})
		c.run(300 * time.Millisecond)
	}
	at := slices.Index(s.commands, "came up")
	if s.cameUp != 7 || at < 0 || !slices.Contains(s.commands[:at], "one") {
		t.Errorf("it came up to question %d, after %q", s.cameUp, s.commands)
	}
	if l := c.leader(); c.seats[l].confirmed != 7 {
		t.Errorf("question %d of the leader was confirmed, want 7", c.seats[l].confirmed)
	}
	// Nobody leads: nobody answers.
	for _, id := range c.names {
		c.seats[id].away = id != who
	}
	s.cameUp = 0
	c.run(5 * time.Second)
	c.step(who, AskAhead{Round: 8})
	c.run(5 * time.Second)
	if s.cameUp != 0 {
		t.Error("it is alone, and its question was answered")
	}
}
