// Package orders is what an agent and a door of the shield in another program say to
// each other: an order, and the counts that answer it. They are lines of words, so that a
// door which has no more than string functions reads and writes them (configs/nginx does).
//
// The agent asks a few times a second: POST over HTTP, to a unix socket or a loopback
// port. An order is obeyed until its lease ends, so a door whose agent is gone holds
// nobody. What the door tells of its counts is cumulative, so a lost answer only delays.
//
//	moonwatch-door 1                          moonwatch-door 1
//	lease 2000                                program nginx/1.22.1
//	learn 10000                               life 1760000000.123-4711
//	seed 9f86d081884c7d65                     has 5d41402a-3
//	want www.example.com                      total 58231 120 58101 3
//	set 5d41402a-3                            known 812 room
//	hold www.example.com shape 300 70 10 65   host www.example.com 4211 120 40
//	end                                       end
//
// Subdomains are called by their names in their normal form, *.example.com for the bucket
// of unknown names below example.com, and - for the bucket of all others. Whoever reads
// passes over lines whose first word it does not know.
package orders

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"time"

	"moonwatch/shield"
	"moonwatch/shield/count"
)

// Format is the first line of both.
const Format = "moonwatch-door 1"

// MaxOrder and MaxCounts bound what is read, in bytes: all measures that there can be,
// and far more hosts than are told of.
const (
	MaxOrder  = 2 << 20
	MaxCounts = 1 << 20
)

// ErrFormat is what is not understood.
var ErrFormat = errors.New("not understood")

// Order is what the agent wants of the door.
type Order struct {
	Lease time.Duration // the order is obeyed for so long
	Learn int           // how many hosts may become known until the next order
	Seed  uint64        // clients are chosen by it
	Want  []string      // subdomains whose counts are wanted, asked for much or not
	// Set names the set of measures; empty: what the door has stands. A door that answers
	// that it has another one is told again.
	Set  string
	Hold []Hold
}

// Hold is a measure, as shield.Measure has it.
type Hold struct {
	Name  string
	Rung  string // shape, challenge, stop, drop
	Admit int    // permille
	Cap   float64
	Burst float64
	Limit float64 // requests a second that are its share; 0: it is one of time
}

// HoldOf makes a hold of a measure; name is how the door calls the subdomain.
func HoldOf(name string, m shield.Measure) Hold {
	h := Hold{Name: name, Rung: "shape", Admit: min(max(m.Admit, 0), shield.Whole), Cap: bounded(m.Cap), Burst: bounded(m.Burst), Limit: bounded(m.Quota())}
	if m.Rung.Voted() {
		h.Rung = m.Rung.String()
	}
	return h
}

func bounded(x float64) float64 { return min(max(x, 0), math.MaxInt32) }

// Measure is the measure that a hold stands for, until an end.
func (h Hold) Measure(key shield.Key, until time.Time) shield.Measure {
	m := shield.Measure{Key: key, Host: h.Name, Rung: shield.ShapeLocal, Admit: h.Admit, Cap: h.Cap, Burst: h.Burst, Limit: h.Limit, Until: until}
	if rung, ok := shield.RungOf(h.Rung); ok {
		m.Rung = rung
	}
	return m
}

// Encode writes an order down.
func (o Order) Encode() []byte {
	b := fmt.Appendf(nil, "%s\nlease %d\nlearn %d\nseed %016x\n", Format, o.Lease.Milliseconds(), o.Learn, o.Seed)
	for _, name := range o.Want {
		b = fmt.Appendf(b, "want %s\n", name)
	}
	if o.Set != "" {
		b = fmt.Appendf(b, "set %s\n", o.Set)
		for _, h := range o.Hold {
			b = fmt.Appendf(b, "hold %s %s %d %.6g %.6g %.6g\n", h.Name, h.Rung, h.Admit, h.Cap, h.Burst, h.Limit)
		}
	}
	return append(b, "end\n"...)
}

// ReadOrder reads one. It fails with ErrFormat for what is none, or cut short.
func ReadOrder(r io.Reader) (o Order, err error) {
	err = lines(io.LimitReader(r, MaxOrder), func(word string, f []string) (ok bool) {
		switch word {
		case "lease":
			n, good := number(f, 0)
			o.Lease, ok = time.Duration(n)*time.Millisecond, good && n <= 60_000 //nolint:gosec // bounded
		case "learn":
			n, good := number(f, 0)
			o.Learn, ok = int(min(n, 1<<30)), good //nolint:gosec // bounded
		case "seed":
			seed, bad := strconv.ParseUint(strings.Join(f, " "), 16, 64)
			o.Seed, ok = seed, bad == nil
		case "want":
			o.Want, ok = append(o.Want, f...), len(f) == 1
		case "set":
			o.Set, ok = strings.Join(f, " "), len(f) == 1
		case "hold":
			var h Hold
			h, ok = readHold(f)
			o.Hold = append(o.Hold, h)
		default:
			ok = true
		}
		return ok
	})
	if err != nil {
		return Order{}, fmt.Errorf("order: %w", err)
	}
	return o, nil
}

