package link

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// readFrame reads one frame with its length before it. The memory for it grows
// with what arrives, not with what is announced.
func readFrame(r io.Reader, limit int) ([]byte, error) {
	var header [frameHeader]byte
	if _, err := io.ReadFull(r, header[:]); err != nil {
		return nil, err
	}
	size := binary.BigEndian.Uint32(header[:])
	if int64(size) > int64(limit) {
		return nil, fmt.Errorf("frame of %d bytes: %w, want at most %d", size, ErrTooLarge, limit)
	}
	return readBytes(r, int(size))
}

// trusted is how many bytes are set aside on a peer's word alone.
const trusted = 1 << 20

func readBytes(r io.Reader, size int) ([]byte, error) {
	if size <= trusted {
		data := make([]byte, size)
		_, err := io.ReadFull(r, data)
		return data, err
	}
	var buf bytes.Buffer
	n, err := io.CopyN(&buf, r, int64(size))
	if errors.Is(err, io.EOF) && n > 0 {
		err = io.ErrUnexpectedEOF
	}
	return buf.Bytes(), err
}

// A message of the feed is a frame that begins with its kind.
const (
	kindFacts    = 'f' // status, index of the first fact, number of facts, the facts
	kindSnapshot = 's' // status, index of the fact behind it, the snapshot
)

// maxMessage bounds one message of the feed: a snapshot and what stands around
// it.
const maxMessage = MaxFrame + 64<<10

// encode writes a batch with its length before it, in two parts so that a
// snapshot is not copied. Lengths and numbers inside are varints.
func (b Batch) encode() (head, tail []byte, err error) {
	status, err := json.Marshal(b.Status)
	if err != nil {
		return nil, nil, fmt.Errorf("encode status: %w", err)
	}
	size := len(status) + 64
	for _, fact := range b.Facts {
		size += len(fact) + binary.MaxVarintLen32
	}
	out := make([]byte, frameHeader, size)
	kind := byte(kindFacts)
	if b.Snapshot != nil {
		kind = kindSnapshot
	}
	out = append(out, kind)
	out = appendBytes(out, status)
	out = binary.AppendUvarint(out, b.From)
	if b.Snapshot == nil {
		out = binary.AppendUvarint(out, uint64(len(b.Facts)))
		for _, fact := range b.Facts {
			out = appendBytes(out, fact)
		}
	}
	length := len(out) - frameHeader + len(b.Snapshot)
	if length > maxMessage {
		return nil, nil, fmt.Errorf("feed message of %d bytes: %w, want at most %d", length, ErrTooLarge, maxMessage)
	}
	binary.BigEndian.PutUint32(out, uint32(length))
	return out, b.Snapshot, nil
}

func appendBytes(out, b []byte) []byte {
	return append(binary.AppendUvarint(out, uint64(len(b))), b...)
}

var errGarbled = errors.New("feed message is garbled")

// decodeBatch is the reverse of encode, without the length. The batch shares
// the bytes of its input.
func decodeBatch(in []byte) (Batch, error) {
	if len(in) == 0 {
		return Batch{}, fmt.Errorf("%w: empty", errGarbled)
	}
	d := decoder{rest: in[1:]}
	var b Batch
	if err := json.Unmarshal(d.bytes(), &b.Status); err != nil {
		return Batch{}, fmt.Errorf("%w: status: %w", errGarbled, err)
	}
	b.From = d.number()
	switch in[0] {
	case kindSnapshot:
		if !d.bad {
			b.Snapshot, d.rest = d.rest, d.rest[len(d.rest):]
		}
	case kindFacts:
		for count := d.number(); count > 0 && !d.bad; count-- {
			b.Facts = append(b.Facts, d.bytes())
		}
	default:
		return Batch{}, fmt.Errorf("%w: kind %q", errGarbled, in[0])
	}
	if d.bad || len(d.rest) > 0 {
		return Batch{}, fmt.Errorf("%w: its lengths do not fit", errGarbled)
	}
	return b, nil
}

// decoder takes a message apart. What does not fit makes it bad, and bad it
// stays.
type decoder struct {
	rest []byte
	bad  bool
}

func (d *decoder) number() uint64 {
	v, n := binary.Uvarint(d.rest)
	if n <= 0 {
		d.bad, d.rest = true, nil
		return 0
	}
	d.rest = d.rest[n:]
	return v
}

func (d *decoder) bytes() []byte {
	size := d.number()
	if size > uint64(len(d.rest)) {
		d.bad, d.rest = true, nil
		return nil
	}
	b := d.rest[:size:size]
	d.rest = d.rest[size:]
	return b
}
