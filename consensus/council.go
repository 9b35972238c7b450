// Package consensus decides what the fleet agrees on: who observes whom, when
// votes are a verdict, which members crossed the line together, and in which
// order facts stand in the ledger.
//
//   - Overlay: who observes whom, a pure function of the roster.
//   - Tally: on the council's leader, counts votes, calls the roll, finds the cut.
//   - Council: one councillor's part in raft; every message and every disk write
//     is an effect.
//   - Ledger: the fold of the committed facts, with the audit chain.
//
// None of them reads a clock, does I/O or locks anything; each has one owner.
package consensus

import (
	"fmt"
	"time"

	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"

	"moonwatch/member"
)

// CouncilConfig holds the numbers of PROTOCOL 8.
type CouncilConfig struct {
	Tick          time.Duration // of raft; a leader's heartbeat goes out every second tick
	ElectionTicks int           // an election begins after this many to twice as many ticks of silence
}

// heartbeatTicks lie between two heartbeats of an idle leader. One a tick, every
// 100 ms, made TCP headers alone 6 KB/s; five heartbeats in the shortest
// election time-out are enough for a stream that repeats what is lost.
const heartbeatTicks = 2

// DefaultCouncil is profile lan: elections after 1.0 to 1.9 s.
func DefaultCouncil() CouncilConfig {
	return CouncilConfig{Tick: 100 * time.Millisecond, ElectionTicks: 10}
}

// Council is one councillor's part in the agreement: a raft RawNode with its
// log in memory, every write to disk asked for as an effect.
//
// Raft's messages wait for the disk. So a leader whose disk stalls falls silent,
// the others elect another one, and with CheckQuorum it steps down itself:
// a stalled leader that keeps its office is the bug that other systems have.
type Council struct {
	// Admits says whether a leader may put a command into its log; nil: any.
	Admits func(command []byte) bool

	// Clock is what a leader stamps its entries with; nil: the time of the step.
	Clock func() time.Time

	cfg     CouncilConfig
	self    member.ID
	seat    Seat
	seats   Seats
	members map[uint64]member.ID // by seat, also those that were
	node    *raft.RawNode
	store   *storage
	notes   *notes

	tickAt  time.Time
	silent  time.Time       // until then no vote request is answered
	writing *raft.Ready     // handed out as Persist and not yet on disk
	asked   time.Time       // when that was
	now     time.Time       // of this step
	seq     uint64          // of the last Persist
	said    Led             // the last one emitted
	anew    bool            // began empty, and nothing of it is written yet
	reform  *raft.Ready     // whose next entry waits for Reformed
	next    int             // entry of it
	open    map[string]bool // commands that stand in this leader's own log of this term and are not agreed yet
	confs   *raftpb.ConfState
	applied uint64           // raft's index of the last entry that was emitted
	answers answers          // to heartbeats, while it leads
	rounds  []raft.ReadState // confirmed, and not yet emitted: the ledger is behind them
	called  uint64           // the term in which another leader asked this one to take over
	turn    int              // who is offered the leadership next
	barred  bool             // from leading: the clock is off
}

// Step takes one event and says what is to be done.
func (c *Council) Step(now time.Time, ev CouncilEvent) []CouncilEffect {
	c.now = now
	switch ev := ev.(type) {
	case CouncilWoken:
	case RaftReceived:
		c.receive(now, ev.Message)
	case Persisted:
		return c.persisted(ev)
	case Reformed:
		return c.reformed(ev)
	case ClockJudged:
		c.barred = !ev.Good
		c.giveUpOffice()
	case Propose:
		c.propose(ev.Command)
	case Confirm:
		c.confirm(ev.Round)
	case AskAhead:
		c.askAhead(ev.Round)
	default:
		panic(fmt.Sprintf("consensus: unknown event %T", ev))
	}
	c.tick(now)
	return c.ready(nil)
}

func (c *Council) tick(now time.Time) {
	missed := 0
	for !now.Before(c.tickAt) {
		// After a stall only one election time-out is made up for: more
		// ticks would depose a leader whose messages wait behind this call.
		if missed < c.cfg.ElectionTicks/2 {
			c.node.Tick()
		}
		missed++
		c.tickAt = c.tickAt.Add(c.cfg.Tick)
	}
}

// Wake is when the council wants to be called next.
func (c *Council) Wake() time.Time { return c.tickAt }
