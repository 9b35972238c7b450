// Package count is the table in which a door counts its requests per subdomain.
//
// It is the one part of the shield that many goroutines share: any of them
// counts, without a lock and without asking the time, and one owner closes a
// tick now and then (Rotate) and reads what was counted. A tick is as long as
// the owner makes it; 100 ms is usual.
//
// What a subdomain is counted under is bounded, whatever names clients invent:
// known subdomains are counted exactly, one by one. A subdomain becomes known
// when a request for it was answered well (Learn). All unknown ones share the
// bucket of their parent, so a flood of random names is one heavy subdomain;
// under pressure those do, too, that are known and seldom asked for, unless they
// are heavy alone. Who is not asked for any more is forgotten when room is wanted.
// When the table is full, a sketch finds those unknown that are heavy alone.
package count

import (
	"errors"
	"fmt"
	"math/bits"
	"sync"
	"sync/atomic"

	"moonwatch/shield"
)

// Config of a counter.
type Config struct {
	// Hosts are counted exactly; each costs 48 bytes, whether it is there or not.
	Hosts int
	// Salt of the cluster, see shield.KeyOf.
	Salt uint64
	// Learn is how many hosts may become known in a tick until Rotate says
	// otherwise. 0 learns nobody.
	Learn int
}

// DefaultConfig counts a million hosts within 48 MiB, and learns as they come.
func DefaultConfig() Config { return Config{Hosts: 1_000_000, Learn: 10_000} }

// Validate lists what cannot work.
func (c Config) Validate() error {
	var errs []error
	if c.Hosts < 1 || c.Hosts > 1<<26 {
		errs = append(errs, fmt.Errorf("hosts is %d, want 1 to %d", c.Hosts, 1<<26))
	}
	if c.Learn < 0 {
		errs = append(errs, fmt.Errorf("learn is %d, want at least 0", c.Learn))
	}
	return errors.Join(errs...)
}

// Counter counts. All methods but Rotate may be called at any time from any
// goroutine.
type Counter struct {
	salt     uint64
	slots    []slot // open addressing, linear probing, never more than two thirds full
	capacity int64
	nameless slot
	habits   habits // of the slots

	filling sync.Mutex // who changes the keys of slots, or habits
	gone    int64      // slots that were given away and are not free yet
	calm    uint64     // ticks without pressure
	gather  atomic.Bool
	kept    atomic.Pointer[shield.Measures]

	tick  atomic.Uint64 // of tickBits bits, counted by Rotate
	known atomic.Int64
	learn atomic.Int64 // how many more may become known in this tick
	full  atomic.Bool

	hotAsked atomic.Uint64 // counts in a tick from which a host is hot
	hotCost  atomic.Uint64
	hot      [hotRoom]atomic.Pointer[hotHost]
	hots     atomic.Uint32

	asked, cost sketch // of unknown hosts, when the table is full
	stripes     [stripes]stripe
	last        Total
}

// slot is what is counted of one subdomain: 32 bytes, two to a cache line.
type slot struct {
	key     atomic.Uint64
	asked   window
	cost    window
	total   atomic.Uint32 // requests up to the last closed window, modulo 2^32
	refused atomic.Uint32 // of these, modulo 2^32
}

// Keys of slots that are nobody's: one that was never taken, or may be taken as if, and one
// past which somebody else may be.
const (
	free = 0
	gone = uint64(shield.Nameless)
)

// stripe is a part of the totals, alone on its cache line.
type stripe struct {
	asked, refused, served, cost atomic.Uint64
	_                            [32]byte
}

const (
	stripes = 64
	// hotRoom bounds how many hosts are reported hot in a tick. Each has at least
	// 1/hotShare of the requests or of the cost, so twice that is enough unless
	// the traffic grew manifold within the tick.
	hotRoom  = 2048
	hotShare = 256
	// Less than this in a tick is not hot: in a quiet fleet nobody is.
	leastHotAsked = 2
	leastHotCost  = 100
)

type hotHost struct {
	ref  Ref
	name string
}

