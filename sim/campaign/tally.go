package campaign

import (
	"cmp"
	"fmt"
	"hash/fnv"
	"maps"
	"slices"
	"time"

	"moonwatch/sim"
	"moonwatch/sim/scenario"
)

// enough is how many seeds make it strange that something that sometimes
// happens did not.
const enough = 100

// mostNotes is how many notes a summary has room for.
const mostNotes = 10

// Record is what became of one seed, as a slice keeps it.
type Record struct {
	Seed   uint64           `json:"seed"`
	WallMS int64            `json:"wall_ms"`              // since the slice began
	TookMS int64            `json:"took_ms"`              // of the wall, by its worker
	Peak   uint64           `json:"peak_bytes,omitempty"` // memory that the worker had taken by then; 0: not known
	Result *scenario.Result `json:"result,omitempty"`
	Crash  string           `json:"crash,omitempty"` // why there is no result
	Plan   string           `json:"plan,omitempty"`  // the file that replays it
	Said   string           `json:"-"`               // what the worker wrote to standard error
}

// Outcome is that of the result, and Crashed without one.
func (r Record) Outcome() scenario.Outcome {
	if r.Result == nil {
		return Crashed
	}
	return r.Result.Outcome
}

// Broken reports whether something went wrong that should be looked into.
func (r Record) Broken() bool { return r.Outcome() != scenario.Ok && r.Outcome() != scenario.Void }

// Failure says what broke.
func (r Record) Failure() Failure {
	f := Failure{Seed: r.Seed, Outcome: r.Outcome(), Broken: r.Crash, Plan: r.Plan}
	if r.Result != nil {
		f.Promise, f.Broken = r.Result.Promise, r.Result.Broken
		f.At = time.Duration(r.Result.BrokenMS) * time.Millisecond
	}
	return f
}

// tally adds records up. The order in which they come does not matter.
type tally struct {
	seen            map[uint64]bool
	traces          map[uint64]string
	detect, recover []int64
	wall            time.Duration
	sum             Summary
}

func newTally() *tally {
	return &tally{seen: map[uint64]bool{}, traces: map[uint64]string{}, sum: Summary{
		Outcomes: map[scenario.Outcome]int{}, Checks: map[string]int{}, Sometimes: map[string]int{},
		Notes: []string{}, Unchecked: []string{}, Never: []string{}, Lacking: []string{}, Failures: []Failure{}, Voids: []Failure{},
	}}
}

func (t *tally) add(r Record) {
	s := &t.sum
	t.seen[r.Seed] = true
	s.Seeds++
	s.Outcomes[r.Outcome()]++
	switch {
	case r.Broken():
		s.Failures = append(s.Failures, r.Failure())
	case r.Outcome() == scenario.Void:
		s.Voids = append(s.Voids, r.Failure())
	}
	if r.Result == nil {
		return
	}
	x := r.Result
	if r.Peak > 0 && (s.Peak == nil || r.Peak > *s.Peak) {
		s.Peak = &r.Peak
	}
	for _, note := range x.Notes {
		if len(s.Notes) < mostNotes && !slices.Contains(s.Notes, note) {
			s.Notes = append(s.Notes, note)
		}
	}
	t.traces[r.Seed] = x.Trace
	t.detect = append(t.detect, x.DetectMS...)
	t.recover = append(t.recover, x.RecoverMS...)
	s.Members = max(s.Members, x.Members)
	s.Verdicts += x.Verdicts
	s.False += x.False
	s.Events += x.Events
	s.Requests += x.Requests
	s.Failed += x.Failed
	s.Virtual += x.Virtual.Seconds()
	s.MemberDays += float64(x.Members) * x.Virtual.Hours() / 24
	for k, n := range x.Checks {
		s.Checks[k] += n
	}
	for k, n := range x.Sometimes {
		s.Sometimes[k] += n
	}
}

// summary is the sum so far. wanted is what has to have happened.
func (t *tally) summary(wanted []string) *Summary {
	s := t.sum
	slices.Sort(s.Notes)
	bySeed := func(a, b Failure) int { return cmp.Compare(a.Seed, b.Seed) }
	slices.SortFunc(s.Failures, bySeed)
	slices.SortFunc(s.Voids, bySeed)
	s.Broken = len(s.Failures)
	if s.Broken > 0 {
		s.FirstBroken = &s.Failures[0].Seed
	}
	s.DetectP50, s.DetectP99 = percentile(t.detect, 50), percentile(t.detect, 99)
	s.RecoverP50, s.RecoverP99 = percentile(t.recover, 50), percentile(t.recover, 99)
	s.Wall = t.wall.Seconds()
	if s.Wall > 0 && s.Events > 0 {
		speed := float64(s.Events) / s.Wall
		s.PerSecond = &speed
	}
	s.Trace = t.trace()
	for _, p := range sim.Promises() {
		if n, known := s.Checks[p.Name]; known && n == 0 {
			s.Unchecked = append(s.Unchecked, p.Name)
		}
	}
	for _, k := range slices.Sorted(maps.Keys(s.Sometimes)) {
		if s.Sometimes[k] == 0 && s.Seeds >= enough {
			s.Never = append(s.Never, k)
		}
	}
	for _, k := range wanted {
		if s.Sometimes[k] == 0 && s.Seeds > 0 {
			s.Lacking = append(s.Lacking, k)
		}
	}
	s.OK = s.Seeds > 0 && s.Worst() == scenario.Ok
	return &s
}

// trace is the hash of the seeds' hashes in the order of seeds; of one seed its
// own, by which a run's report and result.json name it too; nil if there are
// none.
func (t *tally) trace() *string {
	switch len(t.traces) {
	case 0:
		return nil
	case 1:
		for _, own := range t.traces {
			return &own
		}
	}
	h := fnv.New64a()
	for _, seed := range slices.Sorted(maps.Keys(t.traces)) {
		fmt.Fprintf(h, "%d %s\n", seed, t.traces[seed])
	}
	text := fmt.Sprintf("%016x", h.Sum64())
	return &text
}

// percentile is nil where nothing was measured: no time is not a time of zero.
func percentile(ms []int64, pct int) *int64 {
	if len(ms) == 0 {
		return nil
	}
	return new(scenario.Percentile(ms, pct))
}
