package scenario

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"moonwatch/sim"
)

func played(t *testing.T, p *Plan, opt PlayOptions) *Result {
	t.Helper()
	r, err := Play(p, opt)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestTheSamePlanGivesTheSameRun(t *testing.T) {
	r := played(t, compiled(t, swap, 3), PlayOptions{Story: true, Twice: true})
	if r.Outcome != Ok {
		t.Fatalf("%s: %s\n%s", r.Outcome, r.Broken, Transcript(r.Story))
	}
}

// swap lets the leader die at the moment at which a spare takes over.
const swap = `
duration: 90s
steps:
  - {at: 30s, do: crash, whom: "random:1 of occupants", except: leader, as: victim}
  - {on: case.activating(@victim), within: 40s, after: 50ms, do: crash, whom: leader, as: second, for: 20s, serve: true}
  - {on: crash.ended(@second), do: kill-agent, whom: "random:1 of observers-of:@victim", as: third}
  - {at: 80s, do: mend, whom: "@third"}
expect: {verdict: {victim: down, second: down}, failovers: 1..}
`

// TestARealisedPlanPlaysTheSame replaces everything that was found out in a run
// by what was found.
func TestARealisedPlanPlaysTheSame(t *testing.T) {
	for seed := range uint64(5) {
		r := played(t, compiled(t, swap, seed), PlayOptions{Realise: true})
		for _, s := range r.Realised.Steps {
			if s.On != nil || len(s.Whom) > 0 || len(s.Members) == 0 && s.Do != Mend {
				t.Fatalf("%+v is not concrete", s)
			}
		}
		if n := len(r.Realised.Steps); n != 4 {
			t.Fatalf("%d steps, want 4", n)
		}
		again, err := DecodePlan("realised", encoded(t, r.Realised))
		if err != nil {
			t.Fatal(err)
		}
		x := played(t, again, PlayOptions{})
		if !slices.Equal(x.DetectMS, r.DetectMS) || !slices.Equal(x.RecoverMS, r.RecoverMS) || x.Verdicts != r.Verdicts {
			t.Errorf("seed %d: %v %v, played again %v %v", seed, r.DetectMS, r.RecoverMS, x.DetectMS, x.RecoverMS)
		}
	}
}

func TestAPlanWithoutAStepThatOthersSpeakOfIsStillPlayed(t *testing.T) {
	p := compiled(t, swap, 1)
	p.Steps = p.Steps[1:]
	p.Expect = Expectations{}
	p.Steps[0].Within = 0
	if r := played(t, p, PlayOptions{}); r.Outcome != Ok || r.Verdicts != 0 {
		t.Errorf("%s: %s, %d verdicts", r.Outcome, r.Broken, r.Verdicts)
	}
}

func TestEveryExpectationCanBeMissed(t *testing.T) {
	const crash = "duration: 1m\nsteps: [{at: 30s, do: crash, whom: member:web-4, as: victim}]\n"
	for _, c := range []struct{ expect, want string }{
		{"detect_p99: 1ms", "detect_p99: 1."},
		{"recover_max: 1ms", "recover_max: "},
		{"verdicts: 2..", "verdicts: 1, want 2.."},
		{"verdict: {victim: agent-lost}", "verdict: web-4: down, want agent-lost"},
		{"verdict: {victim: none}", "verdict: web-4 was condemned: down, want no verdict"},
		{"verdict: {spares: down}", "verdict: spare-0 was never condemned, want down; verdict: spare-1 was never"},
		{"false_verdicts: 1..", "false_verdicts: 0, want 1.."},
		{"failovers: 0", "failovers: 1, want 0"},
		{"restarts: 1", "restarts: 0, want 1"},
		{"destructive: 0", "destructive: 1, want 0"},
		{"mode_max: guarded", "mode_max: normal, want guarded"},
		{"modes: [guarded, cascade]", "modes: mode guarded was never reached, only normal; modes: mode cascade"},
		{"occupant_changed: web-3", "occupant_changed: slot web-3 is still held by web-3"},
		{`occupant_kept: "@victim"`, "occupant_kept: slot web-4 went from web-4 to spare-"},
		{"served_by: {web-4: occupants}", "served_by: slot web-4 is held by spare-"},
		{"quorum: lost", "quorum: the council's was kept, want it lost"},
		{"facts: [closed, replaced, spare]", `facts: "spare" stands in the transcript, and not behind what is expected before it`},
		{"facts: escalated", `facts: "escalated" does not stand in the transcript`},
		{"never: replaced", `never: "replaced" stands in the transcript`},
	} {
		r := played(t, compiled(t, crash+"expect: {"+c.expect+"}", 1), PlayOptions{})
		if r.Outcome != Missed || !strings.HasPrefix(r.Broken, c.want) || !strings.HasPrefix(r.Broken, r.Promise) {
			t.Errorf("%s: %s %q, want %q", c.expect, r.Outcome, r.Broken, c.want)
		}
	}
}

func TestAStepThatHadToStrikeAndDidNotIsMissed(t *testing.T) {
	r := played(t, compiled(t, "duration: 1m\nsteps: [{on: mode.cascade, within: 50s, do: crash, whom: leader}]", 1), PlayOptions{})
	if r.Outcome != Missed || r.Broken != "within: step 0: mode.cascade has not happened by 50s" {
		t.Errorf("%s: %s", r.Outcome, r.Broken)
	}
}

func TestAWorldThatIsNotWellInTheEndIsNamed(t *testing.T) {
	r := played(t, compiled(t, "duration: 40s\nsettle: 10s\nsteps: [{at: 39s, do: crash, whom: slot:web-1}]", 1), PlayOptions{Story: true})
	if r.Outcome != LivenessBroken || r.Broken == "" || !strings.Contains(string(Transcript(r.Story)), "NOT WELL") {
		t.Errorf("%s: %s", r.Outcome, r.Broken)
	}
}

func TestARunMayBeGivenUp(t *testing.T) {
	_, err := Play(compiled(t, "duration: 1m", 1), PlayOptions{Events: 100})
	if err == nil || !strings.HasPrefix(err.Error(), "play test with seed 1: more than 100 events after ") {
		t.Error(err)
	}
}

// TestTheStoryChangesNothing plays with all onlookers and with none.
func TestTheStoryChangesNothing(t *testing.T) {
	p := compiled(t, swap, 2)
	p.Expect = Expectations{}
	a, b := played(t, p, PlayOptions{}), played(t, p, PlayOptions{Story: true, Realise: true})
	if a.Trace != b.Trace || a.Events != b.Events {
		t.Errorf("%s %d, with its story %s %d", a.Trace, a.Events, b.Trace, b.Events)
	}
}

// A story in which a step strikes nobody, or fewer than it draws, is not the one
// that was meant, nor is an expectation met that is about nobody.
func TestAStepThatFindsNobodyIsMissed(t *testing.T) {
	const fleet = "fleet: {members: 7, failure_domains: 3, spares: 2, council: 3}\nduration: 1m\n"
	for _, c := range []struct{ text, missed, note string }{
		{`steps: [{at: 30s, do: crash, whom: claimed, for: 3s}]`, "steps: step 0 (crash) struck nobody: nobody is claimed", ""},
		{`steps: [{at: 30s, do: crash, whom: "random:2 of claimed", for: 3s}]`, "steps: step 0 (crash) struck nobody: nobody is random:2 of claimed", ""},
		{`steps: [{at: 30s, do: cut, whom: leader, other: claimed, for: 3s}]`, "steps: step 0 (cut) struck nobody: nobody is claimed", ""},
		{`
steps:
  - {at: 30s, do: kill-agent, whom: "random:1 of spares", as: gone}
  - {at: 45s, do: freeze, whom: "random:2 of spares", except: "@gone", for: 1s}
`, "steps: step 1 (freeze) struck too few: random:2 of spares had 1 to draw from", ""},
		{`
steps:
  - {at: 30s, do: freeze, whom: spares, for: 1s, as: spare}
expect: {occupant_kept: "@spare"}
`, "occupant_kept: @spare held no slot in the beginning", ""},
		{`
steps:
  - {at: 30s, do: crash, whom: claimed, as: nobody, for: 3s}
expect: {occupant_changed: "@nobody", occupant_kept: "@nobody"}
`, "occupant_changed: @nobody was nobody in this story; occupant_kept: @nobody was nobody in this story", ""},
		{`steps: [{on: mode.cascade, nth: 2, do: freeze, whom: leader, for: 3s}]`, "", "step 0 (freeze) did nothing: mode.cascade has not happened 2 times"},
		{`steps: [{on: freeze, do: freeze, whom: spares, for: 1s}, {at: 30s, do: freeze, whom: leader, for: 1s}]`, "", ""},
	} {
		r := played(t, compiled(t, fleet+c.text, 1), PlayOptions{Story: true})
		if (r.Outcome == Missed) != (c.missed != "") || !strings.Contains(r.Broken, c.missed) || strings.Join(r.Notes, "; ") != c.note {
			t.Errorf("%s: %s: %s, notes %q, want %q and %q", c.text, r.Outcome, r.Broken, r.Notes, c.missed, c.note)
		}
		if idle := strings.HasPrefix(c.missed, "steps: "); idle && !strings.Contains(string(Transcript(r.Story)), strings.TrimPrefix(c.missed, "steps: ")) {
			t.Errorf("%s: the story does not tell it:\n%s", c.text, Transcript(r.Story))
		}
	}
}

// A spare takes a slot while its pool is flooded: both halves of the product at
// once, which a campaign may want to have seen.
func TestASwapUnderAFloodIsCounted(t *testing.T) {
	const text = `
fleet: {members: 9, failure_domains: 3, spares: 2, council: 5, profile: demo}
shield: {doors: 2, bears: 60, subdomains: 10, rps: 200}
duration: 2m
steps:
  - {at: 60s, do: flood, host: t-03.example.com, share: 60, for: 30s}
  - {at: %s, do: crash, whom: "member:5"}
expect: {failovers: 1}
`
	for at, counted := range map[string]bool{"65s": true, "40s": false} {
		r := played(t, compiled(t, fmt.Sprintf(text, at), 1), PlayOptions{})
		if n := r.Sometimes["throttled-in-swap"]; r.Outcome != Ok || (n > 0) != counted {
			t.Errorf("crash at %s: %s %s, counted %d times", at, r.Outcome, r.Broken, n)
		}
	}
}

// What people want and cannot even be handed in is told as a refusal is.
func TestPeopleWhoAskForNothingAreRefused(t *testing.T) {
	for do, want := range map[string]string{
		"order-approve":    "nobody asked for anything about web-0, web-1",
		"order-reject":     "nobody asked for anything about web-0, web-1",
		"order-override":   "no case about web-0, web-1 is open",
		"order-failover":   "spare-0, spare-1 holds no slot",
		"order-drain":      "spare-0, spare-1 holds no slot",
		"order-switchover": "spare-0, spare-1 holds no slot",
	} {
		whom := `["member:0", "member:1"]`
		if strings.Contains(want, "slot") {
			whom = "spares"
		}
		p := compiled(t, "duration: 40s\nsteps: [{at: 30s, do: "+do+", whom: "+whom+"}]", 1)
		if story := string(Transcript(played(t, p, PlayOptions{Story: true}).Story)); !strings.Contains(story, "people are refused: "+want+"\n") {
			t.Errorf("%s: want %q in\n%s", do, want, story)
		}
	}
}

// A thousand times as many requests would be told as borne by everybody.
func TestAFloodWithoutAShieldIsSaidToBeFeltByNobody(t *testing.T) {
	const flood = `
load: [{host: a.example.com, pool: web, rps: 10}]
duration: 1m
steps:
  - {at: 40s, do: flood, host: a.example.com, share: 1000, for: 5s}
  - {at: 50s, do: flood, host: a.example.com, share: 2, for: 5s}
`
	r := played(t, compiled(t, flood, 1), PlayOptions{})
	if want := "the flood of a.example.com is felt by nobody: without a shield occupants bear any load"; r.Outcome != Ok || len(r.Notes) != 1 || r.Notes[0] != want {
		t.Errorf("%s, notes %q", r.Outcome, r.Notes)
	}
	if r := played(t, compiled(t, "duration: 1m", 1), PlayOptions{}); len(r.Notes) > 0 {
		t.Errorf("notes %q", r.Notes)
	}
}

func TestASwarmPlaysAsTheSimulatorPlaysIt(t *testing.T) {
	p, err := BuiltinSwarm().Compile(4, Options{Members: 10, Minutes: 2})
	if err != nil {
		t.Fatal(err)
	}
	r := played(t, p, PlayOptions{})
	c, faults := sim.Swarm(4, 10, 2*time.Minute)
	w, err := sim.New(c)
	if err != nil {
		t.Fatal(err)
	}
	w.Strike(faults...)
	if err := w.Run(r.Virtual); err != nil {
		t.Fatal(err)
	}
	if w.Events() != r.Events {
		t.Errorf("%d events, the simulator alone has %d", r.Events, w.Events())
	}
}
