package report

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"moonwatch/sim"
	"moonwatch/sim/scenario"
)

// campaignView is what only the page of a campaign has.
type campaignView struct {
	Outcomes []outcomeRow
	Columns  []scenario.Outcome
	Matrix   []matrixRow
	Slowest  []slowRow
	Broken   []brokenRow
	More     int // broken seeds that found no place
}

// outcomeRow is how many seeds ended so.
type outcomeRow struct {
	ending
	Seeds, Share string
	Percent      float64
}

// matrixRow is a kind of fault, and how the seeds ended in which it struck.
type matrixRow struct {
	Kind  sim.FaultKind
	Cells []cell
	Seeds string
}

type cell struct {
	Text string
	Tone string // empty: nothing to see
}

type slowRow struct {
	Seed         uint64
	Took, Events string
	Percent      float64 // of the slowest
}

type brokenRow struct {
	Broken
	Ending ending
	Link   bool // shown in full on this page
}

const brokenShown = 100

// campaign fills in the page of a campaign.
func (in Input) campaign(v *view) {
	c := in.Campaign
	v.Kind, v.Title, v.Headline, v.Ending = "campaign", c.Name+", "+many(c.Seeds, "seed", "seeds"), headlineOf(c), gravest(c.Outcomes)
	if c.Seeds == 0 {
		v.Ending = ending{Outcome: "nothing", Tone: "mind", Code: 1}
	}
	v.Lead = fmt.Sprintf("%s, fleets of up to %s, %s of virtual time in all.", c.Name, many(c.Members, "member", "members"), length(c.Virtual))
	if n := c.Outcomes[scenario.Void]; n > 0 && n < c.Seeds {
		v.Notes = append(v.Notes, fmt.Sprintf("%s void: their plans left what the protocol assumes, so they prove nothing.", many(n, "seed is", "seeds are")))
	}
	if c.Asked > c.Seeds {
		v.Notes = append(v.Notes, fmt.Sprintf("Ended early: %s of %s ran. What is shown is about those.", count(c.Seeds), many(c.Asked, "seed", "seeds")))
	}
	v.Tiles = []tile{
		{Name: "Scenario", Value: c.Name},
		{Name: "Seeds", Value: count(c.Seeds), More: fmt.Sprintf("%d to %d", c.First, c.Last)},
		{Name: "Events", Value: about(float64(c.Events))},
	}
	if in.Took > 0 {
		v.Tiles = append(v.Tiles, speedTile(c.Events, c.Virtual, in.Took))
	}
	v.Tiles = append(v.Tiles, verdictTile(c.Verdicts, c.False))
	if c.Requests > 0 {
		v.Tiles = append(v.Tiles, requestTile(c.Requests, c.Failed))
	}
	v.Tiles = append(v.Tiles, tile{Name: "Trace hash", Value: c.Trace, Class: "hash"})
	v.measured(in, c.DetectMS, c.RecoverMS, c.Messages, c.Bytes)
	var broken []string
	for _, b := range c.Broken {
		broken = append(broken, b.Promise)
	}
	v.Invariants = invariants(c.Checks, broken...)
	v.Rare, v.Never = rarities(c.Sometimes)
	v.Campaign = c.view(in.Runs)
}

func (c *Campaign) view(shown []Run) *campaignView {
	v := &campaignView{}
	for _, e := range outcomesOf(c.Outcomes) {
		n := c.Outcomes[e.Outcome]
		v.Outcomes = append(v.Outcomes, outcomeRow{e, count(n), fmt.Sprintf("%.2f %%", 100*float64(n)/float64(c.Seeds)), share(int64(n), int64(c.Seeds))})
		v.Columns = append(v.Columns, e.Outcome)
	}
	for _, k := range slices.Sorted(maps.Keys(c.Faults)) {
		row := matrixRow{Kind: k}
		all := 0
		for _, e := range outcomesOf(c.Outcomes) {
			n := c.Faults[k][e.Outcome]
			all += n
			x := cell{Text: "·"}
			if n > 0 {
				x = cell{count(n), e.Tone}
			}
			row.Cells = append(row.Cells, x)
		}
		row.Seeds = count(all)
		v.Matrix = append(v.Matrix, row)
	}
	for _, s := range c.Slowest {
		v.Slowest = append(v.Slowest, slowRow{s.Seed, length(s.Took), about(float64(s.Events)), share(int64(s.Took), int64(c.Slowest[0].Took))})
	}
	for _, b := range c.Broken[:min(len(c.Broken), brokenShown)] {
		v.Broken = append(v.Broken, brokenRow{b, endingOf(b.Outcome), slices.ContainsFunc(shown, func(r Run) bool { return r.Result.Seed == b.Seed })})
	}
	v.More = len(c.Broken) - len(v.Broken)
	return v
}

// outcomesOf are the endings that occurred, the mildest first; such as this
// program does not know come last.
func outcomesOf(by map[scenario.Outcome]int) []ending {
	var out []ending
	for o, n := range by {
		if n > 0 {
			out = append(out, endingOf(o))
		}
	}
	place := func(o scenario.Outcome) int {
		i := slices.IndexFunc(endings, func(e ending) bool { return e.Outcome == o })
		if i < 0 {
			return len(endings)
		}
		return i
	}
	slices.SortFunc(out, func(a, b ending) int {
		return cmp.Or(cmp.Compare(place(a.Outcome), place(b.Outcome)), cmp.Compare(a.Outcome, b.Outcome))
	})
	return out
}
