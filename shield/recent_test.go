package shield

import (
	"testing"
	"time"
)

// A host may be read twice in a tick: it was hot, and it is held. Each refusal
// counts once.
func TestAHostThatIsReadTwiceIsCountedOnce(t *testing.T) {
	const flooded = Key(7)
	r := newRecent(time.Second)
	var total, refused uint32
	for range 5 {
		total, refused = total+100, refused+80
		x := Count{Key: flooded, Asked: 100, Total: total, Refused: refused}
		r.add(Counted{Tick: 50 * time.Millisecond, Counts: []Count{x, x}, Asked: uint64(total), Refused: uint64(refused)})
	}
	_, lines := r.traffic(nil)
	if len(lines) != 1 || lines[0].Lately != 500 || lines[0].Admitted != 180 { // of the first tick nothing was known before
		t.Errorf("%+v, want 500 asked and 180 let in", lines)
	}
	if n := r.lately(flooded); n != 500 {
		t.Errorf("lately %d, want 500", n)
	}
}
