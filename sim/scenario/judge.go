package scenario

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"moonwatch/member"
)

// judge sums a run up. A broken promise comes before everything that follows
// from it, and a world that was not well in the end before what the scenario
// expected of it.
func (r *run) judge() *Result {
	x, broken, troubles := r.witness, r.broken, r.troubles
	res := &Result{
		Scenario: r.plan.Scenario, Seed: r.plan.Seed, Outcome: Ok,
		Members: len(r.plan.World.Fleet.Members), Verdicts: x.verdicts, False: x.wrong,
		DetectMS: millis(x.detect), RecoverMS: millis(x.recover),
		Events: r.w.Events(), Virtual: r.w.Now(), Trace: fmt.Sprintf("%016x", r.w.Trace()),
		Checks: map[string]int{}, Sometimes: map[string]int{},
	}
	res.Messages, res.Bytes = r.sent()
	if r.opt.Realise {
		res.Realised = r.realised()
	}
	switch {
	case broken != nil:
		res.Outcome, res.Broken, res.BrokenMS = SafetyBroken, broken.Error(), r.w.Now().Milliseconds()
		res.Promise = promiseIn.FindString(broken.Error())
	case len(troubles) > 0:
		res.Outcome, res.Broken, res.BrokenMS = LivenessBroken, strings.Join(troubles, "; "), r.w.Now().Milliseconds()
		res.Promise = "liveness"
	}
	var story *Story
	if r.teller != nil {
		story = r.teller.story(broken, troubles)
	}
	if res.Outcome == Ok {
		if m := r.missed(story); len(m) > 0 {
			res.Outcome, res.Promise = Missed, m[0].key
			var all []string
			for _, y := range m {
				all = append(all, y.key+": "+y.text)
			}
			res.Broken = strings.Join(all, "; ")
		}
	}
	if r.opt.Story {
		res.Story = story
	}
	return res
}

// promiseIn finds a promise's name in the words of the checker.
var promiseIn = regexp.MustCompile(`promise \d+|\b[SL]\d+\b`)

// millis are durations in milliseconds, in the order in which they were
// measured.
func millis(ds []time.Duration) []int64 {
	out := make([]int64, len(ds))
	for i, d := range ds {
		out[i] = d.Milliseconds()
	}
	return out
}

// sent is what the members' agents sent, per second of the run.
func (r *run) sent() (messages, bytes Spread) {
	var ms, bs []float64
	seconds := max(r.w.Now().Seconds(), 1e-9)
	for _, m := range r.plan.World.Fleet.Members {
		n, size := r.w.Sent(m.ID)
		ms, bs = append(ms, float64(n)/seconds), append(bs, float64(size)/seconds)
	}
	return spread(ms), spread(bs)
}

// spread sums numbers up; of none it is zero.
func spread(xs []float64) Spread {
	if len(xs) == 0 {
		return Spread{}
	}
	slices.Sort(xs)
	return Spread{Min: xs[0], Median: xs[len(xs)/2], Max: xs[len(xs)-1]}
}

// unsettled lists what is not as it should be, apart from what the plan broke for
// good: a member without power does not run, and nobody can help that.
func (r *run) unsettled() []string {
	return slices.DeleteFunc(r.w.Troubles(), func(t string) bool {
		name, rest, _ := strings.Cut(t, " ")
		return r.witness.off[member.ID(name)] && rest == "does not run"
	})
}

// miss is an expectation that was not met.
type miss struct{ key, text string }

// percentile is the smallest value that so many percent of the values do not
// exceed.
func percentile[T cmp.Ordered](values []T, pct int) T {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[(len(sorted)*pct+99)/100-1]
}
