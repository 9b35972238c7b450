package campaign

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"moonwatch/sim/scenario"
)

// actor makes a process of this test binary a worker that does what the plan
// says.
const actor = "MOONWATCH_TEST_ACTOR"

func TestMain(m *testing.M) {
	if mode := os.Getenv(actor); mode != "" {
		play := fragile
		switch mode {
		case "1":
			play = act
		case "plays":
			play = Play
		}
		if err := Serve(os.Stdin, os.Stdout, play); err != nil {
			panic(err)
		}
		return
	}
	goleak.VerifyTestMain(m)
}

// part is what stands in a plan for an actor.
type part struct {
	Seed    uint64
	Do      string // "crash", "hang", "spin", "slow", "refuse", "exit", "killed", "killed once", or an outcome
	Wait    time.Duration
	Process string // file to write the process id to

	again bool // the file was there
}

func act(t Task) (*scenario.Result, error) {
	var p part
	if err := json.Unmarshal(t.Plan, &p); err != nil {
		return nil, err
	}
	if p.Process != "" {
		_, err := os.Stat(p.Process)
		p.again = err == nil
		if err := os.WriteFile(p.Process, fmt.Append(nil, os.Getpid()), 0o600); err != nil {
			return nil, err
		}
	}
	if p.Do != "slow" {
		time.Sleep(p.Wait)
	}
	r := &scenario.Result{
		Scenario: "play", Seed: p.Seed, Outcome: scenario.Ok, Members: 7, Verdicts: 1, Events: 1000,
		DetectMS: []int64{int64(p.Seed) * 10}, Virtual: time.Minute, Trace: fmt.Sprintf("%016x", p.Seed*77),
		Checks: map[string]int{"S1": 3, "S9": 0, "two": 0}, Sometimes: map[string]int{"vote.split": int(p.Seed % 2), "never": 0},
	}
	switch p.Do {
	case "crash":
		panic("planted")
	case "hang":
		time.Sleep(time.Hour)
	case "spin":
		work(time.Hour)
	case "slow": // a third of a processor
		for end := time.Now().Add(p.Wait); time.Now().Before(end); time.Sleep(200 * time.Millisecond) {
			work(100 * time.Millisecond)
		}
	case "killed once":
		if p.again {
			break
		}
		fallthrough
	case "killed":
		return nil, syscall.Kill(os.Getpid(), syscall.SIGKILL)
	case "refuse":
		return nil, errors.New("plan: no such member")
	case "exit":
		fmt.Fprintln(os.Stderr, "out of patience")
		os.Exit(4)
	case "":
	default:
		r.Outcome, r.Promise, r.Broken, r.BrokenMS = scenario.Outcome(p.Do), "promise 4", "a spare in two slots", 61200
	}
	return r, nil
}

func work(d time.Duration) {
	for end := time.Now().Add(d); time.Now().Before(end); { //nolint:revive // it is to take a processor
	}
}

// play is a campaign of actors; parts says what single seeds do.
func play(t *testing.T, seeds int, parts map[uint64]part) Config {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return Config{
		Name: "play", From: 1, Seeds: seeds, Plans: t.TempDir(),
		Crew: Crew{Command: []string{exe}, Env: []string{actor + "=1"}, Workers: 2, Patience: 20 * time.Second},
		Compile: func(seed uint64) ([]byte, error) {
			p := parts[seed]
			p.Seed = seed
			return json.Marshal(p)
		},
	}
}

