package sim

import "time"

// chance gives random numbers that depend only on the seed, what they are for,
// whom they concern and how often they were asked for there. So taking one
// fault out of a story leaves the dice of everything else as they were.
type chance struct {
	seed uint64
	dice []die // a table with open addressing; its length is a power of two
	used int
}

// die counts how often one stream was asked for one pair. Pairs are few: a
// member speaks with those that it observes, those that observe it, and the
// councillors.
type die struct{ key, n uint64 }

// stream says what a number is for.
type stream uint64

const (
	streamDelay stream = iota + 1
	streamLoss
	streamDisk
	streamAction
	streamWeather
	streamStart
	streamClients
)

func newChance(seed uint64) *chance { return &chance{seed: seed, dice: make([]die, 1<<10)} }

// next is the next number of a stream for the pair a, b.
func (c *chance) next(s stream, a, b int) uint64 {
	key := uint64(s)<<56 | uint64(uint32(a))<<28 | uint64(uint32(b))
	h := mix(c.seed ^ key*0x9e3779b97f4a7c15)
	d := c.die(key, h)
	d.n++
	return mix(h + d.n*0xd1b54a32d192ed03)
}

// die finds the counter of a key, whose hash is h. A counter that was used is at
// least 1.
func (c *chance) die(key, h uint64) *die {
	last := uint64(len(c.dice) - 1)
	i := h & last
	for c.dice[i].n > 0 && c.dice[i].key != key {
		i = (i + 1) & last
	}
	if c.dice[i].n > 0 {
		return &c.dice[i]
	}
	if 2*c.used >= len(c.dice) { // half empty, so that a search is short
		c.grow()
		return c.die(key, h)
	}
	c.used++
	c.dice[i].key = key
	return &c.dice[i]
}

func (c *chance) grow() {
	old := c.dice
	c.dice, c.used = make([]die, 2*len(old)), 0
	for _, d := range old {
		if d.n > 0 {
			*c.die(d.key, mix(c.seed^d.key*0x9e3779b97f4a7c15)) = d
		}
	}
}

// unit is a number from 0 up to 1.
func (c *chance) unit(s stream, a, b int) float64 {
	return float64(c.next(s, a, b)>>11) / (1 << 53)
}

// span is a duration drawn evenly from a range.
func (c *chance) span(s Span, what stream, a int) time.Duration {
	return s.Min + time.Duration(c.next(what, a, 0)%uint64(max(1, s.Max-s.Min)))
}

// mix is the finaliser of SplitMix64.
func mix(x uint64) uint64 {
	x ^= x >> 30
	x *= 0xbf58476d1ce4e5b9
	x ^= x >> 27
	x *= 0x94d049bb133111eb
	return x ^ x>>31
}
