package shield

import (
	"math/bits"
	"slices"
	"time"
)

// Whole is an admitted fraction of everything, in permille.
const Whole = 1000

// Measure is what a door does about one subdomain until it ends or is replaced.
type Measure struct {
	Key    Key    `json:"key"`
	Host   string `json:"host"` // its name or its bucket's; empty if this door has not seen it
	Rung   Rung   `json:"rung"`
	Shadow bool   `json:"shadow"` // it would be so: everything is counted and nothing done

	Admit int     `json:"admit_permille"` // of the requests, 0 to Whole; the same on every door from shape-fleet up
	Cap   float64 `json:"cap"`            // admitted requests a second at this door, never more; 0: no cap
	Burst float64 `json:"burst"`          // requests that the cap saves up

	Until  time.Time `json:"until"`             // not renewed by then, it ends
	Since  time.Time `json:"since"`             // when the subdomain came onto the ladder
	Demand float64   `json:"demand"`            // of all doors together, in the fleet's unit a second
	Limit  float64   `json:"limit"`             // what of it is its share
	ByCost bool      `json:"by_cost,omitempty"` // the unit of both is an occupant's time, and not requests
	Why    string    `json:"why"`               // one sentence for people
	Doors  []string  `json:"doors"`             // who has evidence, or voted
	By     string    `json:"by,omitempty"`      // the operator who pinned it to its rung
	Floors uint64    `json:"floors"`            // version of the floors with which the share was computed
}

// Quota is how many requests a second are the subdomain's share, to be told to its
// clients; 0 where its share is one of time, of which no client can say how many of its
// requests that is.
func (m *Measure) Quota() float64 {
	if m.ByCost {
		return 0
	}
	return m.Limit
}

// Measures is the set of measures of a door, made anew at each change and never
// changed itself: a door keeps it behind one pointer. The zero value and nil are
// empty.
type Measures struct {
	list  []Measure // sorted by key
	keys  []Key     // open addressing, at most a quarter full; 0 is free
	at    []uint16
	shift uint8
}

// mostMeasures bounds a set. The heaviest are held first; whoever is not among
// the 4,096 heaviest of a fleet endangers nobody.
const mostMeasures = 4096

// NewMeasures makes a set. Of two measures for a key the harder one counts.
func NewMeasures(list []Measure) *Measures {
	list = slices.Clone(list)
	slices.SortStableFunc(list, func(a, b Measure) int {
		switch {
		case a.Key != b.Key && a.Key < b.Key, a.Key == b.Key && a.Rung > b.Rung:
			return -1
		case a.Key == b.Key && a.Rung == b.Rung:
			return 0
		default:
			return 1
		}
	})
	list = slices.CompactFunc(list, func(a, b Measure) bool { return a.Key == b.Key })
	if len(list) > mostMeasures {
		list = list[:mostMeasures]
	}
	m := &Measures{list: list}
	if len(list) == 0 {
		return m
	}
	size := bits.Len(uint(4*len(list) - 1))
	m.keys, m.at, m.shift = make([]Key, 1<<size), make([]uint16, 1<<size), uint8(64-size)
	for i, x := range list {
		j := m.home(x.Key)
		for m.keys[j] != 0 {
			j = (j + 1) & (len(m.keys) - 1)
		}
		m.keys[j], m.at[j] = x.Key, uint16(i)
	}
	return m
}

func (m *Measures) home(k Key) int { return int(uint64(k) * 0x9e3779b97f4a7c15 >> m.shift) }

// Find gives the measure for a subdomain. It is called for every request, and
// finds nothing in a few nanoseconds. It does not look at Until: the owner makes
// a new set when a measure ends.
func (m *Measures) Find(k Key) *Measure {
	if m == nil || len(m.keys) == 0 {
		return nil
	}
	for j := m.home(k); ; j = (j + 1) & (len(m.keys) - 1) {
		if m.keys[j] == k {
			return &m.list[m.at[j]]
		}
		if m.keys[j] == 0 {
			return nil
		}
	}
}

// List is all of them, sorted by key. The caller must not change it.
func (m *Measures) List() []Measure {
	if m == nil {
		return nil
	}
	return m.list
}

// StickyFor is how long the same clients stay in, or out: long enough to load a
// page with all that belongs to it, short enough that everybody has a turn.
const StickyFor = 10 * time.Second

// Admits says whether a client is in the admitted fraction. The same clients
// are for StickyFor, so that some sessions work as a whole and not a part of
// every page. All doors agree about a client. What is no good name for a client
// is a random number: then each request is drawn anew.
func (m *Measure) Admits(now time.Time, client uint64) bool {
	if m.Admit >= Whole {
		return true
	}
	turn := uint64(now.UnixNano() / int64(StickyFor))
	h := (client ^ uint64(m.Key)) * 0x9e3779b97f4a7c15
	h = (h ^ h>>32 ^ turn) * 0xd6e8feb86659fd93
	h = (h ^ h>>32) * 0xd6e8feb86659fd93
	h ^= h >> 32
	part, _ := bits.Mul64(h, Whole)
	return int(part) < m.Admit
}
