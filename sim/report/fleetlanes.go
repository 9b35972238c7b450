package report

import (
	"fmt"
	"slices"
	"strings"

	"moonwatch/failover"
	"moonwatch/member"
	"moonwatch/sim/scenario"
)

// fleetLanes are the lanes that belong to no member: council, brake, pool,
// cases. One of which the story says nothing is left out.
func (t *tale) fleetLanes(w window, used map[look][]string) []lane {
	var out []lane
	if l, ok := t.councilLane(w); ok {
		out = append(out, l)
	}
	if l, ok := t.brakeLane(w, used); ok {
		out = append(out, l)
	}
	if l, ok := t.poolLane(w); ok {
		out = append(out, l)
	}
	return append(out, t.caseLanes(w, used)...)
}

// councilLane shows who led, and when nobody did. Neighbours have different
// tints; who it is stands in it.
func (t *tale) councilLane(w window) (lane, bool) {
	ss := spans(t.lanes[laneCouncil], t.end)
	if len(ss) == 0 {
		return lane{}, false
	}
	s := strip{window: w}
	l := lane{Name: laneCouncil, Label: inWords("council leader", ss, w)}
	for i, x := range ss {
		k := look{Class: [2]string{"lead", "lead2"}[i%2], Y: 2, H: 16}
		if leaderless(x.state) {
			k = lookDown
		}
		s.add(k, x.from, x.to)
		if at, width, seen := w.clip(x.from, x.to); seen {
			l.Words = append(l.Words, w.within(at, width, x.state, ""))
		}
	}
	l.Shapes = s.shapes()
	l.Lines, l.More = lines(t.lanes[laneCouncil], w)
	return l, true
}

func leaderless(state string) bool {
	return state == "none" || state == "nobody" || state == "no leader"
}

func (t *tale) brakeLane(w window, used map[look][]string) (lane, bool) {
	ss := spans(t.lanes[laneBrake], t.end)
	if len(ss) == 0 {
		return lane{}, false
	}
	if ss[0].from > 0 {
		ss = slices.Insert(ss, 0, span{0, ss[0].from, string(failover.Normal)})
	}
	s := strip{window: w}
	l := lane{Name: laneBrake, Label: inWords("brake", ss, w)}
	for _, x := range ss {
		k := lookOf(x.state)
		s.add(k, x.from, x.to)
		at, width, seen := w.clip(x.from, x.to)
		if !seen {
			continue
		}
		used[k] = append(used[k], x.state)
		if x.state != string(failover.Normal) {
			l.Words = append(l.Words, w.within(at, width, x.state, "on-"+k.Class))
		}
	}
	l.Shapes = s.shapes()
	l.Lines, l.More = lines(t.lanes[laneBrake], w)
	return l, true
}

// poolDuties are what a lane of the pool counts, from the bottom up.
var poolDuties = []key{
	{look{Class: "free"}, "free spares"},
	{look{Class: "claimed"}, "claimed"},
	{look{Class: "set-aside"}, "quarantined or in burn-in"},
}

func poolDuty(state string) int {
	switch failover.Duty(state) {
	case failover.Spare, "free":
		return 0
	case failover.Claimed:
		return 1
	case failover.Quarantined, failover.BurnIn:
		return 2
	default:
		return -1 // an occupant, or gone: no longer of the pool
	}
}

// tallied is how many members had each of poolDuties since a time.
type tallied struct {
	at int64
	n  [3]int
}

// poolLane shows how many spares were free, claimed and set aside: as many
// boxes on top of each other as there were spares at most.
func (t *tale) poolLane(w window) (lane, bool) {
	duty := map[member.ID]int{}
	var steps []tallied
	var told []scenario.Event
	most := 0
	for _, e := range t.lanes[lanePool] {
		if e.Member == "" {
			continue
		}
		if e.State == "" {
			told = append(told, e)
			continue
		}
		was, known := duty[e.Member]
		now := poolDuty(e.State)
		if !known && now < 0 {
			continue // it was never of the pool
		}
		if duty[e.Member] = now; known && was == now {
			continue
		}
		told = append(told, e)
		x := tallied{at: e.AtMS}
		for _, d := range duty {
			if d >= 0 {
				x.n[d]++
			}
		}
		most = max(most, x.n[0]+x.n[1]+x.n[2])
		if k := len(steps); k > 0 && steps[k-1].at == x.at {
			steps = steps[:k-1]
		}
		steps = append(steps, x)
	}
	if most == 0 {
		return lane{}, false
	}
	s := strip{window: w}
	var words []span
	for i, x := range steps {
		end := t.end
		if i+1 < len(steps) {
			end = steps[i+1].at
		}
		y := stripHeight
		for d, n := range x.n {
			h := (n*stripHeight + most - 1) / most
			y -= h
			s.add(look{Class: poolDuties[d].Class, Y: y, H: h}, x.at, end)
		}
		words = append(words, span{x.at, end, fmt.Sprintf("%d free, %d claimed, %d set aside", x.n[0], x.n[1], x.n[2])})
	}
	l := lane{Name: lanePool, Note: fmt.Sprintf("0–%d", most), Shapes: s.shapes(), Label: inWords("spares in the pool", words, w), Tall: true}
	l.Lines, l.More = lines(told, w)
	return l, true
}

// caseLanes draws one lane for each case.
func (t *tale) caseLanes(w window, used map[look][]string) []lane {
	var out []lane
	for _, name := range t.cases {
		events := t.lanes[name]
		ss := spans(events, t.end)
		s := strip{window: w}
		l := lane{Name: name, Label: inWords(name, ss, w)}
		for _, e := range events {
			if e.Member != "" {
				l.Note = string(e.Member)
				break
			}
		}
		for _, x := range ss {
			k := lookOfCase(x.state)
			at, width, seen := w.clip(x.from, x.to)
			if !seen || k.H == 0 {
				continue
			}
			s.add(k, x.from, x.to)
			used[k] = append(used[k], strings.ToLower(x.state))
			l.Words = append(l.Words, w.within(at, width, strings.ToLower(x.state), "on-"+k.Class))
		}
		if l.Shapes = s.shapes(); len(l.Shapes) == 0 {
			continue
		}
		l.Lines, l.More = lines(events, w)
		out = append(out, l)
	}
	if more := len(out) - casesShown; more > 0 {
		out = append(out[:casesShown], lane{Name: fmt.Sprintf("+%d", more), Note: "cases", Label: many(more, "more case", "more cases")})
	}
	return out
}
