package shield

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"time"

	"moonwatch/member"
)

// Report is what a door tells all other doors, in one datagram: every 250 ms,
// and every 100 ms under pressure. What it holds is cumulative, or about the
// last window, so the newest report of a door replaces all before it: a lost one
// only delays, and one that comes twice or late changes nothing.
type Report struct {
	Door   member.ID
	Life   member.Incarnation
	Seq    uint64        // grows with each report of a life
	Window time.Duration // the last stretch of time that rates are about
	Mark   uint32        // of the salt by which its keys are made, see MarkOf

	Total      Traffic // everything that passed this door
	Served     uint64  // requests in a window that are answered well as of late
	Capacity   Units   // what the door holds the fleet's capacity to be, a second; 0: it does not know
	Trouble    bool    // this door waits for occupants, or they answer with errors
	Subdomains int     // subdomains that it knows
	Floors     uint64
	Lines      []Line // the heaviest here, and exact answers about all candidates
	Votes      []Vote // standing: what is not said again is withdrawn
	Surges     []Surge
	ByCost     bool // Capacity is one of cost, and not of requests
}

// Units counts requests, or cost.
type Units uint64

// Traffic is what was counted, since the life began and in the window.
type Traffic struct {
	Asked    uint64 // requests since the life began, refused ones included
	Refused  uint64 // of these
	Lately   uint64 // requests in the window
	Admitted uint64 // of these
	Cost     uint64 // of what was answered in the window
}

// Line is the traffic of one subdomain.
type Line struct {
	Key Key
	Traffic
}

// Vote is a door's standing word for a rung from challenge up.
type Vote struct {
	Key  Key
	Rung Rung
	Host string // so that the ledger can name it
}

// MaxReport is the longest encoded report in bytes. What carries it needs room
// for a signature and an envelope within a datagram of 1,400 bytes.
const MaxReport = 1200

// MaxLines and MaxVotes bound a report.
const (
	MaxLines = 64
	MaxVotes = 4
)

const reportVersion = 2

// Encode gives the report's bytes. Lines that find no room are left out, the
// last ones first, so the caller puts the candidates before the rest. It fails
// for what no door has a use for.
func (r Report) Encode() ([]byte, error) {
	if r.Door == "" || len(r.Door) > 64 {
		return nil, fmt.Errorf("encode report of %q: want a door's name of 1 to 64 bytes", r.Door)
	}
	b := make([]byte, 0, MaxReport)
	b = append(b, reportVersion)
	b = binary.LittleEndian.AppendUint32(b, r.Mark)
	b = appendText(b, string(r.Door))
	b = binary.AppendUvarint(b, uint64(r.Life))
	b = binary.AppendUvarint(b, r.Seq)
	b = binary.AppendUvarint(b, uint64(max(r.Window, 0)/time.Millisecond))
	b = appendTraffic(b, r.Total)
	b = binary.AppendUvarint(b, r.Served)
	b = binary.AppendUvarint(b, uint64(r.Capacity))
	b = append(b, flag(r.Trouble))
	b = binary.AppendUvarint(b, uint64(max(r.Subdomains, 0)))
	b = binary.AppendUvarint(b, r.Floors)
	votes := r.Votes[:min(len(r.Votes), MaxVotes)]
	b = append(b, byte(len(votes)))
	for _, v := range votes {
		b = binary.LittleEndian.AppendUint64(b, uint64(v.Key))
		b = append(b, byte(v.Rung))
		if len(v.Host) > maxHost {
			return nil, fmt.Errorf("encode report of %s: vote about a host of %d bytes, want at most %d", r.Door, len(v.Host), maxHost)
		}
		b = appendText(b, v.Host)
	}
	surges := appendSurges(nil, r.Surges[:min(len(r.Surges), MaxSurges)])
	surges = append(surges, flag(r.ByCost))
	lines := len(b)
	b = append(b, 0)
	for i, l := range r.Lines[:min(len(r.Lines), MaxLines)] {
		n := len(b)
		b = binary.LittleEndian.AppendUint64(b, uint64(l.Key))
		b = appendTraffic(b, l.Traffic)
		if len(b)+len(surges) > MaxReport {
			b = b[:n]
			break
		}
		b[lines] = byte(i + 1)
	}
	return append(b, surges...), nil
}

// appendSurges writes those that surge behind the lines, where builds of before read no more.
// The unit follows them, which builds of surges pass over.
func appendSurges(b []byte, surges []Surge) []byte {
	b = append(b, byte(len(surges)))
	for _, x := range surges {
		b = binary.LittleEndian.AppendUint64(b, uint64(x.Key))
		b = binary.AppendUvarint(b, uint64(max(x.Over, 0)/time.Millisecond))
		b = binary.AppendUvarint(b, x.Asked)
	}
	return b
}

func appendText(b []byte, s string) []byte { return append(append(b, byte(len(s))), s...) }

func appendTraffic(b []byte, t Traffic) []byte {
	for _, n := range [...]uint64{t.Asked, t.Refused, t.Lately, t.Admitted, t.Cost} {
		b = binary.AppendUvarint(b, n)
	}
	return b
}

