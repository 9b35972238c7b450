package wire

import (
	"crypto/ed25519"
	"encoding/binary"
	"fmt"
	"math"
	"time"

	"moonwatch/agent"
	"moonwatch/member"
)

// The body of a renewal is
//
//	life | seq | slot | slot epoch | sent (nanoseconds) | flags (1 byte)
//
// and that of a grant
//
//	holder | life | seq | slot | slot epoch | sent (nanoseconds) | length | renew
//	| stop | within | watchdog | round trip
//
// Both are signed. Sent is the one time here that is finer than a millisecond and
// means a clock: the holder's own, which gets it back.

const flagWide = 1

// Renewal is an occupant's signed request that its lease begin anew. Raw is the
// whole datagram as it came, to be passed on unchanged.
type Renewal struct {
	agent.Renewal

	Raw []byte
}

// Grant is a leader's signed answer to a renewal. Whether From leads it has asked
// the council; that it is a councillor is for the receiver to judge.
type Grant struct {
	From  member.ID
	Grant agent.Grant
	Raw   []byte
}

// Sender is the occupant whose lease it is.
func (m Renewal) Sender() member.ID { return m.Holder }

// Sender is the councillor that grants.
func (m Grant) Sender() member.ID { return m.From }

func (Renewal) isMessage() {}
func (Grant) isMessage()   {}

func (m Renewal) signed() []byte { return m.Raw }
func (m Grant) signed() []byte   { return m.Raw }

// EncodeRenewal gives the signed datagram of this agent's renewal; it refuses that
// of another one, which is passed on as it came.
func (s *Signer) EncodeRenewal(r agent.Renewal) ([]byte, error) {
	if r.Holder != s.id {
		return nil, fmt.Errorf("renewal of %s: %s signs its own renewals only", r.Holder, s.id)
	}
	if err := checkSlot(r.Slot); err != nil {
		return nil, fmt.Errorf("renewal of %s: %w", r.Holder, err)
	}
	b, err := s.begin(kindRenewal)
	if err != nil {
		return nil, err
	}
	b = appendTenure(b, r)
	flags := byte(0)
	if r.Wide {
		flags |= flagWide
	}
	return s.finish(append(b, flags)), nil
}

// EncodeGrant gives the signed datagram of a grant by this agent.
func (s *Signer) EncodeGrant(g agent.Grant) ([]byte, error) {
	r := g.Renewal
	if err := checkName(r.Holder); err != nil {
		return nil, fmt.Errorf("grant: holder: %w", err)
	}
	if err := checkSlot(r.Slot); err != nil {
		return nil, fmt.Errorf("grant to %s: %w", r.Holder, err)
	}
	b, err := s.begin(kindGrant)
	if err != nil {
		return nil, err
	}
	b = appendTenure(appendName(b, r.Holder), r)
	for _, d := range terms(&g.Terms) {
		b = appendDuration(b, *d, math.MaxInt64)
	}
	return s.finish(b), nil
}

func checkSlot(id member.SlotID) error {
	if id == "" || len(id) > maxName {
		return fmt.Errorf("slot %q has %d bytes, want 1 to %d", id, len(id), maxName)
	}
	return nil
}

func appendTenure(b []byte, r agent.Renewal) []byte {
	b = binary.AppendUvarint(b, uint64(r.Life))
	b = binary.AppendUvarint(b, r.Seq)
	b = appendName(b, member.ID(r.Slot))
	b = binary.AppendUvarint(b, uint64(r.Epoch))
	return binary.AppendUvarint(b, uint64(max(0, r.Sent)))
}

// terms are the times of a lease in their order on the wire, which is for ever.
func terms(t *member.LeaseTerms) [6]*time.Duration {
	return [6]*time.Duration{&t.Length, &t.Renew, &t.Stop, &t.Within, &t.Watchdog, &t.RoundTrip}
}

func (d *decoder) tenure(holder member.ID) agent.Renewal {
	r := agent.Renewal{Holder: holder}
	r.Life = member.Incarnation(d.uvarint())
	r.Seq = d.uvarint()
	r.Slot = member.SlotID(d.name())
	r.Epoch = member.SlotEpoch(d.uvarint())
	ns := d.uvarint()
	if ns > math.MaxInt64 {
		d.fail()
	}
	r.Sent = time.Duration(ns)
	return r
}

func (d *decoder) renewal(from member.ID, raw []byte) Renewal {
	d.take(ed25519.SignatureSize)
	r := d.tenure(from)
	r.Wide = d.byte()&flagWide != 0
	return Renewal{Renewal: r, Raw: raw}
}

func (d *decoder) grant(from member.ID, raw []byte) Grant {
	d.take(ed25519.SignatureSize)
	g := Grant{From: from, Raw: raw}
	g.Grant.Renewal = d.tenure(d.name())
	for _, t := range terms(&g.Grant.Terms) {
		*t = d.duration()
	}
	return g
}
