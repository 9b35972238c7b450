package count

import (
	"sync/atomic"
	"time"
)

// Bucket holds admitted requests to a rate: in any stretch of time t it admits
// at most burst + rate x t. It counts what it admits and never what it refuses,
// or a flood would shut out for good whom it was to let in at a rate. It is one
// word, shared by all goroutines of a door (GCRA).
type Bucket struct {
	full atomic.Int64 // when the bucket is full again, in nanoseconds
}

// Take admits one request at now, or does not. After a clock jumped
// back it goes on at its rate.
func (b *Bucket) Take(now time.Time, rate, burst float64) bool {
	if rate <= 0 {
		return false
	}
	t := now.UnixNano()
	each := int64(float64(time.Second) / rate)
	room := int64(max(burst, 1) * float64(each))
	for {
		full := b.full.Load()
		if full > t+room { // the clock jumped back, or the rate grew: the bucket is empty, and not shut until then
			b.full.CompareAndSwap(full, t+room)
			continue
		}
		next := max(full, t) + each
		if next > t+room {
			return false
		}
		if b.full.CompareAndSwap(full, next) {
			return true
		}
	}
}