func readHold(f []string) (h Hold, ok bool) {
	if len(f) < 6 {
		return h, false
	}
	h.Name, h.Rung = f[0], f[1]
	admit, good := number(f, 2)
	h.Admit, ok = int(min(admit, shield.Whole)), good //nolint:gosec // bounded
	for i, x := range []*float64{&h.Cap, &h.Burst, &h.Limit} {
		n, err := strconv.ParseFloat(f[3+i], 64)
		ok = ok && err == nil && n >= 0 && n <= math.MaxInt32 // neither NaN nor without bounds
		*x = n
	}
	return h, ok
}

// Counts is what the door answers.
type Counts struct {
	Program string // and its version, for people
	Life    string // of its counters; another one: they began anew
	Has     string // the set of measures that it has
	Asked   uint64 // requests of this life
	Refused uint64 // of these
	Served  uint64 // that were answered well
	Busy    uint64 // that were answered with 503, refusals left out
	Known   int    // hosts and buckets that are counted alone
	Full    bool   // a host could not become known for want of room
	Hosts   []count.Reading
}

// Encode writes counts down.
func (c Counts) Encode() []byte {
	room := "room"
	if c.Full {
		room = "full"
	}
	b := fmt.Appendf(nil, "%s\nprogram %s\nlife %s\n", Format, c.Program, c.Life)
	if c.Has != "" {
		b = fmt.Appendf(b, "has %s\n", c.Has)
	}
	b = fmt.Appendf(b, "total %d %d %d %d\nknown %d %s\n", c.Asked, c.Refused, c.Served, c.Busy, c.Known, room)
	for _, h := range c.Hosts {
		b = fmt.Appendf(b, "host %s %d %d %d\n", h.Name, h.Asked, h.Refused, h.Lately)
	}
	return append(b, "end\n"...)
}

// ReadCounts reads them. It fails with ErrFormat for what are none, or cut short.
func ReadCounts(r io.Reader) (c Counts, err error) {
	totals := false
	err = lines(io.LimitReader(r, MaxCounts), func(word string, f []string) (ok bool) {
		switch word {
		case "program":
			c.Program, ok = strings.Join(f, " "), len(f) > 0
		case "life":
			c.Life, ok = strings.Join(f, " "), len(f) == 1
		case "has":
			c.Has, ok = strings.Join(f, " "), len(f) == 1
		case "total":
			ok, totals = numbers(f, &c.Asked, &c.Refused, &c.Served, &c.Busy), true
		case "known":
			n, good := number(f, 0)
			c.Known, ok = int(min(n, 1<<30)), good && len(f) > 1 //nolint:gosec // bounded
			c.Full = ok && f[1] == "full"
		case "host":
			var h count.Reading
			if ok = len(f) >= 4; ok {
				h.Name = f[0]
				ok = numbers(f[1:], &h.Asked, &h.Refused, &h.Lately)
			}
			c.Hosts = append(c.Hosts, h)
		default:
			ok = true
		}
		return ok
	})
	if err == nil && (!totals || c.Life == "") {
		err = fmt.Errorf("%w: it has no total or no life", ErrFormat)
	}
	if err != nil {
		return Counts{}, fmt.Errorf("counts: %w", err)
	}
	return c, nil
}

// lines reads line by line what begins with Format and ends with "end".
func lines(r io.Reader, take func(word string, fields []string) bool) error {
	s := bufio.NewScanner(r)
	first := true
	for s.Scan() {
		line := s.Text()
		if first {
			if line != Format {
				return fmt.Errorf("%w: it begins with %.60q, want %q", ErrFormat, line, Format)
			}
			first = false
			continue
		}
		if line == "end" {
			return nil
		}
		f := strings.Fields(line)
		if len(f) == 0 {
			continue
		}
		if !take(f[0], f[1:]) {
			return fmt.Errorf("%w: line %.100q", ErrFormat, line)
		}
	}
	if err := s.Err(); err != nil {
		return err
	}
	return fmt.Errorf("%w: it is cut short, want \"end\" as its last line", ErrFormat)
}

func number(f []string, i int) (uint64, bool) {
	if i >= len(f) {
		return 0, false
	}
	n, err := strconv.ParseUint(f[i], 10, 64)
	return n, err == nil
}

func numbers(f []string, to ...*uint64) bool {
	for i, x := range to {
		n, ok := number(f, i)
		if !ok {
			return false
		}
		*x = n
	}
	return true
}
