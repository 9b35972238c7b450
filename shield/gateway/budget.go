package gateway

import (
	"sync"
	"sync/atomic"
	"time"
)

// budget bounds the second sendings of a pool's late requests: free in the
// first second of trouble, then a share of the traffic. Without it a slow pool
// would get twice the load that made it slow.
type budget struct {
	reflex   *Reflex
	requests atomic.Uint64 // what the share is a share of

	mu     sync.Mutex
	seen   uint64 // requests that have earned already
	tokens float64
	began  time.Time // of the trouble
	wished time.Time // the last time somebody came, served or not
}

// spend books one second sending, or reports that it has to be left out.
func (b *budget) spend(now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := b.requests.Load()
	b.tokens = min(b.tokens+float64(n-b.seen)*b.reflex.RetryShare, b.reflex.RetryBurst)
	b.seen = n
	if b.wished.IsZero() || now.Sub(b.wished) >= b.reflex.CalmAfter {
		b.began = now
	}
	b.wished = now
	if now.Sub(b.began) < b.reflex.FreeFor {
		return true
	}
	if b.tokens < 1 {
		return false
	}
	b.tokens--
	return true
}
