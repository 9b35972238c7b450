package report

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"moonwatch/member"
	"moonwatch/sim/scenario"
)

// The lanes of a story.
const (
	laneMember  = "member"
	laneCouncil = "council"
	laneBrake   = "brake"
	lanePool    = "pool"
	laneCase    = "case"
	laneChecker = "checker"
	laneFault   = "fault" // of no event: the beginnings and ends of faults
)

// tale is a story, sorted by lanes.
type tale struct {
	*scenario.Story
	end    int64 // of the run, in ms
	lanes  map[string][]scenario.Event
	lines  map[member.ID][]scenario.Event // of the lane member
	about  map[member.ID][]scenario.Event // of any lane that people are told about it
	struck map[member.ID][]scenario.Band  // by faults that were meant for some members
	cases  []string                       // in the order in which they opened
	named  map[member.ID]bool
}

func newTale(s *scenario.Story, virtual time.Duration) *tale {
	t := &tale{
		Story: s, end: max(virtual.Milliseconds(), 1),
		lanes: map[string][]scenario.Event{}, lines: map[member.ID][]scenario.Event{}, about: map[member.ID][]scenario.Event{},
		struck: map[member.ID][]scenario.Band{}, named: map[member.ID]bool{},
	}
	for _, m := range s.Members {
		t.named[m.ID] = true
	}
	for _, e := range slices.SortedStableFunc(slices.Values(s.Events), inTime) {
		t.end = max(t.end, e.AtMS)
		lane := e.Lane
		if lane == laneCase && e.Case > 0 {
			lane = fmt.Sprintf("C-%d", e.Case)
			if _, known := t.lanes[lane]; !known {
				t.cases = append(t.cases, lane)
			}
		}
		t.lanes[lane] = append(t.lanes[lane], e)
		if lane == laneMember {
			t.lines[e.Member] = append(t.lines[e.Member], e)
		}
		if e.Lane == laneMember || e.Text != "" {
			t.about[e.Member] = append(t.about[e.Member], e)
		}
	}
	for _, b := range s.Faults {
		for _, id := range b.Whom {
			if !t.forAll(b) {
				t.struck[id] = append(t.struck[id], b)
			}
		}
	}
	return t
}

// inTime is the order of events.
func inTime(a, b scenario.Event) int {
	return cmp.Or(cmp.Compare(a.AtMS, b.AtMS), cmp.Compare(a.Seq, b.Seq))
}

// forAll reports that a fault was meant for everybody. It says nothing about a
// single member.
func (t *tale) forAll(b scenario.Band) bool { return len(b.Whom) >= len(t.Members) }

// span is a state and its time.
type span struct {
	from, to int64
	state    string
}

// spans are the states that events begin one after the other, up to an end.
// What begins and ends within the same millisecond is not seen.
func spans(events []scenario.Event, end int64) []span {
	var out []span
	for _, e := range events {
		if e.State == "" {
			continue
		}
		if n := len(out); n > 0 {
			last := &out[n-1]
			if last.state == e.State {
				continue
			}
			if last.to = e.AtMS; last.from == last.to {
				out = out[:n-1]
			}
		}
		out = append(out, span{e.AtMS, end, e.State})
	}
	return out
}

// quiet reports that nothing happened to a member: no fault was meant for it,
// it came up, took its duty and kept it.
func (t *tale) quiet(id member.ID) bool {
	if len(t.struck[id]) > 0 {
		return false
	}
	duties := 0
	for i, s := range spans(t.lines[id], t.end) {
		l := lookOf(s.state)
		switch {
		case !l.Calm:
			return false
		case l == lookUp && i > 0:
			return false
		case l != lookUp:
			duties++
		}
	}
	return duties <= 1
}
