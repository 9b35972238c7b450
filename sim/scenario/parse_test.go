package scenario

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"moonwatch/internal/strict"
	"moonwatch/sim"
)

// good is a scenario with most of what there is.
const good = `
name: leader-dies-while-swapping
about: >
  The leader dies at the moment at which
  a spare takes over.
seed: 42
fleet: {members: 60, failure_domains: 6, spares: 4, council: 5, profile: demo, hosts: [www.example.com]}
network: {delay: 300us, jitter: 500us, loss: 1%}
disk: {min: 1ms, max: 20ms}
actions: {max: 5s}
load:
  - {host: www.example.com, rps: 50}
duration: 4m
settle: 5m
steps:
  - {at: 30s, do: crash, whom: "random:1 of occupants", except: [leader, council], as: victim}
  - {on: case.activating(@victim), nth: 1, within: 1m, after: 200ms, do: crash, whom: leader, for: 20s}
  - {at: 90s, do: cut-one-way, whom: failure-domain:a, other: [failure-domain:b, member:7], for: 25s}
  - {at: 150s, do: slow, whom: ["half of pool:web", slot:web-3], delay: 800ms, for: 40s}
  - {at: 200s, do: mend, whom: "@victim"}
swarm: {faults: 0..12, kinds: {crash: 3, pause: 2}, quiet_after: 3m}
expect:
  detect_p99: 6s
  verdicts: 1..
  verdict: {victim: down, "member:m-059": none}
  false_verdicts: 0
  modes: guarded
  occupant_changed: ["@victim", web-7]
  served_by: {web-7: spares}
  quorum: kept
  facts: [spare, "the power is gone"]
`

func TestAFenceDeviceMayComeWithAnotherFleet(t *testing.T) {
	for _, text := range []string{
		"fleet: {members: 5, fence: power}\nsteps: [{at: 1s, do: lying-fence, whom: all}]",
		"steps: [{at: 2s, do: lying-fence, whom: all}, {at: 1s, do: order-apply, change: {pools: {web: {fence: power}}}}]",
	} {
		if _, err := Parse("x.yaml", []byte(text)); err != nil {
			t.Error(err)
		}
	}
}

func TestAScenarioIsRead(t *testing.T) {
	s, err := Parse("dir/x.yaml", []byte(good))
	if err != nil {
		t.Fatal(err)
	}
	if s.Name != "leader-dies-while-swapping" || s.About != "The leader dies at the moment at which a spare takes over." || s.Seed != 42 {
		t.Errorf("%q %q %d", s.Name, s.About, s.Seed)
	}
	if s.Members() != 60 || len(s.ground.holds) != 56 || len(s.ground.council) != 5 || s.ground.fleet.Members[7].Domain != "b" {
		t.Errorf("fleet %+v", s.ground.fleet)
	}
	if s.Net.Loss != 0.01 || s.Action.Max != 5*time.Second || s.Disk.Sync.Max != 20*time.Millisecond || s.Load[0].Pool != "web" {
		t.Errorf("weather %+v %+v %+v %+v", s.Net, s.Action, s.Disk, s.Load)
	}
	on := s.Steps[1]
	if on.On.String() != "case.activating(@victim)" || on.After != 200*time.Millisecond || on.Whom[0].String() != "leader" || on.Do != sim.Crash {
		t.Errorf("%+v", on)
	}
	if s.Swarm.Faults != (Range{0, 12}) || s.Swarm.Kinds[0] != (Weight{sim.Crash, 3}) {
		t.Errorf("%+v", s.Swarm)
	}
	if e := s.Expect; e.Verdicts.String() != "1.." || e.Verdict[0].Whom.String() != "@victim" || len(e.Facts) != 2 {
		t.Errorf("%+v", e)
	}
}

func TestSelectorsAndTriggersAreKeptAsTheyWereWritten(t *testing.T) {
	for _, s := range []string{
		"member:web-3", "member:7", "failure-domain:a", "pool:web", "slot:web-3", "leader", "council", "council:minority", "council:majority",
		"followers", "observers-of:leader", "observers-of:@victim", "spares", "claimed", "occupants", "all", "half", "half of pool:web", "random:3",
		"random:10% of occupants", "@name",
	} {
		if x, err := ParseSelector(s); err != nil || x.String() != s {
			t.Errorf("%q became %q, %v", s, x, err)
		}
	}
	for _, s := range []string{
		"crash", "pause.ended(member:3)", "verdict", "verdict.down(@victim)", "case.activating(leader)", "mode.cascade", "leader-elected",
		"service-up(web-3)", "agent-started(spares)", "action-began",
	} {
		if x, err := ParseTrigger(s); err != nil || x.String() != s {
			t.Errorf("%q became %q, %v", s, x, err)
		}
	}
}