func run(t *testing.T, cfg Config) *Summary {
	t.Helper()
	s, err := Run(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// timeless is a summary without what depends on the speed of the machine.
func timeless(s *Summary) Summary {
	c := *s
	c.Wall, c.PerSecond, c.Peak = 0, nil, nil
	return c
}

func TestAWorkerThatIsKilledFromOutsideSaysNothingAboutItsSeed(t *testing.T) {
	once := filepath.Join(t.TempDir(), "pid")
	s := run(t, play(t, 4, map[uint64]part{2: {Do: "killed once", Process: once}, 3: {Do: "killed"}}))
	if s.Seeds != 4 || s.Broken != 1 || s.Failures[0].Seed != 3 || !strings.HasPrefix(s.Failures[0].Broken, "killed from outside") {
		t.Errorf("%d seeds, %+v; want seed 3 alone, which was killed twice", s.Seeds, s.Failures)
	}
}

func TestASummaryAddsUpWhatWasPlayed(t *testing.T) {
	s := run(t, play(t, 20, nil))
	if !s.OK || s.Seeds != 20 || s.Broken != 0 || s.FirstBroken != nil || s.Verdicts != 20 || s.Events != 20_000 || s.Virtual != 1200 {
		t.Errorf("%+v", s)
	}
	if *s.DetectP50 != 100 || *s.DetectP99 != 200 || s.RecoverP50 != nil || s.Checks["S1"] != 60 || s.Sometimes["vote.split"] != 10 {
		t.Errorf("detect %d %d, recover %v, checks %v, sometimes %v", *s.DetectP50, *s.DetectP99, s.RecoverP50, s.Checks, s.Sometimes)
	}
	if len(*s.Trace) != 16 || s.Worst() != scenario.Ok {
		t.Errorf("trace %s, worst %s", *s.Trace, s.Worst())
	}
}

func TestTheNumberOfWorkersChangesNothing(t *testing.T) {
	late := map[uint64]part{3: {Wait: 100 * time.Millisecond}, 5: {Do: "safety"}, 8: {Do: "crash"}}
	var first Summary
	for _, workers := range []int{1, 3} {
		cfg := play(t, 12, late)
		cfg.Crew.Workers = workers
		s := timeless(run(t, cfg))
		for i := range s.Failures {
			s.Failures[i].Plan = filepath.Base(s.Failures[i].Plan)
		}
		if workers == 1 {
			first = s
		} else if !reflect.DeepEqual(s, first) {
			t.Errorf("%d workers:\n%+v\nand one:\n%+v", workers, s, first)
		}
	}
}

func TestAWorkerThatCrashesCostsOneSeedAndIsNamed(t *testing.T) {
	cfg := play(t, 10, map[uint64]part{2: {Do: "crash"}, 4: {Do: "exit"}, 6: {Do: "refuse"}})
	s := run(t, cfg)
	if s.Seeds != 10 || s.Broken != 3 || *s.FirstBroken != 2 || s.Outcomes[Crashed] != 3 || s.Outcomes[scenario.Ok] != 7 || s.Worst() != Crashed {
		t.Fatalf("%+v", s)
	}
	for i, want := range []string{"panic: planted", "exit status 4: out of patience", "plan: no such member"} {
		if f := s.Failures[i]; !strings.Contains(f.Broken, want) || f.Plan == "" {
			t.Errorf("%+v, want %q and a plan", f, want)
		}
	}
	if text, err := os.ReadFile(filepath.Join(cfg.Plans, "play-seed-2.crash.txt")); err != nil || !strings.Contains(string(text), "goroutine") {
		t.Errorf("what the worker said: %q %v", text, err)
	}
}

func TestAWorkerThatHangsIsEndedAndNamed(t *testing.T) {
	cfg := play(t, 4, map[uint64]part{2: {Do: "hang"}, 3: {Do: "spin"}})
	cfg.Crew.Patience = 2 * time.Second
	s := run(t, cfg)
	if s.Seeds != 4 || s.Broken != 2 {
		t.Fatalf("%+v", s)
	}
	for i, want := range []string{"hung: no answer within 2s, and no work was done in them", "hung: no answer after 2s of work"} {
		if f := s.Failures[i]; f.Broken != want {
			t.Errorf("%+v, want %q", f, want)
		}
	}
}

// As on a machine that does other work: it takes long, and it does not hang.
func TestAWorkerThatIsGivenNoProcessorIsWaitedFor(t *testing.T) {
	cfg := play(t, 3, map[uint64]part{2: {Do: "slow", Wait: 5 * time.Second}})
	cfg.Crew.Patience = 2 * time.Second
	if s := run(t, cfg); s.Seeds != 3 || s.Broken != 0 {
		t.Fatalf("%+v", s)
	}
}

func TestAWorkerThatCannotStartEndsTheCampaign(t *testing.T) {
	cfg := play(t, 0, nil)
	cfg.Crew.Command = []string{filepath.Join(t.TempDir(), "gone")}
	s, err := Run(t.Context(), cfg)
	if err == nil || !strings.Contains(err.Error(), "start a worker") || s.Seeds != 0 || s.OK {
		t.Fatalf("%v %+v", err, s)
	}
}

func TestWhatBrokeIsToldAtOnceWithItsPlan(t *testing.T) {
	cfg := play(t, 5, map[uint64]part{3: {Do: "safety"}, 4: {Do: "void"}})
	var told []Failure
	cfg.Each = func(r Record) {
		if r.Broken() {
			told = append(told, r.Failure())
		}
	}
	s := run(t, cfg)
	if len(told) != 1 || told[0].Seed != 3 || told[0].Promise != "promise 4" || told[0].At != 61200*time.Millisecond {
		t.Fatalf("%+v", told)
	}
	plan, err := os.ReadFile(told[0].Plan)
	want, _ := cfg.Compile(3)
	if err != nil || string(plan) != string(want) || filepath.Base(told[0].Plan) != "play-seed-3.plan.json" {
		t.Errorf("%s: %q %v, want %q", told[0].Plan, plan, err, want)
	}
	if s.Worst() != scenario.SafetyBroken || s.Outcomes[scenario.Void] != 1 || s.Broken != 1 || len(s.Voids) != 1 || s.Voids[0].Seed != 4 {
		t.Errorf("%+v", s)
	}
}

func TestAnInterruptReportsWhatRan(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	pid := filepath.Join(t.TempDir(), "pid")
	cfg := play(t, 0, map[uint64]part{6: {Do: "hang", Process: pid}})
	cfg.Crew.Patience = 0
	cfg.Tell = func(p Progress) {
		if p.Done >= 8 {
			cancel()
		}
	}
	began := time.Now()
	s, err := Run(ctx, cfg)
	if err != nil || !s.Interrupted || !s.OK || s.Seeds < 8 || s.Broken != 0 {
		t.Fatalf("%v %+v", err, s)
	}
	if d := time.Since(began); d > 15*time.Second {
		t.Errorf("it took %v", d)
	}
	if text, err := os.ReadFile(pid); err == nil {
		if _, err := os.Stat("/proc/" + string(text) + "/fd/0"); err == nil {
			t.Errorf("worker %s lives on", text)
		}
	}
}

func TestASliceThatIsOverIsNoInterrupt(t *testing.T) {
	cfg := play(t, 0, nil)
	cfg.For = 300 * time.Millisecond
	s := run(t, cfg)
	if s.Interrupted || s.Seeds == 0 || !s.OK {
		t.Fatalf("%+v", s)
	}
}

func TestAPlanThatCannotBeMadeEndsTheCampaign(t *testing.T) {
	cfg := play(t, 5, nil)
	compile := cfg.Compile
	cfg.Compile = func(seed uint64) ([]byte, error) {
		if seed == 3 {
			return nil, errors.New("more faults than members")
		}
		return compile(seed)
	}
	s, err := Run(t.Context(), cfg)
	if err == nil || err.Error() != "plan of seed 3: more faults than members" || s.Seeds != 2 {
		t.Fatalf("%v %+v", err, s)
	}
}

func TestWhatHasToHappenAndDidNotIsMissed(t *testing.T) {
	cfg := play(t, 4, nil)
	cfg.Wanted = []string{"vote.split", "never"}
	s := run(t, cfg)
	if s.OK || s.Worst() != scenario.Missed || !reflect.DeepEqual(s.Lacking, []string{"never"}) || len(s.Never) != 0 {
		t.Fatalf("%+v", s)
	}
}

func TestWhatNeverHappenedIsToldWhenTheCampaignIsLongEnough(t *testing.T) {
	s := run(t, play(t, enough, nil))
	if !s.OK || !reflect.DeepEqual(s.Never, []string{"never"}) {
		t.Fatalf("%+v", s)
	}
}

func TestAPromiseThatNoSeedLookedAtIsNamed(t *testing.T) {
	tally := newTally()
	for i, checks := range []map[string]int{{"two": 0, "S9": 0, "S1": 3, "L1": 0}, {"two": 1, "S9": 0, "S1": 0, "L1": 0}} {
		tally.add(Record{Seed: uint64(i), Result: &scenario.Result{Outcome: scenario.Ok, Checks: checks}})
	}
	if s := tally.summary(nil); !reflect.DeepEqual(s.Unchecked, []string{"S9"}) {
		t.Errorf("%v", s.Unchecked)
	}
}

func TestWhereNothingWasMeasuredThereIsNull(t *testing.T) {
	text, err := json.Marshal(newTally().summary(nil))
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"first_broken_seed", "detect_p50_ms", "detect_p99_ms", "recover_p50_ms", "recover_p99_ms", "events_per_second", "peak_bytes", "trace_hash"} {
		if !strings.Contains(string(text), `"`+key+`":null`) {
			t.Errorf("%s is not null in %s", key, text)
		}
	}
	for _, key := range []string{`"ok":false`, `"seeds":0`, `"failures":[]`, `"never":[]`, `"unchecked":[]`} {
		if !strings.Contains(string(text), key) {
			t.Errorf("no %s in %s", key, text)
		}
	}
}

func TestTheShareOfSeedsPlayedTwiceIsAsAsked(t *testing.T) {
	for _, share := range []float64{0, 0.05, 0.5, 1} {
		n := 0
		for seed := range uint64(10_000) {
			if again(seed, share) {
				n++
			}
		}
		if want := share * 10_000; float64(n) < want*0.9 || float64(n) > want*1.1 {
			t.Errorf("%d of 10000 seeds for a share of %g", n, share)
		}
	}
}
