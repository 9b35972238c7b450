package scenario

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
)

// Transcript is a story in lines of text for people who know operations: what
// went wrong, what was agreed and what came of it, in order. Times are rounded to
// 100 ms, so that a change of a few milliseconds changes nothing here.
func Transcript(s *Story) []byte {
	if s == nil {
		return nil
	}
	var out bytes.Buffer
	for _, e := range Lines(s) {
		fmt.Fprintf(&out, "%7.1f s  %s\n", float64((e.AtMS+50)/100)/10, e.Text)
	}
	return out.Bytes()
}

// Lines are the events and faults of a story that people want to read, in
// order.
func Lines(s *Story) []Event {
	var all []Event
	for _, e := range s.Events {
		if e.Text != "" && e.Raw != rawRefused && e.Raw != rawDone {
			all = append(all, e)
		}
	}
	for _, b := range s.Faults {
		all = append(all, Event{AtMS: b.FromMS, Seq: b.Seq, Text: b.Text + " (fault)"})
		if b.End != "" && b.EndSeq > 0 {
			all = append(all, Event{AtMS: b.ToMS, Seq: b.EndSeq, Text: b.End + " (fault ends)"})
		}
	}
	slices.SortFunc(all, func(a, b Event) int { return cmp.Or(cmp.Compare(a.AtMS, b.AtMS), cmp.Compare(a.Seq, b.Seq)) })
	return all
}