// TestEveryMistakeIsNamedWithItsPlace gives each line of a scenario and what is
// said about it.
func TestEveryMistakeIsNamedWithItsPlace(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"", "x.yaml:1:1: the file is empty"},
		{"steps: [", "x.yaml:1:8: the text is not YAML: sequence end token ']' not found"},
		{"- a", "x.yaml:1:1: the file holds a list, want keys and values"},
		{"about: a\nabout: b", "x.yaml:2:1: about stands here for the second time, first in line 1"},
		{"step: []", "x.yaml:1:1: unknown key step, did you mean steps?"},
		{"nodes: 7", "x.yaml:1:1: unknown key nodes, want name, about, seed, fleet, network, disk, actions, ledger, load, shield, duration, settle, steps, swarm, expect or sometimes"},
		{"name: A b", `x.yaml:1:7: name is "A b", want a name of letters, digits and dashes`},
		{"duration: 10", "x.yaml:1:11: duration is the number 10, want a time from 1s to 720h with its unit, such as 30s"},
		{"duration: -10s", `x.yaml:1:11: duration is "-10s", want a time from 1s to 720h with its unit, such as 30s`},
		{"fleet: big", `x.yaml:1:8: fleet is "big", want demo, a mapping of its numbers, or members and pools as in fleet.yaml`},
		{"fleet: {members: 1}", "x.yaml:1:18: fleet.members is the number 1, want a whole number from 2 to 10000"},
		{"fleet: {members: 7, nodes: 3}", "x.yaml:1:21: unknown key fleet.nodes, want members, failure_domains, spares, council, profile, pools, hosts, exclusive, fence, armed, prepare, drill_every, reserve, early_after, floor or borrow_from"},
		{"fleet: {members: 7, spares: 7}", "x.yaml:1:29: fleet.spares is the number 7, want a whole number from 0 to 6"},
		{"fleet: {members: 7, council: 4}", "x.yaml:1:30: fleet.council is 4, want an odd number: an even one survives no more losses"},
		{"fleet: {members: 7, failure_domains: 8}", "x.yaml:1:38: fleet.failure_domains is the number 8, want a whole number from 1 to 7"},
		{"fleet: {members: 7, profile: faster}", `x.yaml:1:30: fleet.profile is "faster", did you mean fast?`},
		{"fleet: {pools: {web: {slots: 5, spares: 2}}, members: 9}", "x.yaml:1:55: fleet.members is 9, and its pools have 7 slots and spares: want the same, or leave it out"},
		{
			"fleet: {members: {a: {failure_domain: x, pool: wbe, council: allowed}, b: {failure_domain: y}}, pools: {web: {slots: 1}}}",
			`x.yaml:1:48: fleet.members.a.pool is "wbe", which is not in the fleet: did you mean web?`,
		},
		{"network: {loss: 120%}", `x.yaml:1:17: network.loss is "120%", want a share from 0% to 100%, such as 30% or 0.3`},
		{"ledger: {keep_entries: 3}", "x.yaml:1:10: ledger.snapshot_every is missing, want how many facts lie between two snapshots"},
		{"disk: {min: 2s, max: 1s}", "x.yaml:1:13: disk.min is 2s, want at most max (1s)"},
		{"load: [{host: x, pool: wbe, rps: 5}]", `x.yaml:1:24: load[0].pool is "wbe", which is not in the fleet: did you mean web?`},
		{"steps: [{do: crash, whom: all}]", "x.yaml:1:10: steps[0].at is missing, want when it begins, or on and what it waits for"},
		{"steps: [{at: 1s, on: crash, do: crash, whom: all}]", "x.yaml:1:22: steps[0].on stands beside at, want one of them"},
		{"steps: [{at: 1s, after: 1s, do: crash, whom: all}]", "x.yaml:1:18: steps[0].after is for steps that wait: it stands without on"},
		{"steps: [{at: 3m, do: crash, whom: all}]", "x.yaml:1:14: steps[0].at is 3m, after the end: duration is 3m"},
		{"steps: [{at: 2m, for: 61s, do: crash, whom: all}]", "x.yaml:1:23: steps[0].for is 1m1s: it ends at 3m1s, after the end of all faults: duration is 3m"},
		{"steps: [{at: -1s, do: crash, whom: all}]", `x.yaml:1:14: steps[0].at is "-1s", want a time from 0s to 720h with its unit, such as 30s`},
		{"steps: [{at: 1s, whom: all}]", "x.yaml:1:10: steps[0].do is missing, want the name of a fault, or mend"},
		{"steps: [{at: 1s, do: crash, whom: leader, except: leader}]", "x.yaml:1:35: steps[0].whom without except selects nobody"},
		{"steps: [{at: 1s, do: crush, whom: all}]", `x.yaml:1:22: steps[0].do is "crush", did you mean crash?`},
		{"steps: [{at: 1s, do: crash}]", "x.yaml:1:10: steps[0].whom is missing: a crash needs it"},
		{"steps: [{at: 1s, do: crash, whom: all, share: 3%}]", "x.yaml:1:40: steps[0].share: a crash has no share"},
		{"steps: [{at: 1s, do: lossy, whom: all}]", "x.yaml:1:10: steps[0].share is missing: a lossy needs it"},
		{"steps: [{at: 1s, do: lossy, whom: all, share: 2}]", "x.yaml:1:47: steps[0].share is the number 2, want a share from 0.1% to 100%, such as 30% or 0.3"},
		{"steps: [{at: 1s, do: kill-service, whom: all, for: 3s}]", "x.yaml:1:47: steps[0].for: a kill-service does not end by itself"},
		{"steps: [{at: 1s, do: crash, whom: leeder}]", `x.yaml:1:35: steps[0].whom: "leeder" selects nobody, did you mean leader?`},
		{"steps: [{at: 1s, do: crash, whom: zone:a}]", `x.yaml:1:35: steps[0].whom: "zone:a" selects nobody, want member:NAME, failure-domain:NAME, pool:NAME, slot:NAME, leader, council, council:minority, council:majority, followers, observers-of:WHOM, spares, claimed, occupants, all, half, random:3, random:10% or @name`},
		{"steps: [{at: 1s, do: crash, whom: member:web-33}]", "x.yaml:1:35: steps[0].whom: member:web-33 is not in the fleet: did you mean web-3?"},
		{"steps: [{at: 1s, do: crash, whom: member:7}]", "x.yaml:1:35: steps[0].whom: member:7 is not in the fleet: want web-0, web-1, web-2, web-3, web-4, spare-0 or spare-1"},
		{"steps: [{at: 1s, do: crash, whom: failure-domain:d}]", "x.yaml:1:35: steps[0].whom: failure-domain:d is not in the fleet: want a, b or c"},
		{"steps: [{at: 1s, do: crash, whom: pool:db}]", "x.yaml:1:35: steps[0].whom: pool:db is not in the fleet: want web"},
		{"steps: [{at: 1s, do: crash, whom: slot:web-5}]", "x.yaml:1:35: steps[0].whom: slot:web-5 is not in the fleet: did you mean web-0?"},
		{"steps: [{at: 1s, do: crash, whom: random:8}]", "x.yaml:1:35: steps[0].whom: random:8 wants more members than there are: all has 7"},
		{"steps: [{at: 1s, do: crash, whom: random:3 of spares}]", "x.yaml:1:35: steps[0].whom: random:3 of spares wants more members than there are: spares has 2"},
		{"steps: [{at: 1s, do: crash, whom: random:0}]", "x.yaml:1:35: steps[0].whom: random:0 selects nobody, want a count from 1 or a share from 1% to 100%"},
		{"steps: [{at: 1s, do: crash, whom: random:3 in spares}]", `x.yaml:1:35: steps[0].whom: "in spares" is not understood, want of and another selector`},
		{"steps: [{at: 1s, do: crash, whom: council, except: all}]", "x.yaml:1:35: steps[0].whom without except selects nobody"},
		{"steps: [{at: 1s, do: crash, whom: @victim}]", `x.yaml:1:35: a name stands in quotes here: "@victim"`},
		{`steps: [{at: 1s, do: crash, whom: "@victim"}]`, "x.yaml:1:35: steps[0].whom: @victim is a name that no earlier step gave with as"},
		{`steps: [{at: 1s, do: crash, whom: all, as: one}, {at: 2s, do: crash, whom: "@won"}]`, "x.yaml:1:76: steps[1].whom: @won is a name that no earlier step gave with as: did you mean @one?"},
		{`steps: [{at: 1s, do: crash, whom: all, as: one}, {at: 2s, do: crash, whom: all, as: one}]`, "x.yaml:1:85: steps[1].as is one, which steps[0] is called already"},
		{"fleet: {members: 4, council: 1}\nsteps: [{at: 1s, do: crash, whom: council:minority}]", "x.yaml:2:35: steps[0].whom: council:minority of a council of 1 is nobody"},
		{"fleet: {members: 4, spares: 0}\nsteps: [{at: 1s, do: crash, whom: spares}]", "x.yaml:2:35: steps[0].whom: spares: the fleet has none"},
		{"steps: [{on: case.activting, do: crash, whom: all}]", `x.yaml:1:14: steps[0].on: nothing is called "case.activting", did you mean case.activating?`},
		{"steps: [{on: case.held(member:x), do: crash, whom: all}]", "x.yaml:1:14: steps[0].on: member:x is not in the fleet: want web-0, web-1, web-2, web-3, web-4, spare-0 or spare-1"},
		{"steps: [{on: case.held(random:1), do: crash, whom: all}]", "x.yaml:1:14: steps[0].on: random:1 is drawn by chance: a trigger wants somebody who is known"},
		{"steps: [{on: mode.cascade(all), do: crash, whom: all}]", "x.yaml:1:14: steps[0].on: mode.cascade is about the whole fleet and has no brackets"},
		{"steps: [{on: crash(all, do: crash, whom: all}]", `x.yaml:1:14: steps[0].on: "crash(all" has no closing bracket`},
		{"steps: [{at: 1s, do: mend, whom: all}]", `x.yaml:1:34: steps[0].whom is all, want the name that the step to be mended gave with as: "@victim"`},
		{`steps: [{at: 1s, do: crash, whom: all, for: 9s, as: v}, {at: 5s, do: mend, whom: "@v"}]`, "x.yaml:1:82: steps[1].whom is @v: that one ends by itself"},
		{`steps: [{at: 1s, do: kill-service, whom: all, as: v}, {at: 5s, do: mend, whom: "@v"}]`, "x.yaml:1:80: steps[1].whom is @v: nothing mends a kill-service"},
		{"steps: [{at: 1s, do: flood, host: x, share: 10}]", `x.yaml:1:35: steps[0].host is "x", for which no load comes: there is none`},
		{"steps: [{at: 1s, do: order-apply}]", "x.yaml:1:10: steps[0].change is missing: a order-apply needs it"},
		{"steps: [{at: 1s, do: crash, whom: all, change: {profile: wan}}]", "x.yaml:1:40: steps[0].change: a crash has no change"},
		{"steps: [{at: 1s, do: order-apply, change: {}}]", "x.yaml:1:43: steps[0].change is empty, want what changes: profile, brake, pools by name, or members for those in whom"},
		{"steps: [{at: 1s, do: order-apply, change: {pool: {web: {armed: true}}}}]", "x.yaml:1:44: unknown key steps[0].change.pool, did you mean pools?"},
		{"steps: [{at: 1s, do: order-apply, change: {profile: slow}}]", `x.yaml:1:53: steps[0].change.profile is "slow", want lan, fast, cloud, wan or demo`},
		{"steps: [{at: 1s, do: order-apply, change: {pools: {wbe: {armed: true}}}}]", "x.yaml:1:52: steps[0].change.pools has wbe, which is not in the fleet: did you mean web?"},
		{"steps: [{at: 1s, do: order-apply, change: {pools: {web: {}}}}]", "x.yaml:1:57: steps[0].change.pools.web is empty, want what changes about the pool"},
		{"steps: [{at: 1s, do: order-apply, change: {pools: {web: {fences: self}}}}]", "x.yaml:1:58: unknown key steps[0].change.pools.web.fences, did you mean fence?"},
		{"steps: [{at: 1s, do: order-apply, change: {pools: {web: {fence: powr}}}}]", `x.yaml:1:65: steps[0].change.pools.web.fence has "powr", did you mean power?`},
		{"steps: [{at: 1s, do: order-apply, change: {pools: {web: {armed: no}}}}]", `x.yaml:1:65: steps[0].change.pools.web.armed is "no", want true or false`},
		{"steps: [{at: 1s, do: order-apply, change: {pools: {web: {reserve: -1}}}}]", "x.yaml:1:67: steps[0].change.pools.web.reserve is the number -1, want a whole number from 0 to 10000"},
		{"steps: [{at: 1s, do: order-apply, change: {pools: {web: {borrow_from: bd}}}}]", `x.yaml:1:71: steps[0].change.pools.web.borrow_from has "bd", which is not in the fleet: want web or none`},
		{"steps: [{at: 1s, do: order-apply, change: {pools: {web: {remove_slots: web-9}}}}]", "x.yaml:1:72: steps[0].change.pools.web.remove_slots: slot:web-9 is not in the fleet: did you mean web-0?"},
		{"steps: [{at: 1s, do: order-apply, change: {pools: {web: {add_slots: [web 9]}}}}]", `x.yaml:1:70: steps[0].change.pools.web.add_slots has "web 9", want a name of letters, digits and dashes`},
		{"steps: [{at: 1s, do: order-apply, change: {brake: {cascade: {min: 2, part: 3%}}}}]", "x.yaml:1:70: unknown key steps[0].change.brake.cascade.part, want min or share"},
		{"steps: [{at: 1s, do: order-apply, change: {members: {retired: true}}}]", "x.yaml:1:44: steps[0].change.members stands without whom: whose line of the fleet changes"},
		{"steps: [{at: 1s, do: order-apply, whom: spares, change: {profile: wan}}]", "x.yaml:1:35: steps[0].whom stands without change.members: nothing changes about members"},
		{"steps: [{at: 1s, do: order-apply, whom: spares, change: {members: {retired: true}}, for: 3s}]", "x.yaml:1:85: steps[0].for: a order-apply does not end by itself"},
		{"steps: [{at: 1s, do: lying-fence, whom: all}]", "x.yaml:1:22: steps[0].do is lying-fence, and there is no fence device: no pool has power among its fence"},
		{"swarm: {kinds: {failing-fence: 1}}", "x.yaml:1:17: swarm.kinds is failing-fence, and there is no fence device: no pool has power among its fence"},
		{"swarm: {kinds: {order-apply: 1}}", "x.yaml:1:17: swarm.kinds.order-apply: what changes is not drawn, want it among the steps"},
		{"swarm: {faults: 5..2}", `x.yaml:1:17: swarm.faults is "5..2", want a range such as 1, 0..12 or 2..`},
		{"swarm: {kinds: {crush: 2}}", "x.yaml:1:17: unknown key swarm.kinds.crush, did you mean crash?"},
		{"swarm: {quiet_after: 4m}", "x.yaml:1:22: swarm.quiet_after is 4m, after the end: duration is 3m"},
		{"expect: {verdict: {victm: down}}", `x.yaml:1:20: expect.verdict: "victm" selects nobody, want member:NAME, failure-domain:NAME, pool:NAME, slot:NAME, leader, council, council:minority, council:majority, followers, observers-of:WHOM, spares, claimed, occupants, all, half, random:3, random:10% or @name`},
		{"expect: {verdict: {member:0: down}}", `x.yaml:1:20: expect.verdict: a selector with a colon stands in quotes here: "member:NAME"`},
		{`expect: {verdict: {"member:0": gone}}`, `x.yaml:1:32: expect.verdict.member:0 is "gone", did you mean none?`},
		{"expect: {mode_max: panic}", `x.yaml:1:20: expect.mode_max is "panic", want normal, guarded or cascade`},
		{"expect: {occupant_changed: web-9}", "x.yaml:1:28: expect.occupant_changed: slot:web-9 is not in the fleet: did you mean web-0?"},
		{"expect: {failed_requests_max: 3}", "x.yaml:1:10: expect.failed_requests_max: no load comes for any host"},
		{"sometimes: [never-heard-of]", `x.yaml:1:13: sometimes: nothing is counted as "never-heard-of"`},
	} {
		_, err := Parse("dir/x.yaml", []byte(c.text))
		var got strict.Mistakes
		if !errors.As(err, &got) || len(got) != 1 || !strings.HasPrefix(got[0].String(), "dir/"+c.want) {
			t.Errorf("%s\n got %v\nwant dir/%s", c.text, err, c.want)
		}
	}
}

func TestAllMistakesComeAtOnceInTheirOrder(t *testing.T) {
	text := "fleet: {members: 1}\nduration: 0\nbogus: 1\nsteps:\n  - {at: 1s, do: crash}\n"
	_, err := Parse("x.yaml", []byte(text))
	var got strict.Mistakes
	if !errors.As(err, &got) || len(got) != 4 {
		t.Fatal(err)
	}
	var places []int
	for _, m := range got {
		places = append(places, m.Line)
	}
	if !slices.Equal(places, []int{1, 2, 3, 5}) {
		t.Errorf("mistakes in lines %v", places)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(good))
	f.Add([]byte("steps: [{at: 1s, do: crash, whom: \"random:10% of observers-of:@x\"}]"))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := Parse("x", b)
		if err != nil || s.Members() > 100 {
			return
		}
		p, err := s.Compile(1, Options{})
		if err != nil {
			return
		}
		x, err := p.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := DecodePlan("x", x); err != nil {
			t.Fatalf("%v\n%s", err, x)
		}
	})
}
