package report

import (
	"fmt"
	"time"

	"moonwatch/member"
	"moonwatch/sim"
	"moonwatch/sim/scenario"
)

// aStorm is a story made up: a fleet so large, ten minutes, faults every few
// seconds, and a promise broken near the end. It is as much as a page has to
// stand.
func aStorm(members int) scenario.Result {
	const end = 600_000
	s := &scenario.Story{}
	var open uint64
	add := func(at int, lane string, id member.ID, state, text string) {
		e := scenario.Event{AtMS: int64(at), Lane: lane, Member: id, State: state, Text: text}
		if lane == "case" {
			e.Case = open
		}
		s.Events = append(s.Events, e)
	}
	id := func(i int) member.ID { return member.ID(fmt.Sprintf("m-%03d", i%members)) }
	for i := range members {
		s.Members = append(s.Members, member.Member{ID: id(i), Domain: member.FailureDomain(string(rune('a' + i%3)))})
		add(100+i, "member", id(i), "up", "the agent starts")
		duty := "serving"
		if i%8 == 7 {
			duty = "spare"
			add(1900, "pool", id(i), "spare", string(id(i))+" is a spare")
		}
		add(2000+i, "member", id(i), duty, duty)
	}
	s.Council = []member.ID{id(0), id(1), id(2), id(3), id(4)}
	add(900, "council", id(0), string(id(0)), string(id(0))+" leads in term 1")
	kinds := []sim.FaultKind{sim.Crash, sim.Pause, sim.Lossy, sim.KillAgent, sim.KillService, sim.Isolate, sim.Weather}
	for i := range 24 {
		at := 20_000 + i*22_000
		long := 3000 + i%5*9000
		kind := kinds[i%len(kinds)]
		band := scenario.Band{FromMS: int64(at), ToMS: int64(min(end, at+long)), Kind: kind, Whom: []member.ID{id(i * 7)}}
		if kind == sim.Weather {
			band.Whom = nil
		}
		if i%9 == 0 {
			band.ToMS = end
		}
		band.Text = fmt.Sprintf("%s of %s for %d s", kind, id(i*7), long/1000)
		if band.ToMS < end {
			band.End = fmt.Sprintf("end of the %s of %s", kind, id(i*7))
		}
		s.Faults = append(s.Faults, band)
		if kind == sim.Weather || kind == sim.Pause {
			continue
		}
		open = uint64(20 + 3*i)
		x, y, name := id(i*7), id(8*i+7), fmt.Sprintf("C-%d", open)
		spare := string(y)
		add(at+700, "member", x, "accused", fmt.Sprintf("%s and %s call %s down", id(i+1), id(i+2), x))
		add(at+1300, "member", x, "down", fmt.Sprintf("verdict V-%d: %s down, 9 of 11 votes", 18+3*i, x))
		add(at+1310, "case", x, "OPEN", fmt.Sprintf("%s opens: slot web-%d of %s", name, i, x))
		add(at+1320, "case", x, "DRAINING", name+" takes traffic away")
		if i%6 == 2 {
			add(at+1330, "brake", "", "guarded", "brake guarded: 2 of 60 members in trouble")
			add(at+1400, "case", x, "HELD", name+" is held by the brake")
			add(at+15_000, "brake", "", "normal", "brake normal: nobody in trouble")
		}
		add(at+16_000, "case", x, "FENCING", name+" fences "+string(x))
		add(at+16_300, "case", x, "ACTIVATING", name+" activates on "+spare)
		add(at+16_310, "pool", y, "claimed", spare+" is claimed by "+name)
		add(at+16_350, "member", y, "activating", "prepares its slot")
		add(at+17_000, "member", y, "serving", "serves the slot of "+string(x))
		add(at+17_010, "case", x, "CUTOVER", name+" cuts over to "+spare)
		add(at+17_020, "pool", y, "occupant", spare+" has a slot")
		add(at+20_000, "case", x, "CLOSED", name+" is closed: replaced")
		if band.ToMS < end {
			add(int(band.ToMS)+400, "member", x, "quarantined", "is back, and in quarantine")
			add(int(band.ToMS)+400, "pool", x, "quarantined", string(x)+" is in quarantine")
			add(int(band.ToMS)+30_400, "member", x, "spare", "a spare")
			add(int(band.ToMS)+30_400, "pool", x, "spare", string(x)+" is a spare")
		}
	}
	add(200_000, "council", id(0), "nobody", "the council has no leader")
	add(203_500, "council", id(1), string(id(1)), string(id(1))+" leads in term 2")
	add(410_000, "council", id(2), string(id(2)), string(id(2))+" leads in term 3")
	add(487_400, "checker", "", "", fmt.Sprintf("S4: case C-83 claims %s, which case C-80 has", id(103)))
	r := scenario.Result{
		Scenario: "storm", Seed: 1117, Outcome: scenario.SafetyBroken, Promise: "S4",
		Broken:   fmt.Sprintf("case C-83 claims %s, which case C-80 has", id(103)),
		BrokenMS: 487_400, Members: members, Verdicts: 21, Events: 1_841_220, Virtual: end * time.Millisecond, Trace: "9f02c6a1d04b77e3",
		Messages: scenario.Spread{Min: 21.1, Median: 32.7, Max: 88.4}, Bytes: scenario.Spread{Min: 2210, Median: 3480, Max: 11_900},
		Checks:    map[string]int{},
		Sometimes: map[string]int{},
		Requests:  30_000, Failed: 212, Story: s,
	}
	for i := range 40 {
		r.DetectMS = append(r.DetectMS, int64(900+i*29+i*i/2))
		r.RecoverMS = append(r.RecoverMS, int64(3900+i*33))
	}
	r.RecoverMS = append(r.RecoverMS, 31_800, 44_250)
	for i, p := range sim.Promises() {
		r.Checks[p.Name] = 1000 + 3711*i
	}
	for i, x := range sim.Rarities() {
		r.Sometimes[x.Name] = i % 3 * 7
	}
	return r
}

