package shield

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"moonwatch/member"
)

// Floors travel in as many datagrams as they need, each of them a part that says
// which one it is. The parts of one version are put together again when all of them
// are there; until then the floors before are in force, and whoever published them
// sees in the reports who lacks them.

const floorsVersion = 1

// FloorsPart is one datagram of published floors.
type FloorsPart struct {
	Floors // of this part; By is who signed it

	Mark  uint32 // of the salt by which the keys are made
	Part  int    // from 0
	Parts int
}

// MaxFloorParts bounds the parts of one version, at about a hundred floors each.
const MaxFloorParts = 64

// ErrFloors is what every part that cannot be read fails with.
var ErrFloors = errors.New("malformed floors")

// Encode gives the datagrams of floors. Rates are rounded to thousandths. Those
// beyond MaxFloorParts are left out: a fleet has at most as many as are remembered.
func (f Floors) Encode(mark uint32) [][]byte {
	var bodies [][]byte
	var body []byte
	last := Key(0)
	for _, x := range f.List {
		n := len(body)
		body = binary.AppendUvarint(body, uint64(x.Key-last))
		body = binary.AppendUvarint(body, uint64(math.Floor(1000*sane(x.Rate))))
		if len(body) > MaxReport-floorsHead {
			bodies, body = append(bodies, body[:n:n]), nil
			body = binary.AppendUvarint(body, uint64(x.Key))
			body = binary.AppendUvarint(body, uint64(math.Floor(1000*sane(x.Rate))))
		}
		last = x.Key
	}
	bodies = append(bodies, body)
	bodies = bodies[:min(len(bodies), MaxFloorParts)]
	for i, rest := range bodies {
		b := binary.LittleEndian.AppendUint32([]byte{floorsVersion}, mark)
		b = binary.AppendUvarint(b, f.Version)
		b = binary.AppendUvarint(b, uint64(math.Ceil(1000*sane(f.Capacity))))
		b = append(b, byte(i), byte(len(bodies)))
		bodies[i] = append(b, rest...)
	}
	return bodies
}

// floorsHead is the most that stands before a part's floors, in bytes.
const floorsHead = 1 + 4 + 2*binary.MaxVarintLen64 + 2

// DecodeFloors reads a part that a door has signed.
func DecodeFloors(by member.ID, b []byte) (FloorsPart, error) {
	d := reportReader{rest: b}
	if v := d.byte(); v != floorsVersion {
		return FloorsPart{}, fmt.Errorf("%w: version %d, want %d", ErrFloors, v, floorsVersion)
	}
	p := FloorsPart{Mark: d.mark()}
	p.By, p.Version, p.Capacity = by, d.number(), float64(d.number())/1000
	p.Part, p.Parts = int(d.byte()), int(d.byte())
	if d.bad || p.Parts < 1 || p.Parts > MaxFloorParts || p.Part >= p.Parts {
		return FloorsPart{}, fmt.Errorf("%w: their head", ErrFloors)
	}
	last := Key(0)
	for len(d.rest) > 0 {
		x := Floor{Key: last + Key(d.number()), Rate: float64(d.number()) / 1000}
		if d.bad || x.Key <= last {
			return FloorsPart{}, fmt.Errorf("%w: floor %d of part %d", ErrFloors, len(p.List)+1, p.Part)
		}
		last = x.Key
		p.List = append(p.List, x)
	}
	return p, nil
}

// FloorsInParts puts published floors together. The zero value has heard nothing.
type FloorsInParts struct {
	of    Floors
	parts [][]Floor
	have  int
}

// Add takes a part in, and gives the floors when it was the last one that lacked.
func (x *FloorsInParts) Add(p FloorsPart) (Floors, bool) {
	if p.Version != x.of.Version || p.By != x.of.By || p.Capacity != x.of.Capacity || p.Parts != len(x.parts) {
		if len(x.parts) > 0 && !p.Newer(&x.of) && x.have == len(x.parts) {
			return Floors{}, false // of a version that is over
		}
		*x = FloorsInParts{of: Floors{Version: p.Version, By: p.By, Capacity: p.Capacity}, parts: make([][]Floor, p.Parts)}
	}
	if x.parts[p.Part] != nil {
		return Floors{}, false
	}
	x.parts[p.Part] = append([]Floor{}, p.List...)
	if x.have++; x.have < len(x.parts) {
		return Floors{}, false
	}
	f := x.of
	for _, part := range x.parts {
		f.List = append(f.List, part...)
	}
	return f, true
}
