// Package wire is what stands inside our sealed datagrams: probes and their
// answers, statements of votes, roll calls, and what councillors tell each
// other about them.
//
// Every datagram is
//
//	kind (1 byte) | sender (1 byte of length, name) | body
//
// and a signed one has 64 bytes of Ed25519 signature before its body. Numbers
// are unsigned varints, times are durations in whole milliseconds: no clock of
// one member means anything to another one.
//
// It promises: Decode never panics and allocates no more than a small multiple
// of MaxBody, whatever the bytes; what Encode made, Decode gives back. The two
// ends may be of different versions: a kind that is not known is
// [ErrUnknownKind], to be counted and skipped, and what follows the known
// fields of a known kind is left alone, signed all the same. So a new field
// goes to the end of a body, and anything else is a new kind.
//
// What it does not do: the seal around a datagram proves that a member of this
// cluster sent it, not which one. Only a signed message that passed [Verify]
// is its sender's word. The sender of the other kinds is what it says of
// itself, and nothing that matters may rest on it alone.
package wire

import (
	"errors"
	"fmt"

	"moonwatch/agent"
	"moonwatch/member"
)

// MaxBody is the longest datagram in bytes before it is sealed: with seal, UDP
// and IPv6 headers it fits a path of 1,448 bytes, so tunnels do not fragment it.
const MaxBody = 1371

// maxName is the longest member name in bytes.
const maxName = member.MaxNameLength

var (
	// ErrUnknownKind is a kind that only newer agents know. It is no sign of
	// trouble while an upgrade is under way.
	ErrUnknownKind = errors.New("unknown kind of datagram")

	// ErrMalformed is a datagram that no agent writes.
	ErrMalformed = errors.New("malformed datagram")

	// ErrTooLong is a message that does not fit into one datagram.
	ErrTooLong = errors.New("message too long for a datagram")
)

// kind is a datagram's first byte. The values are for ever.
type kind byte

const (
	kindProbe       kind = 1
	kindProbeAnswer kind = 2
	kindStatement   kind = 3
	kindForwarded   kind = 4
	kindAck         kind = 5
	kindRollCall    kind = 6
	kindPresence    kind = 7
	kindRenewal     kind = 8
	kindGrant       kind = 9
	kindHold        kind = 10
	kindDoorReport  kind = 11
	kindDoorFloors  kind = 12
)

func (k kind) String() string {
	switch k {
	case kindProbe:
		return "probe"
	case kindProbeAnswer:
		return "probe answer"
	case kindStatement:
		return "statement"
	case kindForwarded:
		return "forwarded statement"
	case kindAck:
		return "acknowledgement"
	case kindRollCall:
		return "roll call"
	case kindPresence:
		return "presence"
	case kindRenewal:
		return "renewal"
	case kindHold:
		return "hold"
	case kindDoorReport:
		return "door's report"
	case kindDoorFloors:
		return "door's floors"
	case kindGrant:
		return "grant"
	default:
		return fmt.Sprintf("kind %d", byte(k))
	}
}

// Message is one datagram. The set is closed.
//
//sumtype:decl
type Message interface {
	// Sender is the member that the datagram says it comes from.
	Sender() member.ID
	isMessage()
}

// Probe is one question to a subject's agent. The observer itself remembers
// when it asked: a time that came back from the subject would be the subject's
// word about its own round trip.
type Probe struct {
	From member.ID
	Seq  uint64
}

// ProbeAnswer answers the probe of the same Seq.
type ProbeAnswer struct {
	From        member.ID
	Seq         uint64
	Incarnation member.Incarnation
	Report      agent.Report
}

// Statement is an observer's signed word. Raw is the whole datagram as it
// came, to be passed on unchanged.
type Statement struct {
	agent.Statement

	Raw []byte
}

// Forwarded is another agent's statement, passed on by a councillor. The
// signature inside is the observer's own.
type Forwarded struct {
	By        member.ID
	Statement Statement
}

// Ack tells an observer that a councillor has its statement of this Seq.
type Ack struct {
	From member.ID
	Seq  uint64
}

// RollCall is a signed roll call. Whether From leads is for the receiver to
// judge.
type RollCall struct {
	From member.ID
	Call agent.RollCall

	raw []byte
}

// Presence tells which members a councillor has heard.
type Presence struct {
	From    member.ID
	Members member.Places
}

// Sender is the observer that asks.
func (m Probe) Sender() member.ID { return m.From }

// Sender is the subject that answers.
func (m ProbeAnswer) Sender() member.ID { return m.From }

// Sender is the observer whose word it is.
func (m Statement) Sender() member.ID { return m.Observer }

// Sender is the councillor that passes the statement on.
func (m Forwarded) Sender() member.ID { return m.By }

// Sender is the councillor that has the statement.
func (m Ack) Sender() member.ID { return m.From }

// Sender is the councillor that calls.
func (m RollCall) Sender() member.ID { return m.From }

// Sender is the councillor that heard.
func (m Presence) Sender() member.ID { return m.From }

func (Probe) isMessage()       {}
func (ProbeAnswer) isMessage() {}
func (Statement) isMessage()   {}
func (Forwarded) isMessage()   {}
func (Ack) isMessage()         {}
func (RollCall) isMessage()    {}
func (Presence) isMessage()    {}
