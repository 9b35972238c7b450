package wire

import (
	"crypto/ed25519"
	"fmt"

	"moonwatch/member"
)

// DoorReport is what a door of the shield counted, in the words of package shield,
// signed by the door's agent.
type DoorReport struct {
	From member.ID
	Body []byte

	raw []byte
}

// DoorFloors is a part of the floors that a door publishes to the others, likewise.
type DoorFloors struct {
	From member.ID
	Body []byte

	raw []byte
}

// Sender is the door that counted.
func (m DoorReport) Sender() member.ID { return m.From }

// Sender is the door that publishes.
func (m DoorFloors) Sender() member.ID { return m.From }

func (DoorReport) isMessage() {}
func (DoorFloors) isMessage() {}

func (m DoorReport) signed() []byte { return m.raw }
func (m DoorFloors) signed() []byte { return m.raw }

// EncodeDoorReport gives the signed datagram of a report of this agent's door. It
// fails with [ErrTooLong] for one that does not fit.
func (s *Signer) EncodeDoorReport(body []byte) ([]byte, error) {
	return s.doorWord(kindDoorReport, body)
}

// EncodeDoorFloors gives the signed datagram of a part of the floors that this agent's
// door publishes. It fails with [ErrTooLong] for one that does not fit.
func (s *Signer) EncodeDoorFloors(body []byte) ([]byte, error) {
	return s.doorWord(kindDoorFloors, body)
}

func (s *Signer) doorWord(k kind, body []byte) ([]byte, error) {
	b, err := s.begin(k)
	if err != nil {
		return nil, err
	}
	if len(b)+len(body) > MaxBody || len(body) == 0 {
		return nil, fmt.Errorf("%v: %d bytes: %w", k, len(body), ErrTooLong)
	}
	return s.finish(append(b, body...)), nil
}

// doorBody reads the rest of a door's datagram.
func (d *decoder) doorBody() []byte {
	d.take(ed25519.SignatureSize)
	if len(d.rest) == 0 {
		d.failed = true
	}
	return d.rest
}
