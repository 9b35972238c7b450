package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"moonwatch/sim/campaign"
	"moonwatch/sim/report"
	"moonwatch/sim/scenario"
)

// simRun is one run of a scenario or a plan, as its flags want it.
type simRun struct {
	seed     uint64
	members  int
	trace    bool
	json     bool
	twice    bool
	report   string
	savePlan string
	command  string // as it was given
}

func (a *app) simRunCommand() *cobra.Command {
	var r simRun
	c := &cobra.Command{
		Use:   "run FILE|NAME",
		Short: "Play one scenario and tell what happened",
		Long: `Play a scenario file, a built-in scenario or a plan, tell what came into the
ledger, and compare it with what is expected.

Exit codes: 0 ok, 3 an expectation was missed, 6 liveness, 7 safety, 8 void, 9
played twice and not the same.`,
		Example: `  moonwatch sim run machine-dies
  moonwatch sim run swarm --seed 7 --members 60
  moonwatch sim run outage.yaml --trace --report outage-report`,
		Args: exactly("FILE|NAME"),
		RunE: func(c *cobra.Command, args []string) error {
			s, err := openSource(args[0])
			if err != nil {
				return err
			}
			seed := c.Flags().Changed("seed")
			if s.plan != nil && (seed || r.members != 0) {
				return usage("%s is a plan, and has its seed and its members: --seed and --members go with a scenario", args[0])
			}
			if !seed {
				r.seed = s.seed()
			}
			r.command = commandLine(c, args)
			return a.play(c.Context(), s, r)
		},
	}
	f := c.Flags()
	f.Uint64Var(&r.seed, "seed", 0, "what chance is drawn from (default: the scenario's own)")
	f.IntVar(&r.members, "members", 0, "size of the fleet (default: the scenario's own)")
	f.StringVar(&r.savePlan, "save-plan", "", "write what is played to a new file, for sim replay and sim shrink")
	r.flags(c)
	return c
}

func (a *app) simReplayCommand() *cobra.Command {
	var r simRun
	c := &cobra.Command{
		Use:   "replay PLAN",
		Short: "Play a saved plan again, event for event",
		Long: `Play a plan that a campaign, sim run --save-plan or sim shrink has written. It
gives the same run as then, as long as the decisions are the same.

Exit codes: as those of sim run.`,
		Example: "  moonwatch sim replay swarm-seed-7.plan.json --trace",
		Args:    exactly("PLAN"),
		RunE: func(c *cobra.Command, args []string) error {
			s, err := openPlan(args[0])
			if err != nil {
				return err
			}
			r.command = commandLine(c, args)
			return a.play(c.Context(), s, r)
		},
	}
	r.flags(c)
	return c
}

func (r *simRun) flags(c *cobra.Command) {
	f := c.Flags()
	f.BoolVar(&r.trace, "trace", false, "tell everything that happened, not the facts alone")
	f.BoolVar(&r.json, "json", false, "print one JSON object")
	f.BoolVar(&r.twice, "twice", false, "play it twice and compare")
	f.StringVar(&r.report, "report", "", "write result.json and index.html to this new folder")
}

// play plays once and tells how it went.
func (a *app) play(ctx context.Context, s *source, r simRun) error {
	if r.report != "" {
		if err := report.Check(r.report); err != nil {
			return err
		}
	}
	plan, text, err := s.compile(r.seed, scenario.Options{Members: r.members})
	if err != nil {
		return err
	}
	crew, err := a.crewFor(plan, 1)
	if err != nil {
		return err
	}
	if r.savePlan != "" {
		if err := campaign.WriteNew(r.savePlan, text); err != nil {
			return err
		}
	}
	b := newBar(a.errw)
	rec, err := while(b, fmt.Sprintf("playing %d members for %s of virtual time", len(plan.World.Fleet.Members), span(time.Duration(plan.Storm))), func() (campaign.Record, error) {
		return campaign.One(ctx, crew, campaign.Task{Seed: plan.Seed, Plan: text, Story: !r.json || r.report != "", Twice: r.twice})
	})
	if err != nil {
		if interrupted(ctx, err) {
			return errors.New("interrupted before it ended: nothing is known")
		}
		return err
	}
	sum := campaign.Sum(rec)
	sum.Scenario, sum.Members = plan.Scenario, len(plan.World.Fleet.Members)
	err = a.tellRun(r, s, rec, sum)
	if r.report != "" { // if it cannot be written, the answer is there
		err = errors.Join(err, a.reportRun(r.report, r.command, plan, text, rec, a.shrunkRun(ctx, r, s, plan, rec, b)...))
	}
	if err != nil {
		return err
	}
	return ended(outcomeCode(rec.Outcome()))
}

