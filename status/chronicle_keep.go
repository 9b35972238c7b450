package status

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Records are what a Chronicle is kept as: JSON by key. A nil value is one that is to
// be forgotten.
type Records map[string][]byte

// chronicleSchema is the version of the records. It grows when a field changes its meaning
// or goes, whatever the API's does: records of another one are not read.
const chronicleSchema = 1

const (
	cursorKey    = "cursor"
	outagePrefix = "outage/"
)

func (o *Outage) key() string {
	return outagePrefix + o.From.UTC().Format("2006-01-02T15:04:05.000Z") + "/" + string(o.Slot)
}

// Take hands out what has changed since the last time, to be kept whole or not at all.
// It is nil when nothing has. Kept must be told how it ended before the next Take.
func (c *Chronicle) Take() Records {
	if len(c.changed) == 0 {
		return nil
	}
	c.taken, c.changed = c.changed, map[string]bool{}
	out := Records{}
	byKey := map[string]*Outage{}
	seen := map[string]Verdict{}
	for _, v := range c.sights {
		seen[sightKey(v.Index)] = v
	}
	for _, o := range c.outages {
		byKey[o.key()] = o
	}
	for key := range c.taken {
		out[key] = nil
		switch {
		case key == cursorKey:
			out[key] = record(c.c)
		case strings.HasPrefix(key, outagePrefix):
			if o := byKey[key]; o != nil {
				out[key] = record(o)
			}
		case strings.HasPrefix(key, sightPrefix):
			if v, ok := seen[key]; ok {
				out[key] = record(v)
			}
		default:
			g, begin, err := rollOf(key)
			if err != nil {
				panic("status: " + err.Error()) // the key is ours
			}
			if r := c.rolls[g][begin]; r != nil {
				out[key] = record(r)
			}
		}
	}
	return out
}

// Kept tells whether the records that were taken last are kept. Those that are not are
// handed out again.
func (c *Chronicle) Kept(ok bool) {
	for key := range c.taken {
		if !ok {
			c.changed[key] = true
		}
	}
	c.taken = nil
}

// record never fails: what it is given are plain values of this package.
func record(x any) []byte {
	b, err := json.Marshal(x)
	if err != nil {
		panic(fmt.Sprintf("status: record %T: %v", x, err))
	}
	return b
}

// RecallChronicle makes the chronicle that some records are of. Without records it knows
// nothing. An error names the record that cannot be read.
func RecallChronicle(records Records) (*Chronicle, error) {
	c := NewChronicle()
	for key, b := range records {
		if err := c.recall(key, b); err != nil {
			return nil, fmt.Errorf("record %s: %w", key, err)
		}
	}
	if len(records) > 0 && c.c.Head == 0 {
		return nil, fmt.Errorf("record %s is missing", cursorKey)
	}
	slices.SortFunc(c.outages, func(a, b *Outage) int { return strings.Compare(a.key(), b.key()) })
	slices.SortFunc(c.sights, func(a, b Verdict) int { return cmp.Compare(a.Index, b.Index) })
	for _, o := range c.outages {
		if o.Open() {
			c.open[o.Slot] = o
		}
	}
	return c, nil
}

func (c *Chronicle) recall(key string, b []byte) error {
	switch {
	case key == cursorKey:
		if err := json.Unmarshal(b, &c.c); err != nil {
			return err
		}
		if c.c.Schema != chronicleSchema || c.c.Slots == nil {
			return fmt.Errorf("schema is %d, want %d, and slots", c.c.Schema, chronicleSchema)
		}
		for id, x := range c.c.Slots {
			if x == nil {
				return fmt.Errorf("slot %s is empty", id)
			}
		}
		return nil
	case strings.HasPrefix(key, outagePrefix):
		o := &Outage{}
		c.outages = append(c.outages, o)
		return json.Unmarshal(b, o)
	case strings.HasPrefix(key, sightPrefix):
		var v Verdict
		if err := json.Unmarshal(b, &v); err != nil {
			return err
		}
		for _, x := range v.Findings {
			if len(x.Tallies) == 0 {
				return fmt.Errorf("finding on %s has no tally", x.Subject)
			}
		}
		c.sights = append(c.sights, v)
		return nil
	default:
		g, begin, err := rollOf(key)
		if err != nil {
			return err
		}
		r := &Roll{}
		if err := json.Unmarshal(b, r); err != nil {
			return err
		}
		for id, s := range r.Slots {
			if s == nil {
				return fmt.Errorf("share of %s is empty", id)
			}
		}
		c.rolls[g][begin] = r
		return nil
	}
}

// AsOf is the ledger's time up to which everything is counted.
func (c *Chronicle) AsOf() time.Time { return c.c.At }
