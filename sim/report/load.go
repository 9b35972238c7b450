package report

import (
	"fmt"
	"math"

	"moonwatch/sim/scenario"
)

// sentLimit is what an agent may send, in bytes per second (DESIGN 1).
const sentLimit = 10_000

// load is what members sent, as a drawing and as a row of a table.
type load struct {
	Name, Unit       string
	Min, Median, Max string
	Promise          string
	X1, X, X2, Limit float64 // percent of the width; Limit 0: nothing was promised
	Over             bool
	Label            string
}

// loads is nil if nothing was measured.
func loads(messages, bytes scenario.Spread) []load {
	if messages.Max == 0 && bytes.Max == 0 {
		return nil
	}
	return []load{
		newLoad("Bytes sent", "KB/s", bytes, sentLimit, func(f float64) string { return fmt.Sprintf("%.2f", f/1000) }),
		newLoad("Messages sent", "/s", messages, 0, func(f float64) string { return fmt.Sprintf("%.1f", f) }),
	}
}

func newLoad(name, unit string, s scenario.Spread, limit float64, show func(float64) string) load {
	l := load{
		Name: name, Unit: unit, Min: show(s.Min), Median: show(s.Median), Max: show(s.Max),
		Over: limit > 0 && s.Max > limit,
	}
	whole := max(s.Max, limit, math.SmallestNonzeroFloat32) * 1.06
	at := func(f float64) float64 { return tenth(100 * f / whole) }
	l.X1, l.X, l.X2 = at(s.Min), at(s.Median), at(s.Max)
	l.Label = fmt.Sprintf("%s per member: least %s, median %s, most %s %s", name, l.Min, l.Median, l.Max, unit)
	if limit > 0 {
		l.Limit, l.Promise = at(limit), "≤ "+show(limit)
		l.Label += ", promised at most " + show(limit)
	}
	return l
}
