package report

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"moonwatch/sim/scenario"
)

// bar is a promise about a distribution: pct percent within ms.
type bar struct {
	Pct int
	MS  int64
}

// The promises of speed (DESIGN 1), profile lan.
var (
	detectBars  = []bar{{50, 1500}, {99, 2500}}
	recoverBars = []bar{{50, 5000}, {100, 6000}}
)

// curve is a cumulative distribution as a drawing and as a table.
type curve struct {
	Title, What string
	Label       string
	N           string
	Path        string // of the curve
	Zone        string // where it may not come
	Xs, Ys      []axisMark
	Corners     []corner
	Rows        []rank
	Beyond      string // what lies right of the drawing
	Promised    bool
}

type axisMark struct {
	At   float64
	Text string
}

// corner is a promise within the drawing.
type corner struct {
	X, Y float64
	Text string
}

// rank is a row of the table.
type rank struct {
	Name, Value, Promise, Verdict string
	Kept                          bool
}

// The drawing's own units: the plot within margins for the marks.
const (
	curveLeft, curveRight = 44.0, 402.0
	curveTop, curveBottom = 12.0, 178.0
	curvePoints           = 400
)

// newCurve draws samples in ms. Without bars it draws no promise.
func newCurve(title, what string, samples []int64, bars []bar) curve {
	c := curve{Title: title, What: what, N: many(len(samples), "sample", "samples"), Promised: len(bars) > 0}
	if len(samples) == 0 {
		return c
	}
	v := slices.Sorted(slices.Values(samples))
	last := v[len(v)-1]
	right := last
	if n := len(bars); n > 0 {
		far := bars[n-1].MS
		right = min(max(last, far*14/10), far*4)
	}
	right, step := round(max(right, 10))
	x := func(ms int64) float64 {
		return tenth(curveLeft + (curveRight-curveLeft)*float64(min(ms, right))/float64(right))
	}
	y := func(p float64) float64 { return tenth(curveBottom - (curveBottom-curveTop)*p/100) }
	c.Path = steps(v, right, x, y)
	for ms := int64(0); ms <= right; ms += step {
		c.Xs = append(c.Xs, axisMark{x(ms), brief(ms)})
	}
	for _, p := range []float64{0, 25, 50, 75, 100} {
		c.Ys = append(c.Ys, axisMark{y(p), fmt.Sprintf("%.0f %%", p)})
	}
	c.promise(bars, x, y)
	c.table(v, bars)
	for i, ms := range v {
		if ms > right {
			c.Beyond = fmt.Sprintf("%s further right, up to %s.", many(len(v)-i, "sample lies", "samples lie"), seconds(last))
			break
		}
	}
	var told []string
	for _, r := range c.Rows {
		told = append(told, strings.TrimSpace(r.Name+" "+r.Value+" "+r.Verdict))
	}
	c.Label = fmt.Sprintf("%s, cumulative, of %s: %s", title, c.N, strings.Join(told, ", "))
	return c
}

// steps is the curve as a path: it rises at each sample, and ends at the right
// however much is still to come there.
func steps(v []int64, right int64, x func(int64) float64, y func(float64) float64) string {
	var b strings.Builder
	fmt.Fprintf(&b, "M%g %g", x(0), y(0))
	every := max(1, len(v)/curvePoints)
	for i, ms := range v {
		if ms > right {
			break
		}
		if i%every == every-1 || i == len(v)-1 {
			fmt.Fprintf(&b, "H%gV%g", x(ms), y(100*float64(i+1)/float64(len(v))))
		}
	}
	fmt.Fprintf(&b, "H%g", curveRight)
	return b.String()
}

// promise shades the corner that the curve has to stay out of: right of each
// bar's time, below its share.
func (c *curve) promise(bars []bar, x func(int64) float64, y func(float64) float64) {
	if len(bars) == 0 {
		return
	}
	var b strings.Builder
	fmt.Fprintf(&b, "M%g %g", x(bars[0].MS), y(0))
	for _, p := range bars {
		fmt.Fprintf(&b, "H%gV%g", x(p.MS), y(float64(p.Pct)))
		c.Corners = append(c.Corners, corner{x(p.MS), y(float64(p.Pct)), fmt.Sprintf("%s ≤ %s", rankName(p.Pct), brief(p.MS))})
	}
	fmt.Fprintf(&b, "H%gV%gz", curveRight, y(0))
	c.Zone = b.String()
}

func (c *curve) table(v []int64, bars []bar) {
	for _, pct := range []int{50, 90, 99, 100} {
		ms := scenario.Percentile(v, pct)
		r := rank{Name: rankName(pct), Value: seconds(ms)}
		for _, b := range bars {
			if b.Pct == pct {
				r.judge(ms, b, len(v))
			}
		}
		c.Rows = append(c.Rows, r)
	}
}

// enough is how many samples it takes to say that a promise about them was not
// kept: of fewer, one slow one decides.
const enough = 20

func (r *rank) judge(ms int64, b bar, samples int) {
	r.Promise = brief(b.MS)
	switch {
	case ms <= b.MS:
		r.Kept, r.Verdict = true, "within"
	case b.Pct < 100 && samples < enough:
		r.Verdict = "slower, of few"
	default:
		r.Verdict = "slower"
	}
}

func rankName(pct int) string {
	if pct == 100 {
		return "max"
	}
	return fmt.Sprintf("p%d", pct)
}

// brief is a round time.
func brief(ms int64) string {
	return strings.TrimSuffix(strings.TrimRight(fmt.Sprintf("%.2f", float64(ms)/1000), "0"), ".") + " s"
}

// round is an end of an axis at which a mark stands, and the marks' distance.
func round(ms int64) (end, step int64) {
	for base := int64(1); ; base *= 10 {
		for _, m := range []int64{1, 2, 5} {
			step = m * base
			if ms <= 6*step {
				return (ms + step - 1) / step * step, step
			}
		}
	}
}

func tenth(f float64) float64 { return math.Round(f*10) / 10 }
