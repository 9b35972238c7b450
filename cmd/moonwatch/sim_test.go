package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"moonwatch/sim/campaign"
	"moonwatch/sim/scenario"
)

// object is the one that --json prints.
type object struct {
	OK          bool           `json:"ok"`
	Seeds       int            `json:"seeds"`
	Broken      int            `json:"broken"`
	FirstBroken *uint64        `json:"first_broken_seed"`
	Interrupted bool           `json:"interrupted"`
	Events      uint64         `json:"events"`
	Trace       *string        `json:"trace_hash"`
	Outcomes    map[string]int `json:"outcomes"`
	Failures    []struct{ Plan string }
}

func decode(t *testing.T, r result) object {
	t.Helper()
	var o object
	d := json.NewDecoder(strings.NewReader(r.out))
	d.UseNumber()
	if err := d.Decode(&o); err != nil {
		t.Fatalf("%v in\n%s\n%s", err, r.out, r.err)
	}
	return o
}

func campaignOf(t *testing.T, args ...string) (object, result) {
	t.Helper()
	r := call(t, append([]string{"sim", "campaign", "crash.yaml", "--json"}, args...)...)
	return decode(t, r), r
}

func TestACampaignPassesAndItsHashIsTheSameWithAnyWorkersAndSlices(t *testing.T) {
	inFolder(t, "crash.yaml", crash)
	one, r := campaignOf(t, "--seeds", "3", "--workers", "1", "--twice", "1")
	r.wants(t, exitOK)
	if !one.OK || one.Seeds != 3 || one.Broken != 0 || one.FirstBroken != nil || one.Events == 0 || one.Trace == nil {
		t.Fatalf("%s", r.out)
	}
	two, _ := campaignOf(t, "--seeds", "3", "--workers", "2")
	campaignOf(t, "--seeds", "2", "--keep", "kept")
	kept, _ := campaignOf(t, "--seeds", "1", "--keep", "kept")
	if *two.Trace != *one.Trace || *kept.Trace != *one.Trace || kept.Seeds != 3 || kept.Events != one.Events {
		t.Errorf("one worker %s, two %s, slices %s of %d seeds", *one.Trace, *two.Trace, *kept.Trace, kept.Seeds)
	}
	if left, _ := filepath.Glob("*.json"); len(left) != 0 {
		t.Errorf("%v were left behind", left)
	}
	other := call(t, "sim", "campaign", "crash.yaml", "--minutes", "3", "--keep", "kept")
	other.wants(t, exitError, "the time of faults of the results there is 1m, and now it is 3m: they do not add up")
}

// The results of 100 seeds are one of them, a hundred times over: what did not
// happen in it never happened.
func TestACampaignTellsWhatNeverHappened(t *testing.T) {
	inFolder(t, "crash.yaml", crash)
	for _, c := range []struct {
		name  string
		drawn bool
	}{{"swarm", true}, {"crash.yaml", false}} {
		args := []string{"sim", "campaign", c.name, "--seeds", "1", "--members", "7", "--minutes", "1", "--keep", "kept-" + c.name}
		call(t, append(args, "--json")...).wants(t, exitOK)
		text, err := os.ReadFile(filepath.Join("kept-"+c.name, "slice-000001.jsonl"))
		if err != nil {
			t.Fatal(err)
		}
		var r campaign.Record
		if err := json.Unmarshal(text, &r); err != nil {
			t.Fatal(err)
		}
		for r.Seed = 2; r.Seed < 100; r.Seed++ {
			line, err := json.Marshal(r)
			if err != nil {
				t.Fatal(err)
			}
			text = append(append(text, line...), '\n')
		}
		if err := os.WriteFile(filepath.Join("kept-"+c.name, "slice-000001.jsonl"), text, 0o600); err != nil {
			t.Fatal(err)
		}
		got := call(t, args...)
		got.wants(t, exitOK, "100 ok", "warning    never looked at, so not checked: two, S9\n")
		const warning = "never happened in 100 seeds, so nothing is known about it:"
		if told := strings.Contains(got.out, warning) && strings.Contains(got.out, "people-allowed"); told != c.drawn {
			t.Errorf("%s: what never happened is told: %t\n%s", c.name, told, got.out)
		}
	}
}

