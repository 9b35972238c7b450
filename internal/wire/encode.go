package wire

import (
	"encoding/binary"
	"fmt"

	"moonwatch/agent"
	"moonwatch/member"
)

// EncodeProbe gives the datagram of a probe. It fails only for a sender
// without a proper name.
func EncodeProbe(m Probe) ([]byte, error) {
	b, err := head(kindProbe, m.From)
	if err != nil {
		return nil, err
	}
	return binary.AppendUvarint(b, m.Seq), nil
}

// EncodeProbeAnswer gives the datagram of an answer. It fails only for a
// sender without a proper name.
func EncodeProbeAnswer(m ProbeAnswer) ([]byte, error) {
	b, err := head(kindProbeAnswer, m.From)
	if err != nil {
		return nil, err
	}
	b = binary.AppendUvarint(b, m.Seq)
	b = binary.AppendUvarint(b, uint64(m.Incarnation))
	return append(b, byte(m.Report)), nil
}

// EncodeAck gives the datagram of an acknowledgement. It fails only for a
// sender without a proper name.
func EncodeAck(m Ack) ([]byte, error) {
	b, err := head(kindAck, m.From)
	if err != nil {
		return nil, err
	}
	return binary.AppendUvarint(b, m.Seq), nil
}

// EncodeForwarded puts another agent's statement, as it came (Statement.Raw),
// into a datagram of the councillor by. Statements are kept short enough for
// that; it fails with [ErrMalformed] for anything else.
func EncodeForwarded(by member.ID, raw []byte) ([]byte, error) {
	if len(raw) == 0 || kind(raw[0]) != kindStatement || len(raw) > maxStatement {
		return nil, fmt.Errorf("forward %d bytes: %w: want a statement of at most %d", len(raw), ErrMalformed, maxStatement)
	}
	b, err := head(kindForwarded, by)
	if err != nil {
		return nil, err
	}
	return append(b, raw...), nil
}

// EncodePresence gives as many datagrams as the set needs, one for every ten
// thousand places, none for an empty one.
func EncodePresence(m Presence) ([][]byte, error) {
	b, err := head(kindPresence, m.From)
	if err != nil {
		return nil, err
	}
	p := m.Members
	if p.First < 0 || p.First%8 != 0 || p.First > maxPlace {
		return nil, fmt.Errorf("presence: the first place is %d, want a multiple of 8 up to %d", p.First, maxPlace)
	}
	b = binary.AppendUvarint(b, uint64(p.Roster))
	limit := MaxBody - len(b) - binary.MaxVarintLen32
	var all [][]byte
	for at := 0; at < len(p.Bits); at += limit {
		one := binary.AppendUvarint(b[:len(b):len(b)], uint64(p.First/8+at))
		all = append(all, append(one, p.Bits[at:min(at+limit, len(p.Bits))]...))
	}
	return all, nil
}

// maxPlace is more than a roster will ever have.
const maxPlace = 1 << 24

// head begins a datagram.
func head(k kind, from member.ID) ([]byte, error) {
	if err := checkName(from); err != nil {
		return nil, fmt.Errorf("%v: sender: %w", k, err)
	}
	b := make([]byte, 0, 256)
	b = append(b, byte(k))
	return appendName(b, from), nil
}

func checkName(id member.ID) error {
	if id == "" || len(id) > maxName {
		return fmt.Errorf("name %q has %d bytes, want 1 to %d", id, len(id), maxName)
	}
	return nil
}

func appendName(b []byte, id member.ID) []byte {
	b = append(b, byte(len(id)))
	return append(b, id...)
}

// split encodes names as lists (count, names) of at most limit bytes each.
func split(names []member.ID, limit int) ([][]byte, error) {
	var lists [][]byte
	for len(names) > 0 {
		size, n := 2, 0 // two bytes of count: there are never 16,384 names in one datagram
		for n < len(names) && size+1+len(names[n]) <= limit {
			if err := checkName(names[n]); err != nil {
				return nil, err
			}
			size += 1 + len(names[n])
			n++
		}
		if n == 0 {
			return nil, checkName(names[0]) // only a name that is too long does not fit alone
		}
		lists = append(lists, appendNames(make([]byte, 0, size), names[:n]))
		names = names[n:]
	}
	return lists, nil
}

func appendNames(b []byte, names []member.ID) []byte {
	b = binary.AppendUvarint(b, uint64(len(names)))
	for _, id := range names {
		b = appendName(b, id)
	}
	return b
}

func appendRollID(b []byte, id agent.RollID) []byte {
	b = binary.AppendUvarint(b, id.Term)
	return binary.AppendUvarint(b, id.N)
}
