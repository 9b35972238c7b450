package report

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"moonwatch/sim"
	"moonwatch/sim/scenario"
)

func seeds() []scenario.Result {
	var rs []scenario.Result
	for i := range uint64(30) {
		rs = append(rs, scenario.Result{
			Seed: 100 + i, Outcome: scenario.Ok, Members: 7, Virtual: time.Minute, Events: 10 * i, DetectMS: []int64{int64(1000 + i)},
			Messages: scenario.Spread{Min: 10 + float64(i), Median: 20 + float64(i), Max: 30 + float64(i)},
			Checks:   map[string]int{"S1": 1}, Sometimes: map[string]int{"vote-split": 0},
		})
	}
	rs[3].Outcome, rs[3].Broken = scenario.SafetyBroken, "something"
	rs[4].Outcome = scenario.Void
	rs[5] = scenario.Result{Seed: 105, Outcome: Crashed, Broken: "the worker was killed"}
	return rs
}

func TestSeedsAddUpInAnyOrder(t *testing.T) {
	var sums []string
	for _, turned := range []bool{false, true} {
		rs := seeds()
		if turned {
			slices.Reverse(rs)
		}
		var c Campaign
		for _, r := range rs {
			c.Add(r, time.Duration(r.Seed%7)*time.Second, []sim.FaultKind{sim.Crash, sim.Pause, sim.Crash})
		}
		slices.Sort(c.DetectMS)
		b, err := json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		sums = append(sums, string(b))
	}
	if sums[0] != sums[1] {
		t.Errorf("forwards %s\nbackwards %s", sums[0], sums[1])
	}
}

func TestACampaignKeepsWhatMatters(t *testing.T) {
	var c Campaign
	for _, r := range seeds() {
		c.Add(r, time.Duration(r.Seed)*time.Second, []sim.FaultKind{sim.Crash, sim.Pause, sim.Crash})
	}
	var broken []uint64
	for _, b := range c.Broken {
		broken = append(broken, b.Seed)
	}
	if fmt.Sprint(broken) != "[103 105]" {
		t.Errorf("broken %v, want the seeds that ended neither ok nor void", broken)
	}
	if n := c.Faults[sim.Crash][scenario.Ok]; n != 27 {
		t.Errorf("crash struck in %d seeds that ended ok, want 27: each seed counts once", n)
	}
	if len(c.Slowest) != slowestKept || c.Slowest[0].Seed != 129 {
		t.Errorf("%d slowest, first %+v", len(c.Slowest), c.Slowest[0])
	}
	if c.Messages != (scenario.Spread{Min: 10, Median: 35, Max: 59}) {
		t.Errorf("messages %+v: a crashed seed sent nothing that counts", c.Messages)
	}
	if n, named := c.Sometimes["vote-split"]; n != 0 || !named {
		t.Error("what never happened is not named")
	}
	if e := gravest(c.Outcomes); e.Outcome != scenario.SafetyBroken || e.Code != 7 {
		t.Errorf("judged by %+v", e)
	}
}

func TestVoidSeedsDecideOnlyAmongThemselves(t *testing.T) {
	if e := gravest(map[scenario.Outcome]int{scenario.Ok: 1, scenario.Void: 9}); e.Code != 0 {
		t.Errorf("one seed ok and nine void: exit %d", e.Code)
	}
	if e := gravest(map[scenario.Outcome]int{scenario.Void: 9}); e.Code != 8 {
		t.Errorf("nine void: exit %d", e.Code)
	}
}