func TestARunIsSavedAsAPlanThatReplaysToTheSame(t *testing.T) {
	inFolder(t, "crash.yaml", crash)
	first := call(t, "sim", "run", "crash.yaml", "--seed", "2", "--json", "--save-plan", "p.json")
	first.wants(t, exitOK)
	again := call(t, "sim", "replay", "p.json", "--twice", "--json")
	again.wants(t, exitOK)
	if a, b := decode(t, first), decode(t, again); *a.Trace != *b.Trace || a.Events != b.Events {
		t.Errorf("%s\nand replayed\n%s", first.out, again.out)
	}
	call(t, "sim", "run", "crash.yaml", "--save-plan", "p.json").wants(t, exitError, "p.json: file already exists")
	call(t, "sim", "run", "p.json", "--seed", "3").wants(t, exitUsage, "is a plan, and has its seed")
	call(t, "sim", "campaign", "p.json").wants(t, exitUsage, "which has one seed")
	call(t, "sim", "shrink", "p.json").wants(t, exitError, "the plan breaks nothing: played, it ends ok")
}

// The same run has one hash, whoever tells of it.
func TestARunsReportHasTheHashThatTheCommandTells(t *testing.T) {
	inFolder(t, "crash.yaml", crash)
	told := call(t, "sim", "run", "crash.yaml", "--json", "--report", "run")
	told.wants(t, exitOK)
	call(t, "sim", "campaign", "crash.yaml", "--seeds", "1", "--report", "campaign").wants(t, exitOK, *decode(t, told).Trace)
	for _, file := range []string{"run/result.json", "run/index.html", "campaign/result.json", "campaign/index.html"} {
		text, err := os.ReadFile(filepath.FromSlash(file))
		if err != nil {
			t.Fatal(err)
		}
		if hash := *decode(t, told).Trace; !strings.Contains(string(text), hash) {
			t.Errorf("%s has another trace hash than %s", file, hash)
		}
	}
}

