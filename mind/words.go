// Package mind joins the decisions of one agent: observer, council, tally,
// ledger, conductor and executor, in one fixed way.
//
// The daemon drives a Mind with real sockets, disks and processes, the
// simulator drives the same type in virtual time. So there is one wiring, and
// the simulated one cannot differ from the shipped one.
package mind

import (
	"time"

	"go.etcd.io/raft/v3/raftpb"

	"moonwatch/agent"
	"moonwatch/consensus"
	"moonwatch/failover"
	"moonwatch/member"
)

// Event is what a Mind can be told. The set is closed.
//
//sumtype:decl
type Event interface{ isEvent() }

// Woken tells that the time of Wake has come.
type Woken struct{}

// Observed passes an observer's event on: answers to probes, ended checks, an
// acknowledgement.
type Observed struct{ Event agent.Event }

// StatementCame brings a statement whose signature was verified. Raw is the
// signed datagram, for passing it on unchanged.
type StatementCame struct {
	Statement agent.Statement
	Raw       []byte
	Forwarded bool // by another councillor: it has been acknowledged there
}

// PresenceCame names members from whom this agent has just heard anything at
// all.
type PresenceCame struct{ Members []member.ID }

// PresenceTold brings the members from whom another councillor has just heard.
type PresenceTold struct{ Members member.Places }

// RollCame brings a roll call of the member From, as its signature shows. Only
// a councillor may call the roll.
type RollCame struct {
	From member.ID
	Call agent.RollCall
}

// RaftCame brings a message of the member From, as its certificate shows. Only
// a councillor's own messages are taken.
type RaftCame struct {
	From    member.ID
	Message *raftpb.Message
}

// DiskDone tells that the Persist of this Seq is on disk.
type DiskDone struct{ Seq uint64 }

// FactsFed brings facts from the feed, in order.
type FactsFed struct{ Facts []consensus.Fact }

// RefoundingHeard brings the word that the council was founded anew. It may be anybody's:
// two operators' signatures are in it.
type RefoundingHeard struct{ Refounding consensus.Refounding }

// KindsTold brings the later kinds of facts that another agent's build knows.
type KindsTold struct {
	Member member.ID
	Kinds  []consensus.FactKind
}

// LedgerFed brings a whole ledger from the feed: this agent was too far
// behind.
type LedgerFed struct{ Snapshot []byte }

// QuorumHeard is the feed's word that the council has a quorum.
type QuorumHeard struct {
	Behind bool // whoever says so does not take its own ledger for current
	Leader member.ID
	Term   uint64
	Head   uint64 // of the ledger of whoever says so
}

// Submitted hands in somebody's command: an operator's through this agent, or
// another agent's for the council.
type Submitted struct{ Command []byte }

// HoldCame brings a hold that another agent gossips. From is who signed the
// datagram, Raw the datagram for passing it on unchanged.
type HoldCame struct {
	From    member.ID
	Command []byte
	Raw     []byte
}

// StepEnded tells how an action ended.
type StepEnded struct{ Done failover.StepDone }

// RenewalCame brings a renewal whose signature was verified. Raw is the signed
// datagram, for passing it on unchanged.
type RenewalCame struct {
	Renewal agent.Renewal
	Raw     []byte
}

// GrantCame brings a grant of the member From, as its signature shows. Only a
// councillor's counts. Raw is the signed datagram.
type GrantCame struct {
	From  member.ID
	Grant agent.Grant
	Raw   []byte
}

// EnforcerTold tells which enforcer this member has, and how long ago it was last
// seen to work. An empty Kind: none, and Detail says why.
type EnforcerTold struct {
	Kind     string
	Watchdog bool
	Age      time.Duration
	Detail   string
}

// SlotLapsed tells that the enforcer stopped a slot here, because its lease was over,
// for the Nth time under this slot epoch.
type SlotLapsed failover.Lapsed

// DoorTold tells what came of a TellDoor.
type DoorTold struct{ Answer failover.DoorAnswered }

// DoorHeard tells that a gateway on this member had a good answer from
// another member's service.
type DoorHeard struct{ Subject member.ID }

// ClockMeasured tells by how much this agent's clock is ahead of the median of
// the councillors' clocks.
type ClockMeasured struct {
	Ahead time.Duration
	// Offsets are by how much it is ahead of each of those that answered, its own among
	// them where it is a councillor's.
	Offsets []time.Duration
	// Outlived: its certificate has ended by this clock, and councillors whose have not
	// are a majority.
	// Whoever is started from now on cannot connect to it, so it is not to lead them.
	Outlived bool
	// Unknown: too few could be asked, or they differ too much, and Ahead says nothing.
	Unknown bool
}

