package campaign

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	"moonwatch/member"
	"moonwatch/sim"
	"moonwatch/sim/scenario"
)

// fragile is a product with a fault of its own: a pause of m-005 while m-003 is
// down for good breaks promise 4.
func fragile(t Task) (*scenario.Result, error) {
	p, err := scenario.DecodePlan("task", t.Plan)
	if err != nil {
		return nil, err
	}
	strikes := func(do sim.FaultKind, id member.ID) int {
		return slices.IndexFunc(p.Steps, func(s scenario.PlanStep) bool { return s.Do == do && slices.Contains(s.Members, id) })
	}
	r := &scenario.Result{Outcome: scenario.Ok, Events: 1000}
	if t.Realise && os.Getenv(actor) == "realises" {
		r.Realised = p
		for i := range p.Steps {
			if s := &p.Steps[i]; s.On != nil {
				s.On, s.At = nil, scenario.Duration(2*time.Minute)
			}
		}
	}
	down, paused := strikes(sim.Crash, "m-003"), strikes(sim.Pause, "m-005")
	switch {
	case down >= 0 && paused >= 0 && (p.Steps[paused].On != nil || p.Steps[down].At < p.Steps[paused].At) && p.Steps[paused].For >= scenario.Duration(2*time.Second):
		r.Outcome, r.Promise = scenario.SafetyBroken, "promise 4"
	case paused >= 0:
		r.Outcome, r.Promise = scenario.LivenessBroken, "L2" // another failure, and not the one that is looked for
	}
	if os.Getenv(actor) == "panics" && r.Outcome == scenario.SafetyBroken {
		panic(fmt.Sprintf("slot epoch %d of %d", len(p.Steps), time.Now().UnixNano()))
	}
	return r, nil
}

// stormy is a plan of n faults with the two that matter in it.
func stormy(t *testing.T, n int) *scenario.Plan {
	t.Helper()
	p, err := scenario.BuiltinSwarm().Compile(1, scenario.Options{Members: 20})
	if err != nil {
		t.Fatal(err)
	}
	p.Steps = nil
	for i := range n {
		s := scenario.PlanStep{
			ID: i, At: scenario.Duration(30*time.Second + time.Duration(i)*7777*time.Millisecond), Do: sim.Freeze,
			Members: []member.ID{"m-001", "m-005", "m-009"}, For: scenario.Duration(3333 * time.Millisecond),
		}
		switch i {
		case n / 3:
			s.Do, s.Members, s.For = sim.Crash, []member.ID{"m-002", "m-003", "m-011"}, 0
		case n / 2:
			s.Do, s.For = sim.Pause, scenario.Duration(17*time.Second)
		}
		p.Steps = append(p.Steps, s)
	}
	return p
}

func fragileCrew(t *testing.T, mode string, workers int) Crew {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return Crew{Command: []string{exe}, Env: []string{actor + "=" + mode}, Workers: workers, Patience: 20 * time.Second}
}

func TestTwentyFaultsShrinkToTheTwoThatMatter(t *testing.T) {
	for _, mode := range []string{"breaks", "panics"} {
		p := stormy(t, 20)
		before, _ := p.Encode()
		s, err := Shrink(t.Context(), fragileCrew(t, mode, 2), p, nil)
		if err != nil {
			t.Fatal(err)
		}
		if s.From != 20 || s.To != 2 || !s.Least || s.Runs > 200 {
			t.Errorf("%s: %d faults to %d in %d runs, least %v", mode, s.From, s.To, s.Runs, s.Least)
		}
		crash, pause := s.Plan.Steps[0], s.Plan.Steps[1]
		if !slices.Equal(crash.Members, []member.ID{"m-003"}) || !slices.Equal(pause.Members, []member.ID{"m-005"}) ||
			pause.For != scenario.Duration(2*time.Second) || crash.At%scenario.Duration(10*time.Second) != 0 {
			t.Errorf("%s: %+v", mode, s.Plan.Steps)
		}
		if n := len(s.Plan.World.Fleet.Members); n > 10 {
			t.Errorf("%s: still %d members", mode, n)
		}
		if s.Plan.Storm >= p.Storm || len(s.Plan.World.Council) != 3 {
			t.Errorf("%s: storm %v, council %v", mode, s.Plan.Storm, s.Plan.World.Council)
		}
		if after, _ := p.Encode(); string(after) != string(before) {
			t.Error("the plan that was handed in has changed")
		}
		if mode == "breaks" && s.Failure.Promise != "promise 4" || mode == "panics" && s.Failure.Outcome != Crashed {
			t.Errorf("%s: %+v", mode, s.Failure)
		}
	}
}

func TestMoreWorkersShrinkToTheSamePlan(t *testing.T) {
	var first string
	for _, workers := range []int{1, 3} {
		s, err := Shrink(t.Context(), fragileCrew(t, "breaks", workers), stormy(t, 12), nil)
		if err != nil {
			t.Fatal(err)
		}
		text, _ := s.Plan.Encode()
		if first == "" {
			first = string(text)
		} else if string(text) != first {
			t.Errorf("%d workers:\n%s\none:\n%s", workers, text, first)
		}
	}
}

func TestAPlanThatBreaksNothingIsNotShrunk(t *testing.T) {
	p := stormy(t, 3)
	p.Steps = p.Steps[:1]
	p.Steps[0].Do = sim.Freeze
	p.Steps[0].For = scenario.Duration(time.Second)
	if _, err := Shrink(t.Context(), fragileCrew(t, "breaks", 1), p, nil); !errors.Is(err, ErrWhole) {
		t.Error(err)
	}
}

func TestAnInterruptedSearchGivesTheSimplestSoFar(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	s, err := Shrink(ctx, fragileCrew(t, "breaks", 1), stormy(t, 20), func(s Shrunk) {
		if s.Runs >= 8 {
			cancel()
		}
	})
	if err != nil || s.Least || s.To >= 20 || s.To < 2 || s.Failure.Promise != "promise 4" {
		t.Errorf("%+v %v", s, err)
	}
}

func TestWordsBecomeWhatTheRunFoundOutBeforeAnythingIsLeftOut(t *testing.T) {
	p := stormy(t, 6)
	on, err := scenario.ParseTrigger("case.activating")
	if err != nil {
		t.Fatal(err)
	}
	p.Steps[3].On, p.Steps[3].At = &on, 0 // the pause
	s, err := Shrink(t.Context(), fragileCrew(t, "realises", 2), p, nil)
	if err != nil {
		t.Fatal(err)
	}
	if s.To != 2 || s.Plan.Steps[1].On != nil || s.Plan.Steps[1].At == 0 {
		t.Errorf("%+v", s.Plan.Steps)
	}
}
