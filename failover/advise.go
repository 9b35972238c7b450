package failover

import (
	"fmt"
	"math"
	"time"

	"moonwatch/member"
)

// Sizing says what a pool of spares has to be enough for.
type Sizing struct {
	MTBF   time.Duration // of one member: how long it runs between two failures on average
	Repair time.Duration // from a failure until the member is a spare again, burn-in included
	Risk   float64       // the share of the time in which there may be fewer spares than needed
}

// Advice is how many spares one pool needs, and why.
type Advice struct {
	Pool    string               `json:"pool"`
	Members int                  `json:"members"` // of the pool, spares included
	Slots   int                  `json:"slots"`
	Have    int                  `json:"have"`       // members without a slot
	Chance  int                  `json:"for_chance"` // for members that fail one by one
	Largest member.FailureDomain `json:"largest_failure_domain,omitempty"`
	Lost    int                  `json:"for_failure_domain"` // slots that the largest domain may hold which is replaced without people
	Want    int                  `json:"want"`
	// Prepares is how long a spare likely takes until it is prepared, where that is known:
	// that long a slot waits even if there are spares enough.
	Prepares *Estimate `json:"prepares,omitempty"`
}

// Missing is how many spares the pool lacks.
func (a Advice) Missing() int { return max(0, a.Want-a.Have) }

// Advise works out how many spares each pool of a fleet needs. Members that fail one
// by one and come back after a repair are a queue with as many servers as wanted, so
// the number in repair is a Poisson one (M/G/inf). Correlated failures are not: the
// spares outside of a failure domain have to cover it too, where it is small enough
// to be replaced without people (PROTOCOL 7); for a larger one no spare helps.
func Advise(f *member.Fleet, s Sizing) ([]Advice, error) {
	if s.MTBF <= 0 || s.Repair <= 0 || s.Risk <= 0 || s.Risk >= 1 {
		return nil, fmt.Errorf("size the spares: mtbf is %v, repair %v, risk %g: want times above 0 and a risk between 0 and 1", s.MTBF, s.Repair, s.Risk)
	}
	roster := map[member.FailureDomain]int{}
	n := 0
	for _, m := range f.Members {
		if !m.Retired {
			roster[m.Domain]++
			n++
		}
	}
	var out []Advice
	for _, p := range f.Pools {
		a := Advice{Pool: p.Name, Slots: len(p.Slots)}
		in := map[member.FailureDomain]int{}
		for _, m := range f.Members {
			if m.Pool == p.Name && !m.Retired {
				a.Members++
				in[m.Domain]++
			}
		}
		a.Have = max(0, a.Members-a.Slots)
		a.Chance = enough(float64(a.Members)*s.Repair.Hours()/s.MTBF.Hours(), s.Risk)
		for _, m := range f.Members { // in the order of the file, so that the first of equals is named
			if d := m.Domain; in[d] > a.Lost && roster[d]*fallenShare <= n && roster[d] > 1 {
				a.Largest, a.Lost = d, min(in[d], a.Slots)
			}
		}
		a.Want = max(a.Chance, a.Lost, 1)
		out = append(out, a)
	}
	return out, nil
}

// enough is the smallest number that a Poisson variable of this mean exceeds with
// less than this probability.
func enough(mean, risk float64) int {
	term := math.Exp(-mean)
	more := 1 - term
	s := 0
	for ; more >= risk && s < 1e6; s++ {
		term *= mean / float64(s+1)
		more -= term
	}
	return s
}
