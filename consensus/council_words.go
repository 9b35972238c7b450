package consensus

import (
	"go.etcd.io/raft/v3/raftpb"

	"moonwatch/member"
)

// CouncilEvent is what a Council can be told. The set is closed.
type CouncilEvent interface{ isCouncilEvent() }

// CouncilWoken tells that the time of Wake has come.
type CouncilWoken struct{}

// RaftReceived brings a message of another councillor.
type RaftReceived struct{ Message *raftpb.Message }

// Persisted tells that a Persist of this Seq is on disk.
type Persisted struct{ Seq uint64 }

// Propose hands in a command's bytes. It may be lost; whoever wants it
// committed repeats it until it stands in the ledger.
type Propose struct{ Command []byte }

// ClockJudged tells whether this councillor's clock agrees with the others', and is within
// its certificate's time. One that does not may not lead: facts carry the leader's time, and
// others have to connect to it (PROTOCOL 8).
type ClockJudged struct{ Good bool }

// Confirm asks whether this councillor still leads, as of now: a quorum is asked.
// It may come to nothing; whoever needs it asks again.
type Confirm struct{ Round uint64 }

// AskAhead asks the leader, who asks a quorum, how far the council is, as of now. Any
// councillor may, and a learner. It may come to nothing; whoever needs it asks again.
type AskAhead struct{ Round uint64 }

func (Confirm) isCouncilEvent()  {}
func (AskAhead) isCouncilEvent() {}

// Reformed answers a Committed that Reforms: whether the ledger accepted it, and
// the council that is in force after it. The council waits for it.
type Reformed struct {
	Accepted bool
	Reform   Reform
	Seats    Seats
}

func (ClockJudged) isCouncilEvent()  {}
func (Reformed) isCouncilEvent()     {}
func (CouncilWoken) isCouncilEvent() {}
func (RaftReceived) isCouncilEvent() {}
func (Persisted) isCouncilEvent()    {}
func (Propose) isCouncilEvent()      {}

// CouncilEffect is what a Council wants done. The set is closed. Effects are
// carried out in order.
type CouncilEffect interface{ isCouncilEffect() }

// Persist asks for a durable write, answered by Persisted. Nothing that
// depends on it is emitted before the answer. Sync tells whether the disk must
// be flushed for it.
type Persist struct {
	Seq      uint64
	Seat     uint64            // whose raft this is: what is stored of another seat goes
	Anew     bool              // the first of a seat that begins empty: what is stored of raft goes
	Hard     *raftpb.HardState // nil: unchanged
	Entries  []*raftpb.Entry   // replace what is stored from the first one's index on
	Snapshot *raftpb.Snapshot  // nil: none; replaces the log
	Sync     bool
}

// SendRaft asks for a message to be sent to another councillor; it may be
// lost.
type SendRaft struct {
	To      member.ID
	Message *raftpb.Message
}

// Committed brings an agreed entry, in order: a command with its leader's stamp.
type Committed struct {
	Raft    uint64
	Entry   []byte
	Reforms bool // the council: it is answered by Reformed before anything else
}

// Installed brings a whole ledger: this councillor was too far behind.
type Installed struct{ Ledger []byte }

// Led tells of a change of leader. Leader is empty while there is none.
type Led struct {
	Leader member.ID
	Term   uint64
}

// Confirmed answers Confirm: when it was asked this councillor led, and everything
// that was agreed by then has been emitted as Committed.
type Confirmed struct{ Round uint64 }

// CameUp answers AskAhead: everything that was agreed when it was asked has been emitted.
type CameUp struct{ Round uint64 }

// Noted is what raft had to say; it is for the log only.
type Noted struct{ Text string }

func (Persist) isCouncilEffect()   {}
func (SendRaft) isCouncilEffect()  {}
func (Committed) isCouncilEffect() {}
func (Installed) isCouncilEffect() {}
func (Led) isCouncilEffect()       {}
func (Confirmed) isCouncilEffect() {}
func (CameUp) isCouncilEffect()    {}
func (Noted) isCouncilEffect()     {}