// New makes a counter. Its memory is taken at once and never grows.
func New(cfg Config) (*Counter, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("new counter: %w", err)
	}
	c := &Counter{
		salt: cfg.Salt, capacity: int64(cfg.Hosts),
		slots: make([]slot, cfg.Hosts+cfg.Hosts/2+1),
		asked: newSketch(), cost: newSketch(),
	}
	c.habits = newHabits(len(c.slots))
	c.nameless.key.Store(uint64(shield.Nameless))
	c.tick.Store(1)
	c.learn.Store(int64(cfg.Learn))
	c.hotAsked.Store(leastHotAsked)
	c.hotCost.Store(leastHotCost)
	return c, nil
}

// Ref is where a request was counted. The zero Ref is nowhere.
type Ref struct {
	c     *Counter
	slot  *slot // nil: in the sketch
	key   shield.Key
	known bool
	alone bool
}

// Key is what the request is judged under: its host's, or its bucket's.
func (r Ref) Key() shield.Key { return r.key }

// Known reports whether the host is known. One that is not wants a Learn when it was
// answered well.
func (r Ref) Known() bool { return r.known }

// Add counts one request for a name in its normal form; nil is a Host that is
// no name.
func (c *Counter) Add(name []byte) Ref {
	r := c.place(name)
	tick := c.tick.Load()
	var before, after uint64
	if r.slot == nil {
		before, after = c.asked.add(uint64(r.key), tick, 1)
	} else {
		var closed uint64
		before, after, closed = r.slot.asked.add(tick, 1)
		if closed > 0 {
			r.slot.total.Add(uint32(closed))
		}
	}
	c.stripes[uint64(r.key)%stripes].asked.Add(1)
	if h := c.hotAsked.Load(); before < h && after >= h {
		c.heat(r, name)
	}
	return r
}

// Cost adds what a counted request has cost: tenths of a millisecond of an
// occupant's time, or whatever else the doors agree on. The name is only for
// people.
func (r Ref) Cost(units uint32, name []byte) {
	if r.c == nil || units == 0 || !r.there() {
		return
	}
	var before, after uint64
	if r.slot == nil {
		before, after = r.c.cost.add(uint64(r.key), r.c.tick.Load(), uint64(units))
	} else {
		before, after, _ = r.slot.cost.add(r.c.tick.Load(), uint64(units))
	}
	r.c.stripes[uint64(r.key)%stripes].cost.Add(uint64(units))
	if h := r.c.hotCost.Load(); before < h && after >= h {
		r.c.heat(r, name)
	}
}

// Refuse notes that a counted request was not admitted.
func (r Ref) Refuse() {
	if r.c == nil {
		return
	}
	if r.slot != nil && r.there() {
		r.slot.refused.Add(1)
	}
	r.c.stripes[uint64(r.key)%stripes].refused.Add(1)
}

// Serve notes that a counted request was answered well.
func (r Ref) Serve() {
	if r.c != nil {
		r.c.stripes[uint64(r.key)%stripes].served.Add(1)
	}
}

// there reports that its place is not somebody else's by now.
func (r Ref) there() bool { return r.slot == nil || r.slot.key.Load() == uint64(r.key) }

// place finds where a name is counted.
func (c *Counter) place(name []byte) Ref {
	if len(name) == 0 {
		return Ref{c: c, slot: &c.nameless, key: shield.Nameless}
	}
	key := shield.KeyOf(c.salt, name)
	i, known := c.at(key)
	if known && (!c.gather.Load() || c.keepsApart(key, i)) {
		return Ref{c: c, slot: &c.slots[i], key: key, known: true, alone: true}
	}
	if known {
		c.asked.add(uint64(key), c.tick.Load(), 1) // it may become heavy
		return c.among(name, true)
	}
	if c.full.Load() && c.asked.before(uint64(key), c.tick.Load()) >= c.hotAsked.Load() {
		return Ref{c: c, key: key, alone: true} // heavy, though unknown
	}
	if c.full.Load() {
		c.asked.add(uint64(key), c.tick.Load(), 1)
	}
	return c.among(name, false)
}

