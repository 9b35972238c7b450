package scenario

// dice give what a plan draws. A number depends on the seed, on the step and
// on how many were drawn for it before, and on nothing else: taking one step out
// of a plan leaves the dice of all others as they were.
type dice struct {
	seed uint64
	step uint64
	what uint64
	n    uint64
}

// What dice are for. Each purpose has a stream of its own.
const (
	forWhom uint64 = iota + 1
	forOther
	forSwarm
)

func roll(seed uint64, step int, purpose uint64) *dice {
	return &dice{seed: seed, step: uint64(step), what: purpose}
}

func (d *dice) next() uint64 {
	d.n++
	key := d.what<<56 | d.step<<16 | 0x5c // apart from the world's own streams
	return mix(mix(d.seed^key*0x9e3779b97f4a7c15) + d.n*0xd1b54a32d192ed03)
}

// unit is a number from 0 up to 1.
func (d *dice) unit() float64 { return float64(d.next()>>11) / (1 << 53) }

// below is a number from 0 up to n.
func (d *dice) below(n int) int { return int(d.next() % uint64(max(1, n))) }

// some draws k different ones of a list; their order is drawn too.
func some[T any](d *dice, from []T, k int) []T {
	rest := append([]T(nil), from...)
	var out []T
	for range min(k, len(rest)) {
		i := d.below(len(rest))
		out = append(out, rest[i])
		rest = append(rest[:i], rest[i+1:]...)
	}
	return out
}

// mix is the finaliser of SplitMix64.
func mix(x uint64) uint64 {
	x ^= x >> 30
	x *= 0xbf58476d1ce4e5b9
	x ^= x >> 27
	x *= 0x94d049bb133111eb
	return x ^ x>>31
}
