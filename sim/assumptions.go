package sim

import (
	"fmt"
	"maps"
	"math"
	"slices"

	"moonwatch/member"
)

// rateMost is the clock-rate error that the protocol stands.
const rateMost = 0.01

// Beyond lists how a story leaves what the protocol assumes: there a broken
// promise says nothing, and a run is void. Empty: it stays within.
//
// Clocks run at most 1 % wrong; a majority of the councillors' disks keeps what
// it synced, over the whole story, for nobody gives a councillor its seat back;
// and one observer at most has its key in wrong hands.
func Beyond(council []member.ID, faults []Fault) []string {
	rates := map[member.ID]float64{}
	emptied, liars := map[member.ID]bool{}, map[member.ID]bool{}
	for _, f := range faults {
		for _, id := range f.Whom {
			switch f.Do {
			case ClockDrift:
				rates[id] = max(rates[id], math.Abs(f.Share))
			case Wipe, BitFlip:
				if slices.Contains(council, id) {
					emptied[id] = true
				}
			case Lie, Defame:
				liars[id] = true
			default: // whatever else goes wrong, the promises hold
			}
		}
	}
	var out []string
	for _, id := range slices.Sorted(maps.Keys(rates)) {
		if r := rates[id]; r > rateMost {
			out = append(out, fmt.Sprintf("the clock of %s runs %.3g %% wrong, at most %g %%", id, 100*r, 100*rateMost))
		}
	}
	if n := len(emptied); 2*n >= len(council) && n > 0 {
		out = append(out, fmt.Sprintf("%d of %d councillors lose their disk: %v", n, len(council), slices.Sorted(maps.Keys(emptied))))
	}
	if len(liars) > 1 {
		out = append(out, fmt.Sprintf("%d observers lie: %v", len(liars), slices.Sorted(maps.Keys(liars))))
	}
	return out
}
