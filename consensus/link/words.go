package link

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"moonwatch/member"
)

// Handler is the agent behind the link. All its methods are called from many
// goroutines at once.
type Handler interface {
	// Raft takes one frame, which is the handler's to keep. It must not block.
	Raft(from member.ID, frame []byte)
	// Submit takes a command. It may wait for its commit until ctx ends. What
	// it returns as an error is told to the member that submitted.
	Submit(ctx context.Context, from member.ID, command []byte) error
	// Hello says who we are. Cluster id and name are filled in by the link.
	Hello() Hello
	// Feed is the agent's copy of the ledger.
	Feed() FeedSource
}

// FeedSource is the read side of the agent's copy of the ledger. It is safe for
// concurrent use and none of its methods waits.
type FeedSource interface {
	// Facts returns the facts from, from+1, ... as far as there are any: about
	// maxBytes of them, and at least one, however large. None and true: from is
	// not written yet. False: from is no longer kept; a follower needs the
	// Snapshot.
	Facts(from uint64, maxBytes int) (facts [][]byte, ok bool)
	// Snapshot is the whole ledger up to and including the fact head, at most
	// MaxFrame bytes.
	Snapshot() (snapshot []byte, head uint64, err error)
	Status() Status
	// Changed is closed when the head moves. It has to be fetched anew then.
	Changed() <-chan struct{}
}

// Status is how far the sender's ledger reaches and what it knows of the
// council.
type Status struct {
	Head   uint64        `json:"head"`           // index of its last fact, 0 for an empty ledger
	Hash   []byte        `json:"hash,omitempty"` // of the audit chain at Head
	Leader member.ID     `json:"leader,omitempty"`
	Term   uint64        `json:"term,omitempty"`
	Quorum bool          `json:"quorum,omitempty"` // the council had its quorum when the sender last heard of it
	Age    time.Duration `json:"age_ns"`           // how long ago that was

	// Behind says that the sender does not take its own ledger for current: it came back,
	// and has not heard of everything since. Builds of before do not say so.
	Behind bool `json:"behind,omitempty"`

	Refounded uint64 `json:"refounded,omitempty"` // how often its council was founded anew
}

// Batch is one message of a feed. One without snapshot and facts is a
// heartbeat.
type Batch struct {
	Status   Status
	Snapshot []byte   // not nil: forget everything, this is the ledger up to From-1
	From     uint64   // index of Facts[0], or of the fact that comes next
	Facts    [][]byte // in order and without a gap; their bytes are the receiver's
}

// Hello is what an agent tells to everybody with a certificate of the cluster,
// in the roster or not.
type Hello struct {
	Name        member.ID          `json:"name"`
	ClusterID   string             `json:"cluster_id"`
	StartedAt   time.Time          `json:"started_at"`
	Incarnation member.Incarnation `json:"incarnation"`
	Address     string             `json:"address"` // where the others are told to reach it
	HasLedger   bool               `json:"has_ledger"`
	Head        uint64             `json:"head"`
	Version     string             `json:"version"`

	// Ends is when the sender's certificate does: read there, and not its word.
	Ends time.Time `json:"-"`

	// Now is the sender's clock when it answered.
	Now time.Time `json:"now,omitzero"`

	// Nonce tells this disk from one that was emptied in between; Founded are
	// the nonces that a founding councillor saw when it founded.
	Nonce   string               `json:"nonce,omitempty"`
	Founded map[member.ID]string `json:"founded,omitempty"`

	// Kinds are the later kinds of facts that the sender's build knows.
	Kinds []string `json:"kinds,omitempty"`

	// Refounding is the last one of the sender's ledger, for those of an older
	// council: it proves itself.
	Refounding json.RawMessage `json:"refounding,omitempty"`
}

// What can go wrong, as far as a caller decides by it.
var (
	ErrClosed        = errors.New("link is closed")
	ErrUnknownMember = errors.New("address not known")
	ErrOtherMember   = errors.New("another member answers there")
	ErrRefusedUs     = errors.New("it refused our certificate: expired by its clock, of another cluster or of another CA; its log says which")
	ErrGate          = errors.New("cut off by the gate")
	ErrTooLarge      = errors.New("too large")
	ErrFollowersFull = errors.New("it feeds as many followers as it may")
	ErrSilent        = errors.New("nothing heard")
	ErrDisplaced     = errors.New("the same member came again")
)
