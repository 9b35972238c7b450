package wire

import (
	"bytes"
	"crypto/ed25519"
	"encoding/binary"
	"fmt"

	"moonwatch/agent"
	"moonwatch/member"
)

// Decode reads one datagram. The message keeps b where it has to be passed on
// or verified, so the caller must not change b afterwards. Signatures are not
// looked at: see [Verify]. It fails with [ErrUnknownKind] or [ErrMalformed].
func Decode(b []byte) (Message, error) {
	if len(b) > MaxBody {
		return nil, fmt.Errorf("%w: %d bytes, want at most %d", ErrMalformed, len(b), MaxBody)
	}
	b = b[:len(b):len(b)]
	d := decoder{rest: b}
	k := kind(d.byte())
	if d.failed {
		return nil, fmt.Errorf("%w: no bytes", ErrMalformed)
	}
	from := d.name()
	var m Message
	switch k {
	case kindProbe:
		m = Probe{From: from, Seq: d.uvarint()}
	case kindProbeAnswer:
		m = d.probeAnswer(from)
	case kindStatement:
		d.take(ed25519.SignatureSize)
		m = Statement{Statement: d.statement(from), Raw: b}
	case kindForwarded:
		return d.forwarded(from)
	case kindAck:
		m = Ack{From: from, Seq: d.uvarint()}
	case kindRollCall:
		d.take(ed25519.SignatureSize)
		m = RollCall{From: from, Call: d.rollCall(), raw: b}
	case kindPresence:
		m = Presence{From: from, Members: d.places()}
	case kindRenewal:
		m = d.renewal(from, b)
	case kindHold:
		m = d.hold(from, b)
	case kindGrant:
		m = d.grant(from, b)
	case kindDoorReport:
		m = DoorReport{From: from, Body: d.doorBody(), raw: b}
	case kindDoorFloors:
		m = DoorFloors{From: from, Body: d.doorBody(), raw: b}
	default:
		return nil, fmt.Errorf("%w: %d", ErrUnknownKind, byte(k))
	}
	if d.failed {
		return nil, fmt.Errorf("%w: %v of %d bytes", ErrMalformed, k, len(b))
	}
	return m, nil
}

// decoder takes fields off the front of a datagram. After the first field that
// is not there it fails for good and gives zeros.
type decoder struct {
	rest   []byte
	failed bool
}

func (d *decoder) fail() { d.failed, d.rest = true, nil }

// take gives the next n bytes.
func (d *decoder) take(n int) []byte {
	if n > len(d.rest) {
		d.fail()
		return nil
	}
	b := d.rest[:n]
	d.rest = d.rest[n:]
	return b
}

func (d *decoder) byte() byte {
	if b := d.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (d *decoder) uvarint() uint64 {
	v, n := binary.Uvarint(d.rest)
	if n <= 0 {
		d.fail()
		return 0
	}
	d.rest = d.rest[n:]
	return v
}

// name is a member's: nobody is called nothing.
func (d *decoder) name() member.ID {
	n := int(d.byte())
	if n == 0 || n > maxName {
		d.fail()
		return ""
	}
	return member.ID(d.take(n))
}

// names is a list of members; each takes two bytes at least, so a wrong count
// cannot make room for more than the datagram holds.
func (d *decoder) names() []member.ID {
	n := d.count(len(d.rest) / 2)
	if n == 0 {
		return nil
	}
	ids := make([]member.ID, n)
	for i := range ids {
		ids[i] = d.name()
	}
	return ids
}

// places is a set of members, which ends with the datagram.
func (d *decoder) places() member.Places {
	p := member.Places{Roster: member.RosterEpoch(d.uvarint()), First: 8 * d.count(maxPlace/8)}
	p.Bits = bytes.Clone(d.take(len(d.rest)))
	if len(p.Bits) == 0 {
		d.fail()
	}
	return p
}

// count is a number of items, at most limit.
func (d *decoder) count(limit int) int {
	n := d.uvarint()
	if n > uint64(limit) {
		d.fail()
		return 0
	}
	return int(n)
}

func (d *decoder) probeAnswer(from member.ID) ProbeAnswer {
	a := ProbeAnswer{From: from, Seq: d.uvarint(), Incarnation: member.Incarnation(d.uvarint())}
	// A report is a hint: one that we do not know is none.
	if r := agent.Report(d.byte()); r <= agent.ServiceBad {
		a.Report = r
	}
	return a
}

// forwarded reads the statement inside, which ends with the datagram.
func (d *decoder) forwarded(by member.ID) (Message, error) {
	if d.failed || len(d.rest) == 0 || kind(d.rest[0]) != kindStatement {
		return nil, fmt.Errorf("%w: %v without a statement", ErrMalformed, kindForwarded)
	}
	m, err := Decode(d.rest)
	if err != nil {
		return nil, fmt.Errorf("forwarded by %s: %w", by, err)
	}
	return Forwarded{By: by, Statement: m.(Statement)}, nil
}

func (d *decoder) rollCall() agent.RollCall {
	return agent.RollCall{ID: d.rollID(), Subjects: d.names()}
}

func (d *decoder) rollID() agent.RollID {
	return agent.RollID{Term: d.uvarint(), N: d.uvarint()}
}
