package count

// sketch is a count-min sketch with conservative update: it counts any number
// of keys in bounded memory and is never too low. How much it is too high falls
// with the number of cells; only the smallest cells of a key are raised, which
// keeps the rare ones from being carried up by the heavy ones.
type sketch struct{ rows [sketchRows][]window }

const (
	sketchRows  = 4
	sketchCells = 1 << 14 // 4 x 16,384 x 8 bytes: 512 KiB
)

func newSketch() (s sketch) {
	for i := range s.rows {
		s.rows[i] = make([]window, sketchCells)
	}
	return s
}

// cells of a key, one in each row. The key is a hash already; its parts are
// independent enough.
func (s *sketch) cells(key uint64) (out [sketchRows]*window) {
	for i := range s.rows {
		out[i] = &s.rows[i][key>>(14*i)&(sketchCells-1)]
	}
	return out
}

// add counts n and returns the estimate for this tick before and after.
func (s *sketch) add(key, tick, n uint64) (before, after uint64) {
	cells := s.cells(key)
	before = least(cells, tick)
	after = before + n
	for _, c := range cells {
		if have := c.in(tick); have < after {
			c.add(tick, after-have)
		}
	}
	return before, after
}

// before is the estimate for the tick before.
func (s *sketch) before(key, tick uint64) uint64 { return least(s.cells(key), (tick-1)&tickMask) }

func least(cells [sketchRows]*window, tick uint64) uint64 {
	n := cells[0].in(tick)
	for _, c := range cells[1:] {
		n = min(n, c.in(tick))
	}
	return n
}
