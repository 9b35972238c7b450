package sim

// chance gives random numbers that depend only on the seed, what they are for,
// whom they concern and how often they were asked for there. So taking one
// fault out of a story leaves the dice of everything else as they were.
type chance struct {
	seed uint64
	n    map[uint64]uint64
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

func newChance(seed uint64) *chance { return &chance{seed: seed, n: map[uint64]uint64{}} }

// next is the next number of a stream for the pair a, b.
func (c *chance) next(s stream, a, b int) uint64 {
	key := uint64(s)<<56 | uint64(uint32(a))<<28 | uint64(uint32(b))
	c.n[key]++
	return mix(mix(c.seed^key*0x9e3779b97f4a7c15) + c.n[key]*0xd1b54a32d192ed03)
}

// unit is a number from 0 up to 1.
func (c *chance) unit(s stream, a, b int) float64 {
	return float64(c.next(s, a, b)>>11) / (1 << 53)
}

// mix is the finaliser of SplitMix64.
func mix(x uint64) uint64 {
	x ^= x >> 30
	x *= 0xbf58476d1ce4e5b9
	x ^= x >> 27
	x *= 0x94d049bb133111eb
	return x ^ x>>31
}
