package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"moonwatch/member"
)

// drawing is a story over time, lane by lane.
type drawing struct {
	window
	Label  string
	Ticks  []tick
	Rows   []faultRow
	Faults []faultLine
	Fleet  []lane
	Lanes  []lane // of members to whom something happened
	Quiet  []member.ID
	More   int // members to whom something happened and who found no place
	Legend []key
	Pool   []key // of the pool's lane, if there is one
	Moment int64 // when a promise broke, in the drawing's units; -1: not here
}

// From is when the drawing begins, in ms.
func (d drawing) From() int64 { return d.from }

// QuietSentence says of how many members there is nothing to show.
func (d drawing) QuietSentence() string {
	return many(len(d.Quiet), "member", "members") + " to whom nothing happened"
}

// tick is a mark of the axis.
type tick struct {
	X       int64
	Percent float64
	Text    string
}

// lane is one row of a drawing.
type lane struct {
	Name, Note string
	Label      string // the drawing in words
	Shapes     []shape
	Words      []word
	Lines      []line
	More       int  // lines that found no place
	Tall       bool // shows an amount
}

const (
	lanesShown = 90 // more would not be read, and the page grows with them
	linesShown = 60 // of one lane
	casesShown = 24
)

// draw shows a window of a tale. Only members in it are shown if only is not
// nil, and nobody is folded away then.
func (t *tale) draw(w window, moment int64, only []member.ID) drawing {
	d := drawing{window: w, Moment: -1, Ticks: ticks(w)}
	if moment >= w.from && moment <= w.to && moment > 0 {
		d.Moment = moment - w.from
	}
	used := map[look][]string{}
	d.Rows, d.Faults = t.faultRows(w)
	d.Fleet = t.fleetLanes(w, used)
	var shown []member.Member
	for _, m := range t.Members {
		switch {
		case only != nil && !slices.Contains(only, m.ID):
		case only == nil && t.quiet(m.ID):
			d.Quiet = append(d.Quiet, m.ID)
		default:
			shown = append(shown, m)
		}
	}
	shown, d.More = t.foremost(shown)
	for _, m := range shown {
		d.Lanes = append(d.Lanes, t.memberLane(m, w, used))
	}
	d.Legend = legend(used)
	if slices.ContainsFunc(d.Fleet, func(l lane) bool { return l.Name == lanePool }) {
		d.Pool = poolDuties
	}
	d.Label = fmt.Sprintf("What happened from %s to %s, lane by lane", clock(w.from), clock(w.to))
	return d
}

// foremost keeps the members to whom most happened if there is no place for all
// of them. They stand by failure domain and name.
func (t *tale) foremost(ms []member.Member) (kept []member.Member, more int) {
	if len(ms) > lanesShown {
		more = len(ms) - lanesShown
		slices.SortStableFunc(ms, func(a, b member.Member) int { return cmp.Compare(len(t.about[b.ID]), len(t.about[a.ID])) })
		ms = ms[:lanesShown]
	}
	slices.SortFunc(ms, func(a, b member.Member) int {
		return cmp.Or(cmp.Compare(a.Domain, b.Domain), naturally(string(a.ID), string(b.ID)))
	})
	return ms, more
}

// memberLane draws what a member was, over the faults that struck it.
func (t *tale) memberLane(m member.Member, w window, used map[look][]string) lane {
	l := lane{Name: string(m.ID), Note: string(m.Domain)}
	s := strip{window: w}
	var faults []string
	for _, b := range t.struck[m.ID] {
		s.add(look{Class: "fault", Y: 0, H: stripHeight}, b.FromMS, max(b.ToMS, b.FromMS+1))
		if _, _, seen := w.clip(b.FromMS, max(b.ToMS, b.FromMS+1)); seen {
			faults = append(faults, fmt.Sprintf("%s from %s to %s", b.Kind, clock(b.FromMS), clock(b.ToMS)))
		}
	}
	ss := spans(t.lines[m.ID], t.end)
	for _, x := range ss {
		k := lookOf(x.state)
		s.add(k, x.from, x.to)
		if _, _, seen := w.clip(x.from, x.to); seen && k.H > 0 {
			used[k] = append(used[k], x.state)
		}
	}
	l.Shapes = s.shapes()
	l.Label = inWords(l.Name, ss, w)
	if len(faults) > 0 {
		l.Label += ". Faults: " + strings.Join(faults[:min(len(faults), changesTold)], "; ")
	}
	l.Lines, l.More = lines(t.about[m.ID], w)
	return l
}

// ticks are marks at round times, at most nine of them.
func ticks(w window) []tick {
	const second, minute, hour = 1000, 60_000, 3_600_000
	step := int64(24 * hour)
	for _, s := range []int64{100, 200, 500, second, 2 * second, 5 * second, 10 * second, 15 * second, 30 * second, minute, 2 * minute, 5 * minute, 10 * minute, 15 * minute, 30 * minute, hour, 2 * hour, 6 * hour} {
		if w.Width()/s <= 10 {
			step = s
			break
		}
	}
	var out []tick
	for ms := (w.from + step - 1) / step * step; ms <= w.to; ms += step {
		out = append(out, tick{ms - w.from, w.percent(ms), mark(ms, step)})
	}
	return out
}