// broken is the report of the storm, as of one run.
func broken(members int) Input {
	return Input{
		Command: "moonwatch sim run storm.yaml --seed 1117 --report out", Version: "moonwatch 0.3.0 (a1b2c3d)", Profile: "lan", Took: 4200 * time.Millisecond,
		Runs: []Run{{
			Result: aStorm(members), Replay: "moonwatch sim replay storm-seed-1117.plan.json", Shrunk: true,
			Plan: "{\n  \"version\": 1,\n  \"seed\": 1117,\n  \"steps\": [\n    {\"at\": \"486s\", \"do\": \"crash\", \"whom\": [\"m-019\"]},\n    {\"at\": \"486.2s\", \"do\": \"pause\", \"whom\": [\"m-000\"], \"for\": \"3s\"}\n  ]\n}",
		}},
	}
}

// aCampaign is made up: a thousand seeds of which few break.
func aCampaign() Input {
	c := &Campaign{Name: "swarm-30", Asked: 1200, Trace: "51c0ffee00d1ce99"}
	kinds := []sim.FaultKind{sim.Crash, sim.Pause, sim.Lossy, sim.KillAgent, sim.KillService, sim.Isolate, sim.Weather, sim.StallDisk, sim.Lie, sim.Freeze}
	for seed := range uint64(1000) {
		r := scenario.Result{
			Seed: seed + 1, Outcome: scenario.Ok, Members: 30, Verdicts: int(seed % 4), Events: 180_000 + 311*(seed%97), Virtual: 5 * time.Minute,
			Messages: scenario.Spread{Min: 18, Median: 24 + float64(seed%7), Max: 40}, Bytes: scenario.Spread{Min: 1400, Median: 2100 + float64(seed%13)*20, Max: 5200},
			Checks:    map[string]int{"S1": 3, "S2": 3, "S3": 900, "S4": 40, "S10": 9000, "S12": 900, "unheard-of": 1},
			Sometimes: map[string]int{"verdict-withdrawn": int(seed % 3 / 2), "snapshot-installed": 0, "leader-changed": int(seed % 2)},
			Requests:  1000, Failed: int(seed % 5),
		}
		for i := range seed % 3 {
			r.DetectMS = append(r.DetectMS, int64(800+(seed*7919+i*104729)%1400))
			r.RecoverMS = append(r.RecoverMS, int64(3600+(seed*7919+i*104729)%1900))
		}
		switch seed {
		case 116:
			r.Outcome, r.Promise, r.Broken = scenario.SafetyBroken, "S4", "case C-83 claims m-019, which case C-80 has"
		case 530, 871:
			r.Outcome, r.Promise, r.Broken = scenario.LivenessBroken, "L2", "slot web-7 of m-007 is not served, and nobody says why"
		}
		if seed%61 == 60 {
			r.Outcome, r.Broken = scenario.Void, "most councillors lost their disks"
		}
		c.Add(r, time.Duration(120+seed*37%500)*time.Millisecond, []sim.FaultKind{kinds[seed%10], kinds[seed*3%10], kinds[(seed*7+1)%10]})
	}
	in := broken(30)
	in.Command, in.Campaign, in.Took = "moonwatch sim campaign --seeds 1200 --minutes 5 --report out", c, 214*time.Second
	in.Runs[0].Result.Seed = 117
	return in
}
