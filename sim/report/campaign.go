package report

import (
	"cmp"
	"slices"
	"time"

	"moonwatch/sim"
	"moonwatch/sim/scenario"
)

// Campaign sums the runs of many seeds up. Its zero value is one in which no
// seed has run.
type Campaign struct {
	Name  string `json:"name"`  // of the scenario
	Asked int    `json:"asked"` // seeds; more than Seeds if the campaign was ended early
	Seeds int    `json:"seeds"` // that ran
	First uint64 `json:"first_seed"`
	Last  uint64 `json:"last_seed"`
	Trace string `json:"trace_hash"` // of the seeds' hashes in the order of seeds; of one seed its own

	Members  int                      `json:"members"` // of the largest fleet
	Outcomes map[scenario.Outcome]int `json:"outcomes"`
	Verdicts int                      `json:"verdicts"`
	False    int                      `json:"false_verdicts"`
	Events   uint64                   `json:"events"`
	Virtual  time.Duration            `json:"virtual_ns"`
	Requests int                      `json:"requests"`
	Failed   int                      `json:"failed"`

	DetectMS  []int64         `json:"detect_ms"`
	RecoverMS []int64         `json:"recover_ms"`
	Messages  scenario.Spread `json:"messages_per_member_second"`
	Bytes     scenario.Spread `json:"bytes_per_member_second"`
	Checks    map[string]int  `json:"checks"`
	Sometimes map[string]int  `json:"sometimes"`

	// Faults counts, for each kind of fault, how the seeds ended in which it
	// struck at least once.
	Faults  map[sim.FaultKind]map[scenario.Outcome]int `json:"faults"`
	Slowest []Slow                                     `json:"slowest"` // slowest first
	Broken  []Broken                                   `json:"broken"`  // in the order of seeds

	messages, bytes medians
}

// Slow is a seed that took long on the clock of the wall.
type Slow struct {
	Seed   uint64        `json:"seed"`
	Took   time.Duration `json:"took_ns"`
	Events uint64        `json:"events"`
}

// Broken is a seed that ended neither ok nor void.
type Broken struct {
	Seed    uint64           `json:"seed"`
	Outcome scenario.Outcome `json:"outcome"`
	Promise string           `json:"promise,omitempty"`
	Text    string           `json:"text,omitempty"`
}

// slowestKept is how many slow seeds are worth a look.
const slowestKept = 20

// Add takes one more seed in, in any order: what it took on the clock of the
// wall, and the kinds of faults that struck in it. A seed whose worker crashed
// has a result that says so and is empty otherwise.
//
// Of the spreads of several seeds it keeps the least, the median of the medians
// and the most.
func (c *Campaign) Add(r scenario.Result, took time.Duration, struck []sim.FaultKind) {
	if c.Seeds++; c.Seeds == 1 {
		c.First, c.Last = r.Seed, r.Seed
		c.Outcomes, c.Faults = map[scenario.Outcome]int{}, map[sim.FaultKind]map[scenario.Outcome]int{}
		c.Checks, c.Sometimes = map[string]int{}, map[string]int{}
	}
	c.First, c.Last = min(c.First, r.Seed), max(c.Last, r.Seed)
	c.Members = max(c.Members, r.Members)
	c.Outcomes[r.Outcome]++
	c.Verdicts += r.Verdicts
	c.False += r.False
	c.Events += r.Events
	c.Virtual += r.Virtual
	c.Requests += r.Requests
	c.Failed += r.Failed
	c.DetectMS = append(c.DetectMS, r.DetectMS...)
	c.RecoverMS = append(c.RecoverMS, r.RecoverMS...)
	if r.Virtual > 0 {
		c.messages.add(&c.Messages, r.Messages)
		c.bytes.add(&c.Bytes, r.Bytes)
	}
	addAll(c.Checks, r.Checks)
	addAll(c.Sometimes, r.Sometimes)
	for _, k := range slices.Compact(slices.Sorted(slices.Values(struck))) {
		if c.Faults[k] == nil {
			c.Faults[k] = map[scenario.Outcome]int{}
		}
		c.Faults[k][r.Outcome]++
	}
	c.Slowest = insert(c.Slowest, Slow{Seed: r.Seed, Took: took, Events: r.Events}, func(a, b Slow) int {
		return cmp.Or(cmp.Compare(b.Took, a.Took), cmp.Compare(a.Seed, b.Seed))
	})
	c.Slowest = c.Slowest[:min(len(c.Slowest), slowestKept)]
	if r.Outcome != scenario.Ok && r.Outcome != scenario.Void {
		b := Broken{Seed: r.Seed, Outcome: r.Outcome, Promise: r.Promise, Text: r.Broken}
		c.Broken = insert(c.Broken, b, func(a, b Broken) int { return cmp.Compare(a.Seed, b.Seed) })
	}
}

// medians are those of the spreads that were added, in order.
type medians []float64

func (m *medians) add(sum *scenario.Spread, s scenario.Spread) {
	if len(*m) == 0 {
		*sum = s
	}
	*m = insert(*m, s.Median, cmp.Compare[float64])
	*sum = scenario.Spread{Min: min(sum.Min, s.Min), Median: (*m)[(len(*m)-1)/2], Max: max(sum.Max, s.Max)}
}

// insert keeps a sorted slice sorted.
func insert[T any](sorted []T, x T, order func(a, b T) int) []T {
	i, _ := slices.BinarySearchFunc(sorted, x, order)
	return slices.Insert(sorted, i, x)
}

// addAll keeps the keys that were never counted: what never happened is told
// apart from what nobody asked for.
func addAll(sum, by map[string]int) {
	for k, n := range by {
		sum[k] += n
	}
}