func (ClockMeasured) isEvent() {}
func (Woken) isEvent()         {}
func (Observed) isEvent()      {}
func (StatementCame) isEvent() {}
func (PresenceCame) isEvent()  {}
func (PresenceTold) isEvent()  {}
func (RollCame) isEvent()      {}
func (RaftCame) isEvent()      {}
func (DiskDone) isEvent()      {}
func (FactsFed) isEvent()      {}
func (LedgerFed) isEvent()     {}

func (RefoundingHeard) isEvent() {}
func (KindsTold) isEvent()       {}
func (QuorumHeard) isEvent()     {}
func (Submitted) isEvent()       {}
func (StepEnded) isEvent()       {}
func (HoldCame) isEvent()        {}
func (DoorTold) isEvent()        {}
func (DoorHeard) isEvent()       {}
func (RenewalCame) isEvent()     {}
func (GrantCame) isEvent()       {}
func (EnforcerTold) isEvent()    {}
func (SlotLapsed) isEvent()      {}

// Effect is what a Mind wants done. The set is closed. Effects of one Step are
// carried out in order.
//
//sumtype:decl
type Effect interface{ isEffect() }

// SendProbes asks for one probe to each subject named.
type SendProbes struct{ Probes []agent.Probe }

// RunCheck asks for a check of a member's service at its own address.
type RunCheck struct {
	agent.RunCheck
	Checks member.Checks
	Slot   member.SlotID
	Epoch  member.SlotEpoch
}

// SendStatement asks for this agent's statement to be signed and sent.
type SendStatement struct {
	Statement agent.Statement
	To        []member.ID
}

// PassOn asks for another agent's signed statement to be sent to the leader.
type PassOn struct {
	To  member.ID
	Raw []byte
}

// Acknowledge asks for an acknowledgement of a statement.
type Acknowledge struct {
	To  member.ID
	Seq uint64
}

// TellPresence asks for those heard from to be told to the leader.
type TellPresence struct {
	To      member.ID
	Members member.Places
}

// SendRollCall asks for a roll call to be sent.
type SendRollCall struct {
	Call agent.RollCall
	To   []member.ID
}

// SendRenewal asks for a renewal of this member's lease to be stamped with the time
// of its sending, signed and sent, also to this agent itself.
type SendRenewal struct{ agent.SendRenewal }

// SendGrant asks for a grant to be signed and sent.
type SendGrant struct {
	Grant agent.Grant
	To    []member.ID
}

// PassLease asks for another agent's signed renewal or grant to be sent on.
type PassLease struct {
	To  member.ID
	Raw []byte
}

// HandLease asks for a lease to be handed to this member's enforcer, before any
// DoStep that comes after it.
type HandLease struct{ Lease agent.Lease }

// SendRaft asks for a raft message to be sent; it may be lost.
type SendRaft struct {
	To      member.ID
	Message *raftpb.Message
}

// Persist asks for a durable write of raft's state, answered by DiskDone.
type Persist struct{ consensus.Persist }

// Keep asks for facts to be written, when there is time: they can be had again
// from raft's log or from the feed.
type Keep struct{ Facts []consensus.Fact }

// KeepSnapshot asks for a whole ledger to be written; what lies before it may
// be forgotten. Raft is nil on an agent that is no councillor.
type KeepSnapshot struct {
	Head   uint64
	Ledger []byte
	Raft   *raftpb.Snapshot
	Keep   uint64 // raft entries that stay before the snapshot
	Whole  bool   // the ledger was replaced: facts before Head are missing here
}

// DoStep asks for an installed action to be run on this member.
type DoStep struct{ failover.DoStep }

// AbortStep asks for such an action to be ended; it is answered by the end of its step.
type AbortStep struct{ failover.AbortStep }

// TellDoor asks for a door of the fleet to be told how to treat a slot, answered
// by DoorTold.
type TellDoor struct{ failover.TellDoor }

// Submit asks for a command to be handed to a councillor; it may be lost.
type Submit struct {
	To      member.ID
	Command []byte
}

// SendHold asks for a hold that the council has not confirmed to be gossiped: as
// this agent's own datagram, or Raw unchanged. From is who signed that.
type SendHold struct {
	To      []member.ID
	From    member.ID
	Command []byte
	Raw     []byte
}

// Applied tells which facts are new in this agent's ledger, with their
// outcome.
type Applied struct{ Facts []consensus.Fact }

// Led tells of a change of leader, or of the loss of the council.
type Led struct {
	Leader member.ID // empty: none known
	Term   uint64
	Quorum bool
	Stuck  bool // this councillor's own disk has not written for a while: it learns nothing
}

// Feeds reports that whoever follows this agent hears what the council agrees on.
func (l Led) Feeds() bool { return l.Quorum && l.Leader != "" && !l.Stuck }

// Noted is for the log only.
type Noted struct{ Text string }