// Of two faults one matters.
func TestTheReportOfAFailingRunHasTheShrunkPlan(t *testing.T) {
	inFolder(t, "two.yaml", `
fleet: demo
duration: 1m
steps:
  - {at: 30s, do: crash, whom: "member:1"}
  - {at: 31s, do: freeze, whom: "member:5", for: 1s}
expect: {verdicts: 0}
`)
	call(t, "sim", "run", "two.yaml", "--save-plan", "two.plan.json", "--report", "run").wants(t, exitDegraded, "verdicts: 1, want 0")
	page, err := os.ReadFile(filepath.Join("run", "index.html"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"The shrunk plan", "moonwatch sim replay two.shrunk.plan.json"} {
		if !strings.Contains(string(page), want) {
			t.Errorf("no %q in the page", want)
		}
	}
	call(t, "sim", "replay", "two.shrunk.plan.json").wants(t, exitDegraded, "verdicts: 1, want 0")
}

func TestAnInterruptedCampaignTellsWhatRan(t *testing.T) {
	inFolder(t, "crash.yaml", crash)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var out, errw bytes.Buffer
	a := newApp(t)
	a.out, a.errw = &out, &errw
	time.AfterFunc(2*time.Second, cancel)
	code := a.run(ctx, []string{"sim", "campaign", "crash.yaml", "--json", "--seeds", "0"})
	r := result{code, out.String(), errw.String()}
	if strings.Contains(r.err, "nothing is known") {
		t.Skip("this machine is too slow: no seed ended in time")
	}
	r.wants(t, exitOK, "note: interrupted")
	if o := decode(t, r); !o.OK || !o.Interrupted || o.Seeds == 0 {
		t.Errorf("%s", r.out)
	}
}

func TestWhatASimCommandCannotPlayIsRefused(t *testing.T) {
	t.Chdir(t.TempDir())
	write := func(name, text string) {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("old.plan.json", `{"version": 0}`)
	write("none.json", `{"steps": []}`)
	write("typo.yaml", "name: x\nstepps: []\n")
	if err := os.Mkdir("there", 0o755); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args string
		code int
		say  string
	}{
		{"sim", exitUsage, "Usage:"},
		{"sim rnu", exitUsage, "did you mean run?"},
		{"sim run", exitUsage, "FILE|NAME is missing"},
		{"sim run swrm", exitUsage, `unknown scenario "swrm", did you mean swarm?`},
		{"sim run xyzzy", exitUsage, "'moonwatch sim list' names those that are built in"},
		{"sim run missing.yaml", exitError, "no such file"},
		{"sim run typo.yaml", exitError, "typo.yaml:2:1: unknown key stepps, did you mean steps?"},
		{"sim run swarm --members 100000", exitError, "want 2 to"},
		{"sim run swarm --members 7 --report there", exitError, "exists already"},
		{"sim replay", exitUsage, "PLAN is missing"},
		{"sim replay swarm", exitUsage, "want a plan"},
		{"sim replay old.plan.json", exitError, "version 0"},
		{"sim replay none.json", exitError, "version is missing"},
		{"sim campaign swarm x", exitUsage, `unexpected argument "x"`},
		{"sim campaign --seeds -1", exitUsage, "want 0 or more"},
		{"sim campaign --workers -1", exitUsage, "want 1 or more"},
		{"sim campaign --twice 2", exitUsage, "from 0 to 1"},
		{"sim campaign --twice NaN", exitUsage, "from 0 to 1"},
		{"sim campaign --minutes -1", exitUsage, "more than 0"},
		{"sim campaign --minutes 0", exitUsage, "--minutes is 0, want more than 0"},
		{"sim campaign --minutes NaN", exitUsage, "more than 0"},
		{"sim campaign --minutes 1e30", exitUsage, "at most 43200"},
		{"sim campaign --members 0", exitUsage, "--members is 0, want more than 0"},
		{"sim campaign --for -1s", exitUsage, "more than 0"},
		{"sim campaign --for 0s", exitUsage, "--for is 0s, want more than 0"},
		{"sim campaign --seeds 1 --members 7 --report there", exitError, "exists already"},
		{"sim campaign --keep old.plan.json", exitError, "not a directory"},
		{"sim shrink", exitUsage, "PLAN is missing"},
		{"sim shrink x.json --for 0s", exitUsage, "more than 0"},
		{"sim shrink missing.json", exitError, "no such file"},
		{"sim show", exitUsage, "NAME is missing"},
		{"sim show swrm", exitUsage, "did you mean swarm?"},
	} {
		t.Run(c.args, func(t *testing.T) {
			r := call(t, strings.Fields(c.args)...)
			r.wants(t, c.code, c.say)
			if r.out != "" {
				t.Errorf("standard output has %q, want nothing", r.out)
			}
		})
	}
}

func TestTooLittleMemoryIsSaidBeforeAnythingStarts(t *testing.T) {
	t.Chdir(t.TempDir())
	a := newApp(t)
	a.parts.freeMemory = func() uint64 { return 20 << 20 }
	a.call("sim", "run", "swarm").wants(t, exitError, "a world of 30 members takes about", "20 MiB are free")
	a.parts.freeMemory = func() uint64 { return 300 << 20 }
	a.call("sim", "campaign", "--workers", "64").wants(t, exitError, "64 workers with 30 members each", "there is room for --workers")
}

func TestWhatIsShownOfAListedScenarioIsAScenario(t *testing.T) {
	list := call(t, "sim", "list")
	list.wants(t, exitOK, "NAME", "swarm")
	for _, line := range strings.Split(strings.TrimSpace(list.out), "\n")[1:] {
		name := strings.Fields(line)[0]
		shown := call(t, "sim", "show", name)
		shown.wants(t, exitOK, "moonwatch sim run "+name)
		if name == scenario.SwarmName {
			continue // it is drawn, and has no file
		}
		if _, err := scenario.Parse(name+".yaml", []byte(shown.out)); err != nil {
			t.Error(err)
		}
	}
}

func TestTheExamplesInTheHelpAreUnderstood(t *testing.T) {
	root := newApp(t).root()
	var walk func(c *cobra.Command)
	walk = func(c *cobra.Command) {
		for line := range strings.Lines(c.Example) {
			line, _, _ = strings.Cut(line, " # ")
			line, _, _ = strings.Cut(line, " < ")
			words := strings.Fields(line)
			if len(words) < 2 || words[0] != "moonwatch" || strings.ContainsAny(line, `"'|`) {
				continue // of a shell
			}
			found, rest, err := root.Find(words[1:])
			if err == nil {
				err = found.ParseFlags(rest)
			}
			if err == nil && found.Args != nil {
				err = found.Args(found, found.Flags().Args())
			}
			if err != nil {
				t.Errorf("%s: example %q: %v", c.CommandPath(), strings.TrimSpace(line), err)
			}
		}
		for _, sub := range c.Commands() {
			walk(sub)
		}
	}
	walk(root)
}

func TestABarFitsItsTerminal(t *testing.T) {
	var out bytes.Buffer
	b := &bar{w: &out, width: 60}
	b.show(step{done: 12, all: 24, text: "12 of 24 seeds, 1 broken, 3.1 million events a second", left: 90 * time.Second})
	b.say("seed 7: safety broken")
	b.clear()
	want := "\r\x1b[K[############------------] 12 of 24 seeds, 1 broken, 3.1 mi" + "\r\x1b[Kseed 7: safety broken\n"
	if out.String() != want {
		t.Errorf("%q, want %q", out.String(), want)
	}
}

func TestElsewhereABarIsALineNowAndThen(t *testing.T) {
	var out bytes.Buffer
	b := newBar(&out)
	b.show(step{text: "1 seed", left: -1})
	b.said = time.Now().Add(-quietTime)
	b.show(step{text: "2 seeds", left: 3 * time.Second})
	b.show(step{text: "3 seeds", left: 2 * time.Second})
	if out.String() != "2 seeds, about 3s left\n" {
		t.Errorf("%q", out.String())
	}
}

// crash is a scenario of a tenth of a second.
const crash = `
about: One machine loses its power, and a spare serves its slot.
fleet: demo
duration: 1m
steps:
  - {at: 30s, do: crash, whom: "random:1 of occupants", except: leader, as: victim}
expect: {verdicts: 1, failovers: 1, occupant_changed: "@victim"}
`

// inFolder makes a new folder the present one and writes a scenario there.
func inFolder(t *testing.T, name, text string) {
	t.Helper()
	t.Chdir(t.TempDir())
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// quiet expects of a crash that nobody notices it.
const quiet = `
about: Nobody notices a crash.
fleet: demo
duration: 1m
steps:
  - {at: 30s, do: crash, whom: "member:web-3"}
expect: {verdicts: 0}
`

func TestWhatWasMissedIsNamedWithTheWayToLookCloser(t *testing.T) {
	inFolder(t, "quiet.yaml", quiet)
	call(t, "sim", "run", "quiet.yaml", "--report", "one").wants(t, exitDegraded, "an expectation was missed: verdicts:",
		"moonwatch sim run quiet.yaml --seed 1 --save-plan failing.plan.json")
	r := call(t, "sim", "campaign", "quiet.yaml", "--seeds", "2", "--report", "two")
	r.wants(t, exitDegraded, "2 an expectation was missed", "seed 2: an expectation was missed", "moonwatch sim replay quiet-seed-2.plan.json")
	for _, page := range []string{"one/index.html", "one/result.json", "two/index.html", "two/result.json"} {
		if text, err := os.ReadFile(page); err != nil || !strings.Contains(string(text), "moonwatch sim") {
			t.Errorf("%s: %v, or no command in it", page, err)
		} else if strings.Contains(string(text), "--report") {
			t.Errorf("%s has a line to paste that wants to make the report again", page)
		}
	}
	call(t, "sim", "replay", "quiet-seed-2.plan.json", "--trace").wants(t, exitDegraded, "the power is gone", "moonwatch sim shrink quiet-seed-2.plan.json")
}

func TestEveryOutcomeHasTheExitCodeOfTheContract(t *testing.T) {
	for outcome, code := range map[scenario.Outcome]int{
		scenario.Ok: 0, campaign.Crashed: 1, scenario.Missed: 3, scenario.LivenessBroken: 6, scenario.SafetyBroken: 7,
		scenario.Void: 8, scenario.NotDeterministic: 9, "of tomorrow": 1,
	} {
		if got := outcomeCode(outcome); got != code {
			t.Errorf("%s ends with %d, want %d", outcome, got, code)
		}
	}
}
