package scenario

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"moonwatch/internal/strict"
)

// Duration is a time in a plan: 1m30s.
type Duration time.Duration

func (d Duration) String() string { return strict.Short(time.Duration(d)) }

// MarshalText writes the duration exactly.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads it back.
func (d *Duration) UnmarshalText(b []byte) error {
	v, err := time.ParseDuration(string(b))
	*d = Duration(v)
	return err
}

// Range is how often something may be: 1, 0..12, or 2.. for at least two.
type Range struct{ Least, Most int }

// noMost is the end of a range that has none.
const noMost = math.MaxInt32

// ParseRange reads a range.
func ParseRange(s string) (Range, error) {
	from, to, two := strings.Cut(s, "..")
	least, err := strconv.Atoi(from)
	most := least
	if err == nil && two {
		if most = noMost; to != "" {
			most, err = strconv.Atoi(to)
		}
	}
	if err != nil || least < 0 || most < least {
		return Range{}, fmt.Errorf("%q is no range, want 1, 0..12, 2.. or such", s)
	}
	return Range{least, most}, nil
}

// Has reports whether a count lies in the range.
func (r Range) Has(n int) bool { return n >= r.Least && n <= r.Most }

func (r Range) String() string {
	switch r.Most {
	case r.Least:
		return strconv.Itoa(r.Least)
	case noMost:
		return fmt.Sprintf("%d..", r.Least)
	default:
		return fmt.Sprintf("%d..%d", r.Least, r.Most)
	}
}

// MarshalText writes the range into a plan.
func (r Range) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText reads it from a plan.
func (r *Range) UnmarshalText(b []byte) (err error) {
	*r, err = ParseRange(string(b))
	return err
}

// wanted reads a range of a scenario.
func (o object) wanted(key string) *Range {
	v, ok := o.Get(key, "a range such as 1, 0..12 or 2..")
	if !ok {
		return nil
	}
	r, err := ParseRange(v.Text)
	if v.Shape != strict.Number && v.Shape != strict.Text || err != nil {
		o.Bad(key, v, "a range such as 1, 0..12 or 2..")
		return nil
	}
	return &r
}
