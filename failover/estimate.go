package failover

import (
	"slices"
	"time"
)

// Estimate is how long a spare of a pool takes until it is prepared.
type Estimate struct {
	// Likely is what all but one of twenty stay below. Who takes longer gets company.
	Likely time.Duration `json:"likely"`
	Of     int           `json:"of"` // so many activations and drills; 0: it is a guess
}

const (
	// estimateKept is how many times are remembered: enough for a 95th percentile, and
	// of lately.
	estimateKept = 20
	// estimateFrom is how many are needed to believe them.
	estimateFrom = 3
	// estimateLeast keeps a very fast action from being hedged for one slow commit.
	estimateLeast = time.Second
)

// took remembers how long a spare of a pool took to prepare.
func (st *State) took(pool string, d time.Duration) {
	if st.s.Took == nil {
		st.s.Took = map[string][]time.Duration{}
	}
	all := append(slices.Clone(st.s.Took[pool]), d)
	st.s.Took[pool] = all[max(0, len(all)-estimateKept):]
}

// Estimate tells how long a spare of a pool likely takes until it is prepared: the 95th
// percentile of the last drills and activations, and half of the deadline where there
// are too few of them.
func (st *State) Estimate(pool string) Estimate {
	limit := st.timing().Activate
	all := slices.Sorted(slices.Values(st.s.Took[pool]))
	if len(all) < estimateFrom {
		return Estimate{Likely: limit / 2}
	}
	p95 := all[(len(all)*95+99)/100-1]
	return Estimate{Likely: min(max(p95, estimateLeast), limit), Of: len(all)}
}
