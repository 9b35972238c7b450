package campaign

import "slices"

// quantile is the smallest value that a share q of all values does not exceed
// (the nearest rank: always a value that was measured). Nil if there is none.
func quantile(values []int64, q float64) *int64 {
	if len(values) == 0 {
		return nil
	}
	sorted := slices.Sorted(slices.Values(values))
	rank := int(q * float64(len(sorted)))
	if float64(rank) < q*float64(len(sorted)) {
		rank++
	}
	return &sorted[min(max(rank, 1), len(sorted))-1]
}
