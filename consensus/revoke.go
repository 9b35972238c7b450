package consensus

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"fmt"
	"slices"
	"time"
	"unicode/utf8"

	"moonwatch/member"
)

// KindRevoked withdraws a key: a member's, whose certificate is worth nothing from then
// on, or an operator's.
const KindRevoked FactKind = "revoked"

// Bounds of revocations. A key stays withdrawn for ever: a certificate that is renewed
// keeps its key. Who has to withdraw more than that needs another CA.
const (
	maxRevoked       = 2000
	maxRevokedReason = 200
)

// Revoke is the content of a revocation: one key, and whose it was.
type Revoke struct {
	Member   member.ID `json:"member,omitempty"`
	Operator string    `json:"operator,omitempty"`
	Key      []byte    `json:"key"` // Ed25519
	Reason   string    `json:"reason"`
	Force    bool      `json:"force,omitempty"` // although the council loses its quorum by it
}

// Revoked is a key that was withdrawn.
type Revoked struct {
	Member   member.ID `json:"member,omitempty"`
	Operator string    `json:"operator,omitempty"`
	Key      []byte    `json:"key"`
	Reason   string    `json:"reason"`
	By       string    `json:"by"`
	At       time.Time `json:"at"`
	Fact     uint64    `json:"fact"`
}

// Whose names the holder.
func (r Revoked) Whose() string {
	if r.Operator != "" {
		return "operator " + r.Operator
	}
	return "member " + string(r.Member)
}

// Revocations are all keys that were withdrawn, the oldest first: never changed in place.
func (l *Ledger) Revocations() []Revoked { return l.s.Revoked }

// Refuses tells the revocation of a key, if there is one.
func (l *Ledger) Refuses(key []byte) (Revoked, bool) {
	i := slices.IndexFunc(l.s.Revoked, func(r Revoked) bool { return bytes.Equal(r.Key, key) })
	if i < 0 {
		return Revoked{}, false
	}
	return l.s.Revoked[i], true
}

func (l *Ledger) checkRevoke(f Fact) error {
	if err := l.FromOperator(f.Command); err != nil {
		return err
	}
	r, err := decode[Revoke](f)
	if err != nil {
		return err
	}
	switch {
	case (r.Member == "") == (r.Operator == ""):
		return errors.New("revoke: want a member or an operator, one of them")
	case len(r.Key) != ed25519.PublicKeySize:
		return fmt.Errorf("revoke: a key of %d bytes, want %d", len(r.Key), ed25519.PublicKeySize)
	case r.Reason == "" || len(r.Reason) > maxRevokedReason || !utf8.ValidString(r.Reason):
		return fmt.Errorf("revoke: a reason of %d bytes, want 1 to %d", len(r.Reason), maxRevokedReason)
	case len(r.Member) > member.MaxNameLength || len(r.Operator) > maxRevokedReason:
		return errors.New("revoke: the name is too long")
	case len(l.s.Revoked) >= maxRevoked:
		return fmt.Errorf("revoke: %d keys are withdrawn already, and there is no room for more: make a new CA", maxRevoked)
	}
	if old, is := l.Refuses(r.Key); is {
		return fmt.Errorf("revoke: this key of %s was withdrawn in fact %d already", old.Whose(), old.Fact)
	}
	if r.Member != "" && !r.Force {
		return l.MayExpel(r.Member)
	}
	return nil
}

// MayExpel refuses to let a member go without which the council could decide nothing any
// more: not even to take it back.
func (l *Ledger) MayExpel(id member.ID) error {
	s := l.Seats()
	for _, seats := range [][]Seat{s.Voters, s.Outgoing} {
		if !slices.ContainsFunc(seats, func(x Seat) bool { return x.Member == id }) {
			continue
		}
		want, left := len(seats)/2+1, 0
		var gone []member.ID
		for _, x := range seats {
			switch {
			case x.Member == id:
			case l.lost(x.Member), l.expelled(x.Member):
				gone = append(gone, x.Member)
			default:
				left++
			}
		}
		if left < want {
			lost := "none of them is lost yet"
			if len(gone) > 0 {
				lost = fmt.Sprintf("%v cannot be counted on", gone)
			}
			return fmt.Errorf("revoke: without %s %d of %d councillors are left, and %d are wanted (%s): the council could decide nothing any more, "+
				"and no slot would fail over; wait until lost seats are swapped, add members that may sit in the council, or force it", id, left, len(seats), want, lost)
		}
	}
	return nil
}

// expelled reports that a member's key was withdrawn, and that it has not been called up
// since with another one.
func (l *Ledger) expelled(id member.ID) bool {
	return slices.ContainsFunc(l.s.Revoked, func(r Revoked) bool { return r.Member == id && l.Expels(r) })
}

// Expels reports that a revocation still stands against its member: that was not called
// up since.
func (l *Ledger) Expels(r Revoked) bool {
	return r.Member != "" && !l.s.Records[r.Member].LastUp.After(r.At)
}

func (l *Ledger) applyRevoke(f Fact) {
	r, _ := decode[Revoke](f)
	by := string(f.Command.Proposer)
	if f.Command.Warrant != nil {
		by = f.Command.Warrant.Operator
	}
	// A copy: those who were handed the list before go on reading it.
	l.s.Revoked = append(l.s.Revoked[:len(l.s.Revoked):len(l.s.Revoked)], Revoked{
		Member: r.Member, Operator: r.Operator, Key: r.Key, Reason: r.Reason, By: by, At: f.Time, Fact: f.Index,
	})
}
