package sim

import "time"

// chance gives random numbers that depend only on the seed, what they are for,
// whom they concern and how often they were asked for there. So taking one
// fault out of a story leaves the dice of everything else as they were.
type chance struct {
	seed uint64
	n    map[uint64]uint64
	way  [2][]uint64 // the counters of delays and losses, of which there are most
	wide int
}

// stream says what a number is for.
type stream uint64

const (
	streamDelay stream = iota + 1
	streamLoss
	streamDisk
	streamAction
	streamWeather
	streamStart
)

// newChance is the chance of a world of so many machines.
func newChance(seed uint64, machines int) *chance {
	c := &chance{seed: seed, n: map[uint64]uint64{}, wide: machines}
	for i := range c.way {
		c.way[i] = make([]uint64, machines*machines)
	}
	return c
}

// next is the next number of a stream for the pair a, b.
func (c *chance) next(s stream, a, b int) uint64 {
	key := uint64(s)<<56 | uint64(uint32(a))<<28 | uint64(uint32(b))
	var n uint64
	if k := a*c.wide + b; s <= streamLoss && k < len(c.way[0]) {
		c.way[s-1][k]++
		n = c.way[s-1][k]
	} else {
		c.n[key]++
		n = c.n[key]
	}
	return mix(mix(c.seed^key*0x9e3779b97f4a7c15) + n*0xd1b54a32d192ed03)
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
