package web

import (
	"cmp"
	"fmt"
	"slices"

	"moonwatch/member"
	"moonwatch/status"
)

// How much of what observers see now is written out; the rest is in the drawing, counted,
// and in the JSON.
const (
	liveOwn   = 24 // subjects of the asked agent: all of them, as a rule
	liveEdges = 40
	liveMute  = 12
)

// liveModel is what observers see, or saw at a moment, arranged for the eye.
type liveModel struct {
	status.Live
	Heard   int // observers
	heard   map[member.ID]bool
	Own     []liveEdge
	OwnMore int
	Edges   []liveEdge // those that are not calm, the worst first
	More    int
	Mute    []status.LiveFrom // observers of whom nothing is known
	MuteAnd int
	At      map[[2]member.ID]string // form of each cell, by observer and subject
}

// liveEdge is an edge of the overlay as its observer sees it.
type liveEdge struct {
	Observer member.ID
	status.LiveSees
	Look string // tone
	Word string
}

// liveOf arranges; nil: nobody is asked.
func liveOf(x *status.Live) *liveModel {
	if x == nil {
		return nil
	}
	m := &liveModel{Live: *x, Heard: x.Heard(), heard: map[member.ID]bool{}, At: map[[2]member.ID]string{}}
	for _, by := range x.By {
		if by.At.IsZero() { // who watches nobody sees nothing, and was heard
			if len(m.Mute) < liveMute {
				m.Mute = append(m.Mute, by)
			} else {
				m.MuteAnd++
			}
			continue
		}
		m.heard[by.Observer] = true
		for _, s := range by.Sees {
			e := edgeOf(by, s)
			m.At[[2]member.ID{by.Observer, s.Subject}] = e.form(by)
			if by.Observer == x.Self {
				m.Own = append(m.Own, e)
			}
			if s.Down() || s.Uneasy {
				m.Edges = append(m.Edges, e)
			}
		}
	}
	slices.SortFunc(m.Edges, func(a, b liveEdge) int {
		return cmp.Or(downFirst(a, b), cmp.Compare(b.SilentFor, a.SilentFor), cmp.Compare(b.LossPct, a.LossPct),
			cmp.Compare(a.Subject, b.Subject), cmp.Compare(a.Observer, b.Observer))
	})
	m.More, m.OwnMore = max(0, len(m.Edges)-liveEdges), max(0, len(m.Own)-liveOwn)
	m.Edges, m.Own = m.Edges[:min(len(m.Edges), liveEdges)], m.Own[:min(len(m.Own), liveOwn)]
	return m
}

func downFirst(a, b liveEdge) int {
	switch {
	case a.Down() == b.Down():
		return 0
	case a.Down():
		return -1
	default:
		return 1
	}
}

func edgeOf(by status.LiveFrom, s status.LiveSees) liveEdge {
	e := liveEdge{Observer: by.Observer, LiveSees: s, Look: "good", Word: "answers"}
	switch {
	case s.Down():
		e.Look, e.Word = "bad", "says down"
	case s.Unheard():
		e.Look, e.Word = "calm", "not heard yet"
	case s.Uneasy:
		e.Look, e.Word = "mind", "loses probes"
	}
	return e
}

// form is the edge's cell.
func (e liveEdge) form(by status.LiveFrom) string {
	switch {
	case by.Abstains != "":
		return "calm"
	case e.Down():
		return "bad"
	case e.Look == "calm": // nothing came yet
		return "calm"
	case e.Uneasy:
		return "busy"
	default:
		return "none"
	}
}

// RTT is the round trip in words.
func (e liveEdge) RTT() string {
	switch {
	case e.RTTMicros <= 0:
		return "–"
	case e.RTTMicros < 10_000:
		return fmt.Sprintf("%.2f ms", float64(e.RTTMicros)/1000)
	default:
		return fmt.Sprintf("%d ms", e.RTTMicros/1000)
	}
}

// Silent is for how long nothing came, while probes are lost.
func (e liveEdge) Silent(t *tongue) string {
	if e.SilentFor <= 0 {
		return "–"
	}
	return t.Span(e.SilentFor.Duration())
}

// Says is what the observer says against the subject.
func (e liveEdge) Says(t *tongue) string {
	switch {
	case e.Accuses != "" && e.Service:
		return t.Word(e.Accuses) + ", " + t.Say("service")
	case e.Service:
		return t.Say("service")
	default:
		return t.Word(e.Accuses)
	}
}

// Again reports that more is known when it is asked for once more, soon.
func (m observersModel) Again() bool { return m.Busy || m.Live != nil && m.Live.Partial }
