package consensus

import (
	"hash/fnv"
	"time"

	"moonwatch/member"
)

// phase spreads what happens every interval by a hash of the member's name.
func phase(id member.ID, interval time.Duration) time.Duration {
	h := fnv.New32a()
	h.Write([]byte(id))
	return time.Duration(uint64(h.Sum32()) * uint64(interval) >> 32)
}
