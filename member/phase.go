package member

import (
	"hash/fnv"
	"time"
)

// Phase spreads what everybody does every interval: it is a point within the interval
// that depends on the name alone, so that a fleet that started at once does not act at
// once ever after.
func Phase(name string, interval time.Duration) time.Duration {
	h := fnv.New32a()
	h.Write([]byte(name))
	return time.Duration(uint64(h.Sum32()) * uint64(interval) >> 32)
}
