package count

import "sync/atomic"

// window counts in the present tick and remembers the one before, in one word
// that is changed at once:
//
//	| tick: 20 bits | this tick: 22 bits | the tick before: 22 bits |
//
// A window that nobody touched for exactly 2^20 ticks (29 hours of 100 ms)
// takes its last count for a new one, once.
type window struct{ word atomic.Uint64 }

const (
	tickBits  = 20
	countBits = 22
	tickMask  = 1<<tickBits - 1
	countMask = 1<<countBits - 1
	// mostInTick leaves room for those who add in the same moment: a count stands
	// still there and never runs into the tick.
	mostInTick = 1 << (countBits - 1)
)

// add counts n in a tick. It returns the count of this tick before and after,
// and what was in the window that was closed by it, if one was.
func (w *window) add(tick, n uint64) (before, after, closed uint64) {
	n = min(n, mostInTick/2)
	for {
		old := w.word.Load()
		now := old >> countBits & countMask
		if old>>(2*countBits) == tick {
			if now > mostInTick {
				return now, now, 0
			}
			// Should the tick end just now, n is counted in the next one.
			now = w.word.Add(n<<countBits) >> countBits & countMask
			return now - n, now, 0
		}
		next := tick<<(2*countBits) | n<<countBits
		if old>>(2*countBits) == (tick-1)&tickMask {
			next |= now
		}
		if w.word.CompareAndSwap(old, next) {
			return 0, n, now
		}
	}
}

// in is what was counted in a tick: the present one or one of the two before.
func (w *window) in(tick uint64) uint64 { return counted(w.word.Load(), tick) }

func counted(word, tick uint64) uint64 {
	switch word >> (2 * countBits) {
	case tick:
		return word >> countBits & countMask
	case (tick + 1) & tickMask:
		return word & countMask
	default:
		return 0
	}
}
