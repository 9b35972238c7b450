package status

import (
	"encoding/base64"
	"fmt"
	"time"

	"moonwatch/consensus"
	"moonwatch/member"
)

// Cert is the certificate with which this agent has met a member last.
type Cert struct {
	Key     string    `json:"key"` // Ed25519, standard base64
	Until   time.Time `json:"until"`
	Revoked uint64    `json:"revoked,omitempty"` // the fact that withdrew its key
}

// Withdrawn is a key that people have withdrawn, for ever.
type Withdrawn struct {
	Member   member.ID `json:"member,omitempty"`
	Operator string    `json:"operator,omitempty"`
	Key      string    `json:"key"`
	Reason   string    `json:"reason"`
	By       string    `json:"by"`
	At       time.Time `json:"at"`
	Fact     uint64    `json:"fact"`
}

// Whose names the holder.
func (w Withdrawn) Whose() string {
	if w.Operator != "" {
		return "operator " + w.Operator
	}
	return "member " + string(w.Member)
}

// withdrawn lists the keys, the last one first.
func withdrawn(l *consensus.Ledger) []Withdrawn {
	list := l.Revocations()
	out := make([]Withdrawn, 0, len(list))
	for i := len(list) - 1; i >= 0; i-- {
		x := list[i]
		out = append(out, Withdrawn{
			Member: x.Member, Operator: x.Operator, Key: base64.StdEncoding.EncodeToString(x.Key),
			Reason: oneLine(x.Reason), By: x.By, At: x.At.UTC(), Fact: x.Fact,
		})
	}
	return out
}

// certOf is what this agent knows of a member's certificate.
func certOf(l *consensus.Ledger, s Seen) *Cert {
	if len(s.Key) == 0 {
		return nil
	}
	c := &Cert{Key: base64.StdEncoding.EncodeToString(s.Key), Until: s.Ends.UTC()}
	if r, is := l.Refuses(s.Key); is {
		c.Revoked = r.Fact
	}
	return c
}

// expulsion says that nothing is taken from a member; empty: that is not so. Who was met
// with another key since is as good as any.
func expulsion(l *consensus.Ledger, id member.ID, c *Cert) string {
	if c != nil && c.Revoked == 0 {
		return ""
	}
	for _, r := range l.Revocations() {
		if r.Member == id {
			return fmt.Sprintf("its certificate was withdrawn in fact %d by %s: %s", r.Fact, r.By, oneLine(r.Reason))
		}
	}
	return ""
}
