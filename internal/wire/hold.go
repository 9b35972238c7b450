package wire

import (
	"crypto/ed25519"
	"fmt"

	"moonwatch/member"
)

// Hold is a hold that the council has not confirmed, gossiped and signed by the agent
// to which it was given. The body is the command as it was proposed. Raw is the whole
// datagram as it came, to be passed on unchanged.
type Hold struct {
	From    member.ID
	Command []byte
	Raw     []byte
}

// Sender is the agent to which the hold was given.
func (m Hold) Sender() member.ID { return m.From }

func (Hold) isMessage() {}

func (m Hold) signed() []byte { return m.Raw }

// EncodeHold gives the signed datagram of a hold that was given to this agent. It
// fails with [ErrTooLong] for a command that does not fit.
func (s *Signer) EncodeHold(command []byte) ([]byte, error) {
	b, err := s.begin(kindHold)
	if err != nil {
		return nil, err
	}
	if len(b)+len(command) > MaxBody || len(command) == 0 {
		return nil, fmt.Errorf("hold: a command of %d bytes: %w", len(command), ErrTooLong)
	}
	return s.finish(append(b, command...)), nil
}

// hold reads the rest of the datagram raw as a command.
func (d *decoder) hold(from member.ID, raw []byte) Hold {
	d.take(ed25519.SignatureSize)
	if len(d.rest) == 0 {
		d.failed = true
	}
	return Hold{From: from, Command: d.rest, Raw: raw}
}