// among counts a name with others below its parent.
func (c *Counter) among(name []byte, known bool) Ref {
	if key, ok := shield.ParentKeyOf(c.salt, name); ok {
		if s := c.find(key); s != nil {
			return Ref{c: c, slot: s, key: key, known: known}
		}
	}
	return Ref{c: c, slot: &c.nameless, key: shield.Nameless, known: known}
}

// keepsApart reports that somebody known is counted alone under pressure, too: it has a
// usual demand, is heavy alone, or is held.
func (c *Counter) keepsApart(key shield.Key, i uint64) bool {
	if settled(c.habits.of(i)) || c.kept.Load().Find(key) != nil {
		return true
	}
	tick := c.tick.Load()
	lately := max(c.slots[i].asked.in((tick-1)&tickMask), c.asked.before(uint64(key), tick))
	return lately >= c.hotAsked.Load()
}

// Keep names those that are held: as long as they are, those known stay known, and are
// counted alone, or nobody would find what is done about them.
func (c *Counter) Keep(held *shield.Measures) { c.kept.Store(held) }

func (c *Counter) find(key shield.Key) *slot {
	if i, ok := c.at(key); ok {
		return &c.slots[i]
	}
	return nil
}

// at finds the slot of a key.
func (c *Counter) at(key shield.Key) (i uint64, ok bool) {
	i, _ = bits.Mul64(uint64(key), uint64(len(c.slots)))
	for {
		switch c.slots[i].key.Load() {
		case uint64(key):
			return i, true
		case free:
			return 0, false
		}
		if i++; i == uint64(len(c.slots)) {
			i = 0
		}
	}
}

// Learn makes a host known, and the bucket of the unknown ones beside it. It
// reports false if it is not: the table is full, or enough were learned in this
// tick.
func (c *Counter) Learn(name []byte) bool {
	if len(name) == 0 {
		return false
	}
	key := shield.KeyOf(c.salt, name)
	if c.find(key) != nil {
		return true
	}
	// Read before it is written: who floods with names shall not have all processors
	// fight for what every request reads.
	if c.full.Load() || c.learn.Load() <= 0 || c.learn.Add(-1) < 0 {
		return false
	}
	c.filling.Lock()
	defer c.filling.Unlock()
	if !c.insert(key) {
		return false
	}
	if bucket, ok := shield.ParentKeyOf(c.salt, name); ok {
		c.insert(bucket)
	}
	return true
}

// insert gives a key a slot, unless there is none left.
func (c *Counter) insert(key shield.Key) bool {
	i, _ := bits.Mul64(uint64(key), uint64(len(c.slots)))
	given, found := uint64(0), false
	for c.slots[i].key.Load() != free {
		switch c.slots[i].key.Load() {
		case uint64(key):
			return true
		case gone:
			if !found {
				given, found = i, true
			}
		}
		if i++; i == uint64(len(c.slots)) {
			i = 0
		}
	}
	switch {
	case found:
		i = given
		c.gone--
	case c.known.Load()+c.gone >= c.capacity:
		c.full.Store(true)
		return false
	}
	s, tick := &c.slots[i], c.tick.Load()
	s.asked.word.Store(tick << (2 * countBits)) // it was asked for just now
	s.cost.word.Store(0)
	s.total.Store(0)
	s.refused.Store(0)
	habit := uint32(0)
	if c.calm < 4*stretch {
		habit = always
	}
	c.habits.set(i, habit)
	c.known.Add(1)
	s.key.Store(uint64(key)) // from now on it is found
	return true
}

// heat notes that a host is hot in this tick. It is called once by whoever
// brings it over the line.
func (c *Counter) heat(r Ref, name []byte) {
	if i := c.hots.Add(1) - 1; i < hotRoom {
		shown := string(name)
		if !r.alone {
			shown, _ = shield.Bucket(name)
		}
		c.hot[i].Store(&hotHost{ref: r, name: shown})
	}
}
