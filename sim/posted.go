package sim

import "encoding/binary"

// posted remembers what the raw bytes of renewals and grants stand for, so that a
// councillor can pass one on unchanged.
type posted struct {
	ring []any
	n    uint64
}

// postedKept is far more than are under way at any moment.
const postedKept = 1 << 12

func (p *posted) write(x any) []byte {
	if len(p.ring) < postedKept {
		p.ring = append(p.ring, nil)
	}
	p.ring[p.n%postedKept] = x
	p.n++
	return binary.BigEndian.AppendUint64(nil, p.n-1)
}

// read is what the bytes stand for, nil if it was forgotten.
func (p *posted) read(raw []byte) any {
	n := binary.BigEndian.Uint64(raw)
	if n >= p.n || n+postedKept < p.n {
		return nil
	}
	return p.ring[n%postedKept]
}
