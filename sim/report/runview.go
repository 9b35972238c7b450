package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"moonwatch/sim/scenario"
)

// detail is how much of a run a page shows: a broken seed is like the next one
// often enough, and the page has to stay small.
type detail int

const (
	named  detail = iota // what broke, and the way back
	nearby               // the plan, and the time around what broke
	full                 // the whole run
)

const (
	runsShown  = 40
	runsNearby = 6
	planNearby = 8 << 10 // bytes
	planFull   = 24 << 10
	stepsShown = 30
	storyShown = 500 // lines of the whole story
)

// detailOf is the detail of a page's run by its place.
func detailOf(i int) detail {
	switch {
	case i == 0:
		return full
	case i < runsNearby:
		return nearby
	default:
		return named
	}
}

// around is how long before and after a broken promise things are shown in
// detail, in ms: more before it, for there the reason is.
const (
	before = 22_000
	after  = 8_000
)

// runView is one run.
type runView struct {
	ID       string
	Title    string // empty on the page of one run
	Ending   ending
	Broken   []string
	What     string // went wrong: a promise's name, if it was one
	Sentence string
	At       string
	Replay   string
	Plan     string
	Shrunk   bool
	Steps    []string // of the plan, one line each
	Cut      bool     // the plan is longer than what is shown

	Near     *drawing // the 30 s around what broke
	NearIs   string
	Sequence sequence
	Whole    *drawing
	Lines    []line
	More     int
}

func (r Run) view(d detail, titled bool) runView {
	x := r.Result
	v := runView{
		ID: fmt.Sprintf("seed-%d", x.Seed), Ending: endingOf(x.Outcome), Broken: wrongs(x), What: x.Promise,
		Sentence: promises.says[x.Promise], Replay: r.Replay, Shrunk: r.Shrunk, Plan: r.Plan,
	}
	switch {
	case x.Outcome == scenario.Missed:
		v.What = "What was expected"
	case x.Promise == "" || x.Outcome == scenario.LivenessBroken:
		v.What = "What is wrong"
	}
	if titled {
		v.Title = headline(x)
	}
	v.Steps = stepsOf(v.Plan)
	v.shorten(map[detail]int{named: 0, nearby: planNearby, full: planFull}[d])
	if x.BrokenMS > 0 {
		v.At = clock(x.BrokenMS)
	}
	if x.Story == nil || d == named {
		return v
	}
	t := newTale(x.Story, x.Virtual)
	if x.Outcome != scenario.Ok && x.BrokenMS > 0 {
		to := min(t.end, x.BrokenMS+after)
		w := window{max(0, to-before-after), to}
		v.NearIs = "The thirty seconds around it"
		if x.BrokenMS == t.end {
			v.NearIs = "The last thirty seconds"
		}
		seq, whom := t.sequence(w, x.BrokenMS)
		near := t.draw(w, x.BrokenMS, whom)
		v.Sequence, v.Near = seq, &near
	}
	if d == full {
		whole := t.draw(window{0, t.end}, x.BrokenMS, nil)
		v.Whole = &whole
		v.Lines, v.More = t.story()
	}
	return v
}

// shorten cuts the plan behind the last line that fits.
func (v *runView) shorten(limit int) {
	if len(v.Plan) > limit {
		v.Plan, v.Cut = v.Plan[:strings.LastIndex("\n"+v.Plan[:limit], "\n")], true
	}
}

// troublesShown is how many of the troubles of one run are listed.
const troublesShown = 20

// wrongs is what went wrong, one line each: a run that does not come to rest or
// misses its expectations has several at once.
func wrongs(x scenario.Result) []string {
	switch {
	case x.Broken == "":
		return nil
	case x.Outcome != scenario.LivenessBroken && x.Outcome != scenario.Missed:
		return []string{x.Broken}
	}
	all := strings.Split(x.Broken, "; ")
	if more := len(all) - troublesShown; more > 0 {
		all = append(all[:troublesShown], fmt.Sprintf("and %d more, in result.json", more))
	}
	return all
}

// stepsOf are the steps of a plan, one line each, without the world that they
// happen to; none of a text that is no plan.
func stepsOf(plan string) []string {
	var p struct {
		Steps []json.RawMessage `json:"steps"`
	}
	if json.Unmarshal([]byte(plan), &p) != nil || len(p.Steps) > stepsShown {
		return nil
	}
	var lines []string
	for _, s := range p.Steps {
		var b bytes.Buffer
		if json.Compact(&b, s) == nil {
			lines = append(lines, b.String())
		}
	}
	return lines
}

// story is the whole story in lines. If it is too long, what agents and members
// said for themselves gives way to what was agreed.
func (t *tale) story() (out []line, more int) {
	all := t.happenings(window{0, t.end})
	if len(all) > storyShown {
		n := len(all)
		all = slices.DeleteFunc(all, func(e scenario.Event) bool { return e.Lane == laneMember })
		all = all[:min(len(all), storyShown)]
		more = n - len(all)
	}
	for _, e := range all {
		out = append(out, lineOf(e))
	}
	return out, more
}
