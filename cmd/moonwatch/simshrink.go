package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"moonwatch/sim/campaign"
)

func (a *app) simShrinkCommand() *cobra.Command {
	var out string
	var length time.Duration
	var workers int
	c := &cobra.Command{
		Use:   "shrink PLAN",
		Short: "Find the few faults of a failing plan that matter",
		Long: `Leave faults, victims and members out of a plan that breaks a promise, and make
its times shorter and rounder, as long as it still breaks the same promise. The
plan that is left is written to a new file. Ctrl-C ends the search; the simplest
plan so far is written.

Exit codes: 0 it is written, 1 error, also if the plan breaks nothing.`,
		Example: `  moonwatch sim shrink swarm-seed-7.plan.json
  moonwatch sim shrink swarm-seed-7.plan.json --for 5m -o least.plan.json`,
		Args: exactly("PLAN"),
		RunE: func(c *cobra.Command, args []string) error {
			if length <= 0 {
				return usage("--for is %v, want more than 0", length)
			}
			if out == "" {
				out = shrunkName(args[0])
			}
			return a.shrink(c.Context(), args[0], out, length, workers)
		},
	}
	f := c.Flags()
	f.StringVarP(&out, "output", "o", "", "the new file (default: PLAN with .shrunk in its name)")
	f.DurationVar(&length, "for", time.Minute, "search so long at most")
	f.IntVar(&workers, "workers", 0, "child processes (default: as many as processors, and as the memory holds)")
	return c
}

// shrunkName is swarm.shrunk.plan.json for swarm.plan.json.
func shrunkName(plan string) string {
	for _, ext := range []string{".plan.json", ".json"} {
		if base, ok := strings.CutSuffix(plan, ext); ok {
			return base + ".shrunk" + ext
		}
	}
	return plan + ".shrunk.plan.json"
}

func (a *app) shrink(ctx context.Context, path, out string, length time.Duration, workers int) error {
	s, err := openPlan(path)
	if err != nil {
		return err
	}
	if err := notThere(out); err != nil {
		return err
	}
	crew, err := a.crewFor(s.plan, workers)
	if err != nil {
		return err
	}
	b := newBar(a.errw)
	defer b.clear()
	began := time.Now()
	timed, cancel := context.WithTimeout(ctx, length)
	defer cancel()
	got, err := campaign.Shrink(timed, crew, s.plan, func(s campaign.Shrunk) { b.show(shrinking(s, length-time.Since(began))) })
	if err != nil {
		if ctx.Err() != nil {
			return errors.New("interrupted before the plan had been played once")
		}
		return fmt.Errorf("shrink %s: %w", path, err)
	}
	text, err := got.Plan.Encode()
	if err != nil {
		return err
	}
	if err := campaign.WriteNew(out, text); err != nil {
		return err
	}
	b.clear()
	p := &printer{}
	p.line("%s shrunk to %d in %s and %s%s", many(got.From, "fault"), got.To, many(got.Runs, "run"), span(time.Since(began)), whyEnded(ctx, got))
	p.line("%d members, %s", len(got.Plan.World.Fleet.Members), broke(got.Failure))
	for _, x := range got.Plan.Steps {
		p.line("  %s", stepText(x))
	}
	p.line("moonwatch sim replay %s", quoted(out))
	return a.print(p)
}

// shrinking is how far a search has come.
func shrinking(s campaign.Shrunk, left time.Duration) step {
	return step{
		done: s.From - s.To, all: s.From, left: max(0, left),
		text: fmt.Sprintf("%d of %s left after %s", s.To, many(s.From, "fault"), many(s.Runs, "run")),
	}
}

// whyEnded says why the search ended, if something simpler may be found.
func whyEnded(ctx context.Context, s *campaign.Shrunk) string {
	switch {
	case s.Least:
		return "; nothing simpler breaks"
	case ctx.Err() != nil:
		return "; interrupted, there may be less"
	default:
		return "; the time was up, there may be less"
	}
}