// MeasureClock asks for the councillors' clocks to be compared at once, answered by
// ClockMeasured if that succeeds.
type MeasureClock struct{}

// FeedAnew ends the feed that this agent listens to, for it has a gap: the next one
// begins behind the facts that are kept.
type FeedAnew struct{}

// Broken tells that this agent's ledger cannot be what the others have. It
// must not go on with it.
type Broken struct{ Err error }

func (SendProbes) isEffect()    {}
func (RunCheck) isEffect()      {}
func (SendStatement) isEffect() {}
func (PassOn) isEffect()        {}
func (Acknowledge) isEffect()   {}
func (TellPresence) isEffect()  {}
func (SendRollCall) isEffect()  {}
func (SendRaft) isEffect()      {}
func (SendRenewal) isEffect()   {}
func (SendGrant) isEffect()     {}
func (PassLease) isEffect()     {}
func (HandLease) isEffect()     {}
func (Persist) isEffect()       {}
func (Keep) isEffect()          {}
func (KeepSnapshot) isEffect()  {}
func (DoStep) isEffect()        {}
func (AbortStep) isEffect()     {}
func (TellDoor) isEffect()      {}
func (Submit) isEffect()        {}
func (Applied) isEffect()       {}
func (SendHold) isEffect()      {}
func (Led) isEffect()           {}
func (Noted) isEffect()         {}
func (FeedAnew) isEffect()      {}
func (MeasureClock) isEffect()  {}
func (Broken) isEffect()        {}

// Config holds the parts' numbers and a few of its own.
type Config struct {
	Self          member.ID
	Disk          string // tells this agent's disk from one that was emptied; empty: it never sits in a new seat
	Incarnation   member.Incarnation
	Agent         agent.Config
	Council       consensus.CouncilConfig
	Tally         consensus.TallyConfig
	IsolatedAfter time.Duration // without a council quorum for so long: mode isolated
	Repropose     time.Duration // a command that does not yet stand in the ledger is handed in again
	ReproposeMax  time.Duration // and again after twice the time, up to this
	SnapshotEvery uint64        // facts between two snapshots
	KeepEntries   uint64        // raft entries kept for councillors that lag a little
	ClockMax      time.Duration // a councillor whose clock is further off may not lead
	PresenceEvery time.Duration // how often a councillor tells the leader whom it heard

	SameBuild bool // all agents are of this build, as in the simulator: nobody is asked what it knows

	Folds *consensus.Folds // shared by the agents of one process; nil: this one folds alone

	Chronicle Chronicle // nil: nobody wants to know
}

// Chronicle is told how things stand after each single fact: who gets facts by the
// batch sees only how they stand after the last of them. It must not change anything.
type Chronicle interface {
	// Applied tells of a fact that the ledger has just applied, also of those that the
	// disk held.
	Applied(consensus.Fact, *consensus.Ledger, *failover.State)
	// Restored tells of a whole ledger that came in place of facts.
	Restored(*consensus.Ledger, *failover.State)
}

// Default is profile lan for self in this life.
func Default(self member.ID, life member.Incarnation) Config {
	return Config{
		Self: self, Incarnation: life,
		Agent: agent.Default(), Council: consensus.DefaultCouncil(), Tally: consensus.DefaultTally(),
		// 99.9 % of the elections of a council of three take less than 3.6 s.
		IsolatedAfter: 4 * time.Second,
		Repropose:     300 * time.Millisecond,
		ReproposeMax:  1200 * time.Millisecond,
		SnapshotEvery: 2048, KeepEntries: 1024,
		ClockMax:      2 * time.Second,
		PresenceEvery: 500 * time.Millisecond,
	}
}

// ForProfile is the same in a timing profile (PROTOCOL 10).
func ForProfile(profile string, self member.ID, life member.Incarnation) Config {
	c := Default(self, life)
	c.Agent, c.Tally, c.Council = agent.ForProfile(profile), consensus.TallyForProfile(profile), consensus.CouncilForProfile(profile)
	switch profile {
	case "cloud":
		c.PresenceEvery = time.Second
	case "wan":
		c.PresenceEvery = 2 * time.Second
		c.IsolatedAfter = 12 * time.Second // elections take three times as long
		c.Repropose, c.ReproposeMax = time.Second, 4*time.Second
	}
	return c
}

// Boot is what an agent starts with: what its disk held, or the genesis of a
// cluster that it founds.
type Boot struct {
	Snapshot []byte           // the last whole ledger on disk, nil: none
	Facts    []consensus.Fact // what follows it
	Raft     consensus.Saved
	Genesis  *consensus.Genesis // set by a founding councillor with an empty disk
	Holding  failover.Holding
	Bygone   failover.Holding // the part of it that ended with an earlier life of the machine
	Follower bool             // it has no founder's seat, even if it was a founder: its disk was emptied
}
