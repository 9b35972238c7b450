package mind

import (
	"slices"
	"time"
)

// medianWithin is how exactly the median of the councillors' clocks has to be known: to so
// much in either direction. It is what a councillor who leads may be off.
const medianWithin = 2 * time.Second

// AheadOfCouncil is by how much a clock is ahead of the median of the clocks of a council of
// so many, by how much it is ahead of each of those that answered; a councillor counts
// itself, with zero.
//
// Who does not answer may have any clock. So the median lies between what it is if all of
// these are behind and what it is if all of these are ahead: where two of five have a wrong
// clock, three may answer whose middle one is wrong. It is unknown where the two are too
// far apart, and in a council of one, for either of two clocks may be the wrong one.
func AheadOfCouncil(council int, offsets []time.Duration) (ahead time.Duration, ok bool) {
	silent := council - len(offsets)
	low, high := (council-1)/2-silent, council/2
	if council < 2 || silent < 0 || low < 0 || high >= len(offsets) {
		return 0, false
	}
	sorted := slices.Sorted(slices.Values(offsets))
	least, most := sorted[low], sorted[high]
	if most-least > 2*medianWithin {
		return 0, false
	}
	return least + (most-least)/2, true
}

// mostAhead is by how much a clock is ahead of that median at most: if all who do not answer
// are as far behind as can be. It is known where a majority answers. Councillors whose
// clocks are behind by more than behind do not count: they show a time that has passed.
func mostAhead(council int, offsets []time.Duration, behind time.Duration) (ahead time.Duration, ok bool) {
	if len(offsets) <= council/2 {
		return 0, false
	}
	can := slices.DeleteFunc(slices.Sorted(slices.Values(offsets)), func(d time.Duration) bool { return d > behind })
	if len(can) == 0 {
		return 0, false
	}
	return can[min(council/2, len(can)-1)], true
}