func flag(x bool) byte {
	if x {
		return 1
	}
	return 0
}

// ErrReport is what every report that cannot be read fails with.
var ErrReport = errors.New("malformed report")

// DecodeReport reads a report. It looks at its form only: whether it may be
// believed is Merge's to say. What follows the unit is of a younger build
// and passed over.
func DecodeReport(b []byte) (Report, error) {
	if len(b) > MaxReport {
		return Report{}, fmt.Errorf("%w: %d bytes, want at most %d", ErrReport, len(b), MaxReport)
	}
	d := reportReader{rest: b}
	if v := d.byte(); v != reportVersion {
		return Report{}, fmt.Errorf("%w: version %d, want %d", ErrReport, v, reportVersion)
	}
	r := Report{Mark: d.mark(), Door: member.ID(d.text(64)), Life: member.Incarnation(d.number()), Seq: d.number()}
	ms := d.number()
	r.Total = d.traffic()
	r.Served = d.number()
	r.Capacity = Units(d.number())
	trouble := d.byte()
	subdomains := d.number()
	r.Trouble, r.Floors = trouble == 1, d.number()
	votes := d.byte()
	if d.bad || r.Door == "" || trouble > 1 || votes > MaxVotes || ms > 60_000 || subdomains > math.MaxInt32 {
		return Report{}, fmt.Errorf("%w: its head", ErrReport)
	}
	r.Window, r.Subdomains = time.Duration(ms)*time.Millisecond, int(subdomains)
	voted := make(map[Key]bool, MaxVotes)
	for range votes {
		v := Vote{Key: Key(d.fixed()), Rung: Rung(d.byte()), Host: d.text(maxHost)}
		if d.bad || v.Key == 0 || !v.Rung.Voted() || voted[v.Key] {
			return Report{}, fmt.Errorf("%w: vote %d", ErrReport, len(r.Votes)+1)
		}
		voted[v.Key] = true
		r.Votes = append(r.Votes, v)
	}
	seen := make(map[Key]bool, MaxLines)
	lines := d.byte()
	if d.bad || lines > MaxLines {
		return Report{}, fmt.Errorf("%w: %d lines, want at most %d", ErrReport, lines, MaxLines)
	}
	for range lines {
		l := Line{Key: Key(d.fixed())}
		l.Traffic = d.traffic()
		if d.bad || l.Key == 0 || seen[l.Key] {
			return Report{}, fmt.Errorf("%w: line %d", ErrReport, len(r.Lines)+1)
		}
		seen[l.Key] = true
		r.Lines = append(r.Lines, l)
	}
	var err error
	if r.Surges, err = d.surges(); err != nil || len(d.rest) == 0 { // a build of before says no unit
		return r, err
	}
	unit := d.byte()
	if unit > 1 {
		return Report{}, fmt.Errorf("%w: unit %d", ErrReport, unit)
	}
	r.ByCost = unit == 1
	return r, nil
}

// surges reads those that surge; a report of a build of before has none.
func (d *reportReader) surges() (out []Surge, err error) {
	if len(d.rest) == 0 {
		return nil, nil
	}
	n := d.byte()
	if n > MaxSurges {
		return nil, fmt.Errorf("%w: %d surges, want at most %d", ErrReport, n, MaxSurges)
	}
	seen := make(map[Key]bool, MaxSurges)
	for range n {
		x := Surge{Key: Key(d.fixed())}
		ms := d.number()
		x.Asked = d.number()
		if d.bad || x.Key == 0 || seen[x.Key] || ms == 0 || ms > 60_000 {
			return nil, fmt.Errorf("%w: surge %d", ErrReport, len(out)+1)
		}
		x.Over = time.Duration(ms) * time.Millisecond
		seen[x.Key] = true
		out = append(out, x)
	}
	return out, nil
}

// reportReader takes fields off the front. After the first that is not there it
// is bad and gives zeros.
type reportReader struct {
	rest []byte
	bad  bool
}

func (d *reportReader) take(n int) []byte {
	if d.bad || n > len(d.rest) {
		d.bad, d.rest = true, nil
		return nil
	}
	b := d.rest[:n]
	d.rest = d.rest[n:]
	return b
}

func (d *reportReader) byte() byte {
	if b := d.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (d *reportReader) fixed() uint64 {
	if b := d.take(8); b != nil {
		return binary.LittleEndian.Uint64(b)
	}
	return 0
}

func (d *reportReader) mark() uint32 {
	if b := d.take(4); b != nil {
		return binary.LittleEndian.Uint32(b)
	}
	return 0
}

func (d *reportReader) number() uint64 {
	n, size := binary.Uvarint(d.rest)
	if d.bad || size <= 0 || size > 1 && d.rest[size-1] == 0 { // one number has one form
		d.bad, d.rest = true, nil
		return 0
	}
	d.rest = d.rest[size:]
	return n
}

func (d *reportReader) text(most int) string {
	n := int(d.byte())
	if n > most {
		d.bad = true
	}
	return string(d.take(n))
}

func (d *reportReader) traffic() Traffic {
	return Traffic{Asked: d.number(), Refused: d.number(), Lately: d.number(), Admitted: d.number(), Cost: d.number()}
}
