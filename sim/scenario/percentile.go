package scenario

import (
	"cmp"
	"slices"
)

// Percentile is the smallest of the values that so many percent of them do not
// exceed: always one that was measured. It is zero of none.
func Percentile[T cmp.Ordered](values []T, pct int) T {
	if len(values) == 0 {
		var none T
		return none
	}
	sorted := slices.Sorted(slices.Values(values))
	return sorted[max(0, (len(sorted)*pct+99)/100-1)]
}