// shrunk is what a run that broke something is shrunk to, for its report. There
// is nothing where it is as simple as can be, or no worker is left of it.
func (a *app) shrunkRun(ctx context.Context, r simRun, s *source, plan *scenario.Plan, rec campaign.Record, b *bar) []report.Run {
	if !rec.Broken() || rec.Result == nil {
		return nil
	}
	crew, err := a.crewFor(plan, 0)
	if err != nil {
		return nil
	}
	defer b.clear()
	rec.Plan = r.savePlan
	if s.plan != nil {
		rec.Plan = s.arg
	}
	if run, ok := shrunk(ctx, crew, plan, rec, b); ok {
		return []report.Run{run}
	}
	return nil
}

// tellRun prints what happened and how it ended.
func (a *app) tellRun(r simRun, s *source, rec campaign.Record, sum *campaign.Summary) error {
	if r.json {
		return a.printJSON(sum)
	}
	p := &printer{}
	if rec.Result != nil && rec.Result.Story != nil {
		p.story(rec.Result.Story, r.trace)
		p.line("")
	}
	if rec.Result == nil && rec.Said != "" {
		p.lines(rec.Said)
	}
	p.line("%s", broke(rec.Failure()))
	p.line("%s with seed %d: %d members, %s virtual in %s%s", sum.Scenario, rec.Seed, sum.Members,
		span(seconds(sum.Virtual)), span(seconds(sum.Wall)), speed(sum.PerSecond))
	p.figures(sum)
	if sum.Trace != nil {
		p.fact("trace", "%s", *sum.Trace)
	}
	if rec.Broken() {
		p.again(r, s)
	}
	return a.print(p)
}

// story prints what happened: the facts, or everything.
func (p *printer) story(s *scenario.Story, all bool) {
	if !all {
		p.lines(string(scenario.Transcript(s)))
		return
	}
	events := slices.Clone(s.Events)
	for _, b := range s.Faults {
		events = append(events, scenario.Event{AtMS: b.FromMS, Seq: b.Seq, Lane: "fault", Text: b.Text})
		if b.End != "" {
			events = append(events, scenario.Event{AtMS: b.ToMS, Seq: b.EndSeq, Lane: "fault", Text: b.End})
		}
	}
	slices.SortStableFunc(events, func(a, b scenario.Event) int { return cmp.Or(cmp.Compare(a.AtMS, b.AtMS), cmp.Compare(a.Seq, b.Seq)) })
	for _, e := range events {
		p.line("%9.3f s  %-8s %-10s %s", float64(e.AtMS)/1000, e.Lane, e.Member, cmp.Or(e.Text, strings.TrimSpace(e.Raw+" "+e.State)))
	}
}

// again says how to look closer at what broke.
func (p *printer) again(r simRun, s *source) {
	switch {
	case s.plan != nil:
		p.line("  moonwatch sim shrink %s", quoted(s.arg))
	case r.savePlan != "":
		p.line("  moonwatch sim shrink %s", quoted(r.savePlan))
	default:
		p.line("  moonwatch sim run %s --seed %d%s --save-plan failing.plan.json", quoted(s.arg), r.seed, r.size())
		p.line("  moonwatch sim shrink failing.plan.json")
	}
}

func (r simRun) size() string {
	if r.members == 0 {
		return ""
	}
	return fmt.Sprintf(" --members %d", r.members)
}
