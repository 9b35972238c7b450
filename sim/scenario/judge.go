package scenario

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"moonwatch/sim"
)

// judge sums a run up. A world that left the assumptions of the protocol judges
// nothing; a broken promise comes before everything that follows from it, and a
// fleet that is not well in the end before what the scenario expected of it.
func (r *run) judge() *Result {
	x, counted := r.witness, r.w.Counted()
	res := &Result{
		Scenario: r.plan.Scenario, Seed: r.plan.Seed, Outcome: Ok,
		Members: len(r.plan.World.Fleet.Members), Verdicts: counted.Verdicts, False: counted.False,
		DetectMS: millis(x.detect), RecoverMS: millis(x.recover),
		Events: r.w.Events(), Virtual: r.w.Now(), Trace: fmt.Sprintf("%016x", r.w.Trace()),
		Checks: r.w.Checks(), Sometimes: r.w.Sometimes(),
	}
	res.Notes = append(r.plan.notes(), r.neverCame()...)
	res.Messages, res.Bytes = r.sent()
	for _, q := range r.w.Requests() {
		res.Requests, res.Failed = res.Requests+q.Total, res.Failed+q.Failed
	}
	if x, ok := r.w.Shielded(); ok {
		res.Shield = &x
	}
	if r.opt.Realise {
		res.Realised = r.realised()
	}
	void, broken := r.w.Void(), r.w.Broken()
	switch {
	case void != "":
		res.Outcome, res.Promise, res.Broken = Void, "assumptions", void
	case broken != nil:
		res.Outcome, res.Promise, res.Broken, res.BrokenMS = SafetyBroken, broken.Promise, broken.Promise+": "+broken.Text, broken.At.Milliseconds()
	case len(r.troubles) > 0:
		res.Outcome, res.Promise, res.Broken, res.BrokenMS = LivenessBroken, r.troubles[0].Name, inWords(r.troubles), r.w.Now().Milliseconds()
	}
	var story *Story
	if r.teller != nil {
		story = r.teller.story(broken, r.troubles)
	}
	if res.Outcome == Ok {
		r.expected(res, story)
	}
	if r.opt.Story {
		res.Story = story
	}
	return res
}

// expected adds what the scenario expected and did not get.
func (r *run) expected(res *Result, story *Story) {
	missed := r.missed(res, story)
	if len(missed) == 0 {
		return
	}
	var all []string
	for _, m := range missed {
		all = append(all, m.key+": "+m.text)
	}
	res.Outcome, res.Promise, res.Broken = Missed, missed[0].key, strings.Join(all, "; ")
}

func inWords(troubles []sim.Trouble) string {
	var all []string
	for _, t := range troubles {
		all = append(all, t.String())
	}
	return strings.Join(all, "; ")
}

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

// miss is an expectation that was not met.
type miss struct{ key, text string }
