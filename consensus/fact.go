package consensus

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"moonwatch/member"
)

// FactKind says what a fact is about and which package applies it.
type FactKind string

// The kinds that the Ledger applies itself.
const (
	KindGenesis FactKind = "genesis" // the cluster's name, its operators' root key, the first council
	KindFleet   FactKind = "fleet"   // a new fleet.yaml
	KindVerdict FactKind = "verdict"
)

// The kinds of the shield's facts. Package mind folds them: shield decides what stands,
// and knows of no ledger.
const (
	KindThrottle FactKind = "throttle"     // the doors have voted for a rung, or take it back
	KindPin      FactKind = "shield-pin"   // people set a rung
	KindUnpin    FactKind = "shield-unpin" // and give it back to the votes
)

// FormatVersion is the version of the envelope. A fact of a higher one is kept
// and passed on, and this agent stops deciding.
const FormatVersion = 1

// MaxCommand bounds one command: the feed of facts must not be blocked by one
// of them (PROTOCOL 8).
const MaxCommand = 64 << 10

// Command is what somebody proposes. Its bytes travel unchanged through raft, behind
// the leader's stamp, into the fact; repeating one with the same ID is harmless.
type Command struct {
	Format   int             `json:"v"`
	ID       string          `json:"id"`
	Kind     FactKind        `json:"kind"`
	Proposer member.ID       `json:"by"`
	Time     time.Time       `json:"time"` // the proposer's word; a fact's time is its leader's
	Payload  json.RawMessage `json:"payload"`
	Warrant  *Warrant        `json:"warrant,omitempty"` // of an operator, for what only people may do
}

// NewCommand puts a payload into an envelope.
func NewCommand(kind FactKind, id string, by member.ID, now time.Time, payload any) (Command, error) {
	b, err := json.Marshal(payload)
	if err != nil {
		return Command{}, fmt.Errorf("command %s: %w", id, err)
	}
	return Command{Format: FormatVersion, ID: id, Kind: kind, Proposer: by, Time: now.UTC(), Payload: b}, nil
}

// Encode gives the command's bytes. They are made once, by the proposer.
func (c Command) Encode() ([]byte, error) {
	b, err := json.Marshal(c)
	if err != nil {
		return nil, fmt.Errorf("command %s: %w", c.ID, err)
	}
	if len(b) > MaxCommand {
		return nil, fmt.Errorf("command %s: %d bytes, want at most %d", c.ID, len(b), MaxCommand)
	}
	return b, nil
}

// DecodeCommand reads a command. Fields that it does not know are left alone:
// a newer agent may have written them.
func DecodeCommand(b []byte) (Command, error) {
	var c Command
	if err := json.Unmarshal(b, &c); err != nil {
		return Command{}, fmt.Errorf("command of %d bytes: %w", len(b), err)
	}
	if c.ID == "" || c.Kind == "" {
		return Command{}, errors.New("command without id or kind")
	}
	return c, nil
}

// Hash is a link of the audit chain.
type Hash [sha256.Size]byte

func (h Hash) String() string { return hex.EncodeToString(h[:8]) }

// Fact is one committed entry of the ledger. Accepted and Reason follow from
// applying it and are the same for everybody; a refusal is a fact too.
type Fact struct {
	Index    uint64    // in the ledger, from 1 without gaps
	Raft     uint64    // index of the raft entry that carried it
	Time     time.Time // the leader's stamp: when it put the command into its log
	Prev     Hash
	Bytes    []byte // the command, as proposed
	Command  Command
	Hash     Hash
	Accepted bool
	Reason   string // why it was refused
}

// saidWithin is how long before the leader's stamp a proposer's word is believed: a
// command may have waited so long for a council.
const saidWithin = 10 * time.Minute

// Said is when whoever proposed the fact said what it says, and it may have been found
// out for the last time: by its own clock, unless that cannot be right.
func (f Fact) Said() time.Time {
	if at := f.Command.Time.UTC(); at.Before(f.Time) && f.Time.Sub(at) <= saidWithin {
		return at
	}
	return f.Time
}

// seal computes the fact's link of the chain from everything that is agreed.
func (f *Fact) seal() {
	h := sha256.New()
	h.Write(f.Prev[:])
	var n [24]byte
	binary.BigEndian.PutUint64(n[0:], f.Index)
	binary.BigEndian.PutUint64(n[8:], f.Raft)
	binary.BigEndian.PutUint64(n[16:], uint64(f.Time.UnixNano()))
	h.Write(n[:])
	h.Write(f.Bytes)
	h.Sum(f.Hash[:0])
}

// Sealed is the fact with its link of the chain computed anew from all that the
// chain covers.
func (f Fact) Sealed() Fact {
	f.seal()
	return f
}

// factHeader is magic, index, raft index, time and the previous hash.
const factHeader = 2 + 3*8 + sha256.Size

// Encode gives the fact's bytes for the feed and the disk. The outcome is not
// among them: whoever reads it applies it again.
func (f Fact) Encode() []byte {
	b := make([]byte, 0, factHeader+len(f.Bytes))
	b = append(b, 'F', FormatVersion)
	b = binary.BigEndian.AppendUint64(b, f.Index)
	b = binary.BigEndian.AppendUint64(b, f.Raft)
	b = binary.BigEndian.AppendUint64(b, uint64(f.Time.UnixNano()))
	b = append(b, f.Prev[:]...)
	return append(b, f.Bytes...)
}

// DecodeFact reads a fact and computes its hash. Whether it follows the one
// before is for the Ledger to say.
func DecodeFact(b []byte) (Fact, error) {
	if len(b) < factHeader || b[0] != 'F' {
		return Fact{}, fmt.Errorf("fact: %d bytes that are no fact", len(b))
	}
	if b[1] != FormatVersion {
		return Fact{}, fmt.Errorf("fact: format %d, this agent reads %d", b[1], FormatVersion)
	}
	f := Fact{
		Index: binary.BigEndian.Uint64(b[2:]),
		Raft:  binary.BigEndian.Uint64(b[10:]),
		Time:  time.Unix(0, int64(binary.BigEndian.Uint64(b[18:]))).UTC(),
		Bytes: append([]byte(nil), b[factHeader:]...),
	}
	copy(f.Prev[:], b[26:])
	c, err := DecodeCommand(f.Bytes)
	if err != nil {
		return Fact{}, fmt.Errorf("fact %d: %w", f.Index, err)
	}
	f.Command = c
	f.seal()
	return f, nil
}
