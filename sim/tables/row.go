package tables

import (
	"fmt"
	"math"
	"slices"
	"time"

	"moonwatch/sim/scenario"
)

// Row is what runs of one setting came to. One run's row is one line of a
// results file.
type Row struct {
	Setting string   `json:"setting"`
	Seeds   []uint64 `json:"seeds"` // one per run, in the order in which they were added
	Members int      `json:"members"`
	Seconds float64  `json:"virtual_seconds"` // that were measured, of all runs, warming up left out
	Faults  int      `json:"faults"`          // that struck: crashes, stalls, spells of a bad link
	Ours    Score    `json:"ours"`
	Naive   Score    `json:"naive"`
	Broken  []string `json:"broken,omitempty"` // promises that the world's checker saw broken; the run ended there
}

// Score is what one policy did.
type Score struct {
	DetectMS  []int64 `json:"detect_ms,omitempty"` // from a fault to the verdict on its member, each
	Missed    int     `json:"missed,omitempty"`    // faults that had to be found and were not, in time
	Decisions int     `json:"decisions"`           // verdicts that condemned somebody: one may name many
	Condemned int     `json:"condemned"`           // members, as often as they were
	Healthy   int     `json:"healthy"`             // of them such as nothing was wrong with
	Told      int     `json:"told,omitempty"`      // partial: people were told, nobody was condemned
	Replaced  int     `json:"replaced"`            // replacements that began
	Cascading int     `json:"cascading"`           // of them in a cascade
	Vacant    int     `json:"vacant"`              // slots without an occupant at the end, for want of a spare
	Dry       int     `json:"dry"`                 // runs in which a slot found no spare
}

// Runs is how many worlds were played.
func (r *Row) Runs() int { return len(r.Seeds) }

// MemberDays is how long all members together were watched.
func (r *Row) MemberDays() float64 { return r.Seconds * float64(r.Members) / (24 * 60 * 60) }

// Add adds another row of the same setting.
func (r *Row) Add(o Row) {
	r.Setting, r.Members = o.Setting, o.Members
	r.Seeds = append(r.Seeds, o.Seeds...)
	r.Seconds += o.Seconds
	r.Faults += o.Faults
	r.Ours.add(o.Ours)
	r.Naive.add(o.Naive)
	r.Broken = append(r.Broken, o.Broken...)
}

func (s *Score) add(o Score) {
	s.DetectMS = append(s.DetectMS, o.DetectMS...)
	s.Missed += o.Missed
	s.Decisions += o.Decisions
	s.Condemned += o.Condemned
	s.Healthy += o.Healthy
	s.Told += o.Told
	s.Replaced += o.Replaced
	s.Cascading += o.Cascading
	s.Vacant += o.Vacant
	s.Dry += o.Dry
}

// Detect is a percentile of the times to a verdict; 0 if there is none.
func (s *Score) Detect(pct int) time.Duration {
	return time.Duration(scenario.Percentile(s.DetectMS, pct)) * time.Millisecond
}

// Bound is the rate of condemned healthy members per member-day that the row
// excludes with 95 %: the rule of three where there was none, else Poisson's upper
// bound as Wilson and Hilferty approximate it, to less than one per cent.
func (r *Row) Bound(s *Score) float64 {
	days := r.MemberDays()
	switch {
	case days == 0:
		return math.Inf(1)
	case s.Healthy == 0:
		return 3 / days
	}
	k := float64(s.Healthy + 1)
	return k * math.Pow(1-1/(9*k)+1.645/(3*math.Sqrt(k)), 3) / days
}

// seeds names the seeds as ranges.
func seeds(list []uint64) string {
	sorted := slices.Sorted(slices.Values(list))
	out := ""
	for i := 0; i < len(sorted); {
		j := i
		for j+1 < len(sorted) && sorted[j+1] == sorted[j]+1 {
			j++
		}
		if out != "" {
			out += ","
		}
		out += fmt.Sprint(sorted[i])
		if j > i {
			out += fmt.Sprintf("-%d", sorted[j])
		}
		i = j + 1
	}
	return out
}
