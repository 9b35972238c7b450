package report

import (
	"fmt"

	"moonwatch/sim/scenario"
)

// faultRow is one row of bars of the faults: none of them touches another.
type faultRow struct {
	Shapes []shape
	Words  []word
}

// faultLine is a fault in the list below a drawing.
type faultLine struct {
	N              int
	From, To, Kind string
	Text           string
}

const (
	faultRowsShown  = 8
	faultLinesShown = 200
)

// faultRows packs the faults of a window into as few rows as their bars and
// numbers need. What finds no place is in the list all the same.
func (t *tale) faultRows(w window) ([]faultRow, []faultLine) {
	var bars []strip
	var rows []faultRow
	var ends []float64
	var list []faultLine
	for i, b := range t.Story.Faults {
		x, width, seen := w.clip(b.FromMS, max(b.ToMS, b.FromMS+1))
		if !seen {
			continue
		}
		if len(list) < faultLinesShown {
			list = append(list, t.faultLine(i+1, b))
		}
		begin, end := share(x, w.Width()), share(x+width, w.Width())
		text := word{Left: begin, Text: fmt.Sprint(i + 1), More: string(b.Kind)}
		room := (14 + 7*float64(len(text.Text)+len(text.More))) * 100 / pixels
		if begin+room > 100 { // it stands before its end instead of after its beginning
			text.Class, text.Left = "end", 100
			begin = min(begin, 100-room)
		}
		row := 0
		for row < len(rows) && ends[row] > begin {
			row++
		}
		if row == len(rows) {
			if row == faultRowsShown {
				continue
			}
			rows, ends, bars = append(rows, faultRow{}), append(ends, 0), append(bars, strip{window: w})
		}
		bars[row].add(look{Class: "bar", Y: 14, H: 4}, b.FromMS, max(b.ToMS, b.FromMS+1))
		rows[row].Words = append(rows[row].Words, text)
		ends[row] = max(end, begin+room)
	}
	for i := range rows {
		rows[i].Shapes = bars[i].shapes()
	}
	return rows, list
}

func (t *tale) faultLine(n int, b scenario.Band) faultLine {
	l := faultLine{N: n, From: clock(b.FromMS), To: clock(b.ToMS), Kind: string(b.Kind), Text: b.Text}
	if b.ToMS >= t.end {
		l.To = "end"
	}
	return l
}
