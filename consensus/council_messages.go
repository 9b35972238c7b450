package consensus

import (
	"bytes"
	"slices"
	"time"

	"go.etcd.io/raft/v3/raftpb"
	"go.etcd.io/raft/v3/tracker"
)

// standsForElection reports that a message asks for a vote.
func standsForElection(m *raftpb.Message) bool {
	return m.GetType() == raftpb.MsgVote || m.GetType() == raftpb.MsgPreVote
}

func (c *Council) receive(now time.Time, m *raftpb.Message) {
	if m.GetTo() != c.seat.ID {
		return // it is for a seat that this member had, or is about to have
	}
	if standsForElection(m) && now.Before(c.silent) || c.barred && m.GetType() == raftpb.MsgTimeoutNow {
		return
	}
	if c.belated(m) {
		return
	}
	if m.GetType() == raftpb.MsgProp && c.Leads() {
		for _, e := range m.GetEntries() {
			c.propose(e.GetData())
		}
		return
	}
	if m.GetType() == raftpb.MsgTimeoutNow && m.GetTerm() == c.Leader().Term {
		c.called = m.GetTerm()
	}
	// An error means that the message is not for us or comes from a stranger.
	_ = c.node.Step(m)
}

// propose hands a command to raft; another councillor's raft hands it on to the
// leader. Whoever wants it repeats it until it is agreed, and a leader that cannot
// agree for a while, for its disk is slow, would fill its log with the repeats: what
// stands in it already comes to nothing but an end of the term. The leader stamps it,
// also what somebody had stamped who has lost the office since.
func (c *Council) propose(entry []byte) {
	command, _ := Unstamped(entry)
	leads := c.Leads()
	if leads && (bytes.Contains(command, refoundMark) || c.Admits != nil && !c.Admits(command)) {
		return // a refounding is written when no council is left, and never agreed on
	}
	if leads && c.open[string(command)] {
		return
	}
	if leads && bytes.Contains(command, reformMark) {
		if r, ok := reformOf(command); ok {
			cc := r.change()
			cc.Context = c.stamped(command)
			// Raft refuses a change before the last one has ended, and says so by an
			// empty entry: it is proposed again.
			_ = c.node.ProposeConfChange(cc)
			return
		}
	}
	// A dropped proposal is repeated by whoever wants it.
	if !leads {
		_ = c.node.Propose(command)
	} else if err := c.node.Propose(c.stamped(command)); err == nil {
		c.open[string(command)] = true
	}
}

func (c *Council) stamped(command []byte) []byte {
	at := c.now
	if c.Clock != nil {
		at = c.Clock()
	}
	return Stamped(command, at)
}

// giveUpOffice hands the leadership to the next councillor on the list that is not this
// one, of those that follow as far as raft knows. If that one does not take it, raft
// stays with us, and the next judgement tries another.
func (c *Council) giveUpOffice() {
	if !c.barred || !c.Leads() {
		return
	}
	others := slices.DeleteFunc(c.after(c.seat.ID), func(s Seat) bool { return s.ID == c.seat.ID })
	progress := c.node.Status().Progress
	follows := func(s Seat) bool { // who was heard is forgotten once in an election time-out; who follows is not
		p := progress[s.ID]
		return p.RecentActive || p.State == tracker.StateReplicate
	}
	if slices.ContainsFunc(others, follows) { // a leader who has just begun knows of nobody yet
		others = slices.DeleteFunc(others, func(s Seat) bool { return !follows(s) })
	}
	if n := len(others); n > 0 {
		c.turn++
		c.node.TransferLeader(others[c.turn%n].ID)
	}
}

// after are the voters in the order of the list, begun behind a seat.
func (c *Council) after(id uint64) []Seat {
	next := seatAt(c.seats.Voters, id) + 1
	return slices.Concat(c.seats.Voters[next:], c.seats.Voters[:next])
}
