// Package audit looks after the audit chain beside the ledger: what an agent
// remembers of it, what people take away of it, and whether it still says what
// was agreed.
//
// Each fact's hash covers the one before, so whoever knows one head knows
// everything up to it. An agent writes each head that it has seen into a file of
// its own, beside the ledger and never in it (Memory): it stays when old facts are
// dropped and when a damaged ledger is moved away. So every agent is a witness
// against rewriting, and Verify asks them all. What a ledger says that stands is held
// against what its facts add up to.
package audit

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"
	"unicode/utf8"

	"moonwatch/consensus"
)

// Head is one link of the chain: the hash of the fact with this index.
type Head struct {
	Index uint64 `json:"index"`
	Hash  Hash   `json:"hash"`
}

// Hash is a link of the chain, written out in full.
type Hash consensus.Hash

// MarshalText writes 64 hexadecimal digits.
func (h Hash) MarshalText() ([]byte, error) { return []byte(hex.EncodeToString(h[:])), nil }

// UnmarshalText reads them.
func (h *Hash) UnmarshalText(b []byte) error {
	n, err := hex.Decode(h[:], b)
	if err != nil || n != len(h) || len(b) != 2*len(h) {
		return fmt.Errorf("hash %q: want %d hexadecimal digits", b, 2*len(h))
	}
	return nil
}

// String is its beginning, as facts are told of everywhere.
func (h Hash) String() string { return consensus.Hash(h).String() }

// Link is one fact as it stands somewhere: what the chain covers, and what came to
// light when it was read.
type Link struct {
	Index   uint64    `json:"index"`
	Raft    uint64    `json:"raft"`
	Time    time.Time `json:"time"`
	Prev    Hash      `json:"prev"`
	Hash    Hash      `json:"hash"`              // as it is written; Verify computes it anew
	Command string    `json:"command,omitempty"` // its bytes, as they were proposed
	Raw     []byte    `json:"raw,omitempty"`     // instead, where they are no text

	damage string
}

// LinkOf is a fact as it is exported.
func LinkOf(f consensus.Fact) Link {
	l := Link{Index: f.Index, Raft: f.Raft, Time: f.Time.UTC(), Prev: Hash(f.Prev), Hash: Hash(f.Hash)}
	if utf8.Valid(f.Bytes) {
		l.Command = string(f.Bytes)
	} else {
		l.Raw = f.Bytes
	}
	return l
}

// Damaged is a fact of which no more is known than that its record was altered.
func Damaged(index uint64, why string) Link { return Link{Index: index, damage: why} }

// Altered marks a fact whose record has a wrong checksum although it can be read.
func (l Link) Altered(why string) Link { l.damage = why; return l }

// unreadable reports that not even altered bytes are known.
func (l Link) unreadable() bool { return l.damage != "" && l.Command == "" && l.Raw == nil }

// fact is the link as the ledger would have it, with its hash computed anew.
func (l Link) fact() consensus.Fact {
	f := consensus.Fact{Index: l.Index, Raft: l.Raft, Time: l.Time.UTC(), Prev: consensus.Hash(l.Prev), Bytes: []byte(l.Command)}
	if l.Command == "" {
		f.Bytes = l.Raw
	}
	return f.Sealed()
}

// kind is what the fact is about, for people.
func (l Link) kind() string {
	var c struct {
		ID   string `json:"id"`
		Kind string `json:"kind"`
	}
	if json.Unmarshal([]byte(l.Command), &c) != nil || c.Kind == "" {
		return ""
	}
	return c.Kind + " " + c.ID
}
