package web

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"moonwatch/status"
)

// A row of bars, one for each roll-up, is drawn as few paths: all bars of a tone are one
// of them, and rows that are calm are the same one, used again. A bar's form tells its tone
// as its colour does: low and thin, nothing is known; half, served; whole with a gap, lost
// for a moment; whole, lost for long; an outline, taken away by people.
const (
	barStep   = 10 // from one bar to the next, in units of the drawing
	barHeight = 30
)

var barForms = map[string]string{
	"none": "M%d 26h8v4h-8z",
	"good": "M%d 8h8v22h-8z",
	"mind": "M%d 0h8v12h-8zm0 16h8v14h-8z",
	"bad":  "M%d 0h8v30h-8z",
	"busy": "M%d 8h8v22h-8zm2 2v18h4v-18z",
}

// barPath draws the bars at some places in one form.
func barPath(tone string, at []int) string {
	var b strings.Builder
	for _, i := range at {
		fmt.Fprintf(&b, barForms[tone], i*barStep)
	}
	return b.String()
}

// barRow is one row of bars with what it says in words.
type barRow struct {
	Width  int
	Height int
	Words  string // instead of the drawing
	Calm   string // id of the shared path of calm bars, empty: none
	None   string // likewise, of bars without knowledge
	Marks  []barMark
}

// barMark is a bar that is not calm; Words are said when it is pointed at.
type barMark struct {
	Tone  string
	Path  string
	Words string
}

// barShapes are the paths that rows share, by their form.
type barShapes struct {
	ids  map[string]string
	List []barShape
}

type barShape struct{ ID, Tone, Path string }

func (s *barShapes) id(tone, path string) string {
	if path == "" {
		return ""
	}
	if id, ok := s.ids[path]; ok {
		return id
	}
	if s.ids == nil {
		s.ids = map[string]string{}
	}
	id := fmt.Sprintf("b%d", len(s.List))
	s.ids[path] = id
	s.List = append(s.List, barShape{id, tone, path})
	return id
}

// markTone is how grave it is what a slot lost of a cell. Ten minutes are what a
// recovery may take.
func markTone(m status.Share, length time.Duration) string {
	switch lost := m.Lost.Duration(); {
	case lost == 0 && m.Away > 0:
		return "busy"
	case lost == 0:
		return "good"
	case lost > status.RecoveryGoal || lost >= length/2:
		return "bad"
	default:
		return "mind"
	}
}

// rowOf draws some slots as one row: what any of them lost shows.
func (s *barShapes) rowOf(t *tongue, p status.Past, slots []status.PastSlot) barRow {
	length := p.Grain.Length()
	row := barRow{Width: len(p.Cells)*barStep - 2, Height: barHeight}
	marks := map[int]status.Share{}
	for _, x := range slots {
		for _, m := range x.Marks {
			sum := marks[m.Cell]
			worst := m.Share
			if sum.Lost > worst.Lost {
				worst.Lost = sum.Lost
			}
			worst.Away = max(worst.Away, sum.Away)
			marks[m.Cell] = worst
		}
	}
	var calm, none []int
	for i, c := range p.Cells {
		m := marks[i]
		switch tone := markTone(m, length); {
		case tone != "good":
			words := t.Say("%s: not served for %s", cellName(t, p.Grain, c.Begin), t.Span(m.Lost.Duration()))
			if tone == "busy" {
				words = t.Say("%s: taken away by people for %s", cellName(t, p.Grain, c.Begin), t.Span(m.Away.Duration()))
			}
			row.Marks = append(row.Marks, barMark{tone, barPath(tone, []int{i}), words})
		case c.Known == 0 || !there(p, slots, c.Begin):
			none = append(none, i)
		default:
			calm = append(calm, i)
		}
	}
	row.Calm, row.None = s.id("good", barPath("good", calm)), s.id("none", barPath("none", none))
	return row
}

// there reports that any of the slots was in the fleet in a cell.
func there(p status.Past, slots []status.PastSlot, begin time.Time) bool {
	end := begin.Add(p.Grain.Length())
	return slices.ContainsFunc(slots, func(s status.PastSlot) bool {
		return s.From.Before(end) && (s.Gone.IsZero() || s.Gone.After(begin))
	})
}

// cellName says which roll-up it is.
func cellName(t *tongue, g status.Grain, begin time.Time) string {
	switch g {
	case status.Day:
		return t.Day(begin)
	case status.Hour:
		return begin.UTC().Format(t.Say("Jan 2, 15:00"))
	default:
		return begin.UTC().Format("15:04")
	}
}

// slotRow is a slot with its bars.
type slotRow struct {
	status.PastSlot
	Bars  barRow
	Below bool // the availability that is wanted
}

// rows draws slots, those that lost most first.
func (s *barShapes) rows(t *tongue, p status.Past, slots []status.PastSlot) []slotRow {
	var out []slotRow
	for _, x := range slots {
		r := slotRow{PastSlot: x, Bars: s.rowOf(t, p, []status.PastSlot{x}), Below: x.Availability() < status.AvailabilityGoal}
		r.Bars.Words = t.Say("%s: %s served", string(x.ID), t.Percent(x.Availability()))
		if n := len(r.Bars.Marks); n > 0 {
			r.Bars.Words += t.Say("; last: %s", r.Bars.Marks[n-1].Words)
		}
		out = append(out, r)
	}
	slices.SortStableFunc(out, func(a, b slotRow) int { return cmp.Compare(b.Sum.Lost, a.Sum.Lost) })
	return out
}

// sumOf adds slots up.
func sumOf(slots []status.PastSlot) (there status.Millis, sum status.Share) {
	for _, x := range slots {
		there += x.There
		sum.Lost += x.Sum.Lost
		sum.Away += x.Sum.Away
		sum.Held += x.Sum.Held
		sum.Cascade += x.Sum.Cascade
		sum.Failovers += x.Sum.Failovers
	}
	return there, sum
}

// ofPool picks a pool's slots.
func ofPool(slots []status.PastSlot, pool string) []status.PastSlot {
	var out []status.PastSlot
	for _, x := range slots {
		if x.Pool == pool {
			out = append(out, x)
		}
	}
	return out
}

func fewNames[T ~string](ids []T, most int) string {
	var out []string
	for _, id := range ids[:min(len(ids), most)] {
		out = append(out, string(id))
	}
	text := strings.Join(out, ", ")
	if more := len(ids) - most; more > 0 {
		text += fmt.Sprintf(" +%d", more)
	}
	return text
}
