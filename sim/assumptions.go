package sim

import (
	"fmt"
	"math"
	"slices"

	"moonwatch/member"
)

// assumptions are what PROTOCOL.md asks of the world before it promises
// anything. A run that leaves them proves nothing about the promises, whatever it
// shows.
type assumptions struct {
	left    string // the first one that was left, and when
	emptied map[uint64]bool
	liars   map[member.ID]int     // by how many faults
	rates   map[member.ID]float64 // of clocks, by all drifts that last
}

func newAssumptions() assumptions {
	return assumptions{emptied: map[uint64]bool{}, liars: map[member.ID]int{}, rates: map[member.ID]float64{}}
}

// worstRate is the error of a clock's rate that the protocol stands.
const worstRate = 0.01

// Void says why this run is no judge of the promises, empty if it is one: a
// majority of the councillors' disks lost what it had synced, a clock ran more
// than 1 % too fast or too slow, half of a member's running observers lied, or a
// member that had lost its disk began a life by a clock that was behind the one before.
func (w *World) Void() string { return w.assumptions.left }

func (w *World) leave(format string, args ...any) {
	if w.assumptions.left == "" {
		w.assumptions.left = fmt.Sprintf("%v: ", w.now) + fmt.Sprintf(format, args...)
	}
}

// assume follows the faults.
func (w *World) assume(h Happening) {
	if h.What != FaultBegan && h.What != FaultEnded {
		return
	}
	began, f, a := h.What == FaultBegan, h.Fault, &w.assumptions
	switch f.Do {
	case Wipe, BitFlip:
		for _, s := range w.seats().All() {
			if slices.Contains(f.Whom, s.Member) && w.holds(s) {
				a.emptied[s.ID] = true
			}
		}
		if gone, all := w.forgotten(), len(w.seats().Voters); 2*len(gone) >= all {
			w.leave("%d of %d councillors' disks lost what they had synced: %v", len(gone), all, gone)
		}
	case ClockDrift:
		for _, id := range f.Whom {
			if !began {
				a.rates[id] -= f.Share
				continue
			}
			const rounding = 1e-9
			if a.rates[id] += f.Share; math.Abs(a.rates[id]) > worstRate+rounding {
				w.leave("the clock of %v is wrong by %.1f %% of the time, the protocol stands %.0f %%", id, 100*a.rates[id], 100*worstRate)
			}
		}
	case Lie, Defame:
		for _, id := range f.Whom {
			if began {
				a.liars[id]++
			} else {
				a.liars[id]--
			}
		}
	default: // within the assumptions
	}
}

// outlied notes when half of a member's running observers lie.
func (w *World) outlied() {
	if len(w.assumptions.liars) == 0 || w.assumptions.left != "" {
		return
	}
	overlay := w.checker.fold.Overlay()
	for _, m := range w.machines {
		liars, up := 0, 0
		for _, id := range overlay.ObserversOf(m.id) {
			if !w.machine(id).up() {
				continue
			}
			up++
			if w.assumptions.liars[id] > 0 {
				liars++
			}
		}
		if liars > 0 && 2*liars >= up {
			w.leave("%d of the %d running observers of %s lie", liars, up, m.id)
			return
		}
	}
}
