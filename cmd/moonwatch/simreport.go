package main

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"moonwatch/sim"
	"moonwatch/sim/campaign"
	"moonwatch/sim/report"
	"moonwatch/sim/scenario"
)

// shownRuns is how many broken seeds of a campaign a report shows in full.
const shownRuns = 3

// reportRun writes the report of a single run, and of what it was shrunk to.
func (a *app) reportRun(dir, command string, plan *scenario.Plan, text []byte, rec campaign.Record, shrunk ...report.Run) error {
	run := report.Run{Result: resultOf(plan, rec), Took: took(rec), Replay: command, Plan: string(text)}
	return report.Write(dir, report.Input{
		Command: command, Version: a.parts.version + revision(), Profile: profile(plan), Took: took(rec),
		Runs: append([]report.Run{run}, shrunk...),
	})
}

// profile is the fleet's: without a word, lan.
func profile(p *scenario.Plan) string {
	if p.World.Fleet.Profile == "" {
		return "lan"
	}
	return p.World.Fleet.Profile
}

func took(r campaign.Record) time.Duration { return time.Duration(r.TookMS) * time.Millisecond }

// resultOf is a record's result, or what can be said without one.
func resultOf(p *scenario.Plan, r campaign.Record) scenario.Result {
	if r.Result != nil {
		return *r.Result
	}
	return scenario.Result{
		Scenario: p.Scenario, Seed: r.Seed, Outcome: campaign.Crashed, Broken: r.Crash, Members: len(p.World.Fleet.Members),
	}
}

// chronicle gathers what the report of a campaign shows.
type chronicle struct {
	app     *app
	compile func(seed uint64) (*scenario.Plan, []byte, error)
	sum     report.Campaign
	profile string            // of the fleets
	broken  []campaign.Record // of the seeds that are shown in full
	err     error
}

// add takes one seed in.
func (c *chronicle) add(r campaign.Record) {
	p, _, err := c.compile(r.Seed)
	if err != nil {
		c.err = errors.Join(c.err, err)
		return
	}
	var struck []sim.FaultKind
	for _, s := range p.Steps {
		struck = append(struck, s.Do)
	}
	c.sum.Add(resultOf(p, r), took(r), struck)
	switch c.profile {
	case "", profile(p):
		c.profile = profile(p)
	default:
		c.profile = "several"
	}
	if r.Broken() && len(c.broken) < shownRuns {
		c.broken = append(c.broken, r)
	}
}

// write plays the first broken seeds once more, for their stories, shrinks the
// first of them, and writes the report.
func (c *chronicle) write(ctx context.Context, dir, command string, crew campaign.Crew, s *campaign.Summary, b *bar) error {
	if c.err != nil {
		return c.err
	}
	c.sum.Name, c.sum.Trace, c.sum.Asked = s.Scenario, "", max(c.sum.Asked, s.Seeds)
	if s.Trace != nil {
		c.sum.Trace = *s.Trace
	}
	in := report.Input{
		Command: command, Version: c.app.parts.version + revision(), Profile: c.profile, Took: seconds(s.Wall), Campaign: &c.sum,
	}
	for i, r := range c.broken {
		b.show(step{text: "playing broken seeds once more for the report", done: i, all: len(c.broken), left: -1})
		p, text, err := c.compile(r.Seed)
		if err != nil {
			return err
		}
		again, err := campaign.One(ctx, crew, campaign.Task{Seed: r.Seed, Plan: text, Story: true, Twice: r.Outcome() == scenario.NotDeterministic})
		if interrupted(ctx, err) {
			break
		} else if err != nil {
			return err
		}
		in.Runs = append(in.Runs, report.Run{Result: resultOf(p, again), Took: took(again), Replay: replayLine(r), Plan: string(text)})
		if i == 0 {
			if run, ok := shrunk(ctx, crew, p, r, b); ok {
				in.Runs = append(in.Runs, run)
			}
		}
	}
	b.clear()
	return report.Write(dir, in)
}

func replayLine(r campaign.Record) string {
	if r.Plan == "" {
		return ""
	}
	return "moonwatch sim replay " + quoted(r.Plan)
}

// commandLine is a command as it was given, to paste: without the files that it
// wrote, which are there now and are not overwritten.
func commandLine(c *cobra.Command, args []string) string {
	words := []string{c.CommandPath()}
	c.Flags().Visit(func(f *pflag.Flag) {
		if f.Name == "report" || f.Name == "save-plan" {
			return
		}
		if f.Value.Type() == "bool" && f.Value.String() == "true" {
			words = append(words, "--"+f.Name)
		} else {
			words = append(words, "--"+f.Name+"="+f.Value.String())
		}
	})
	words = append(words, args...)
	for i, w := range words[1:] {
		words[i+1] = quoted(w)
	}
	return strings.Join(words, " ")
}

// shrunk is the simplest run that breaks as a seed did; if the seed's plan has a
// file, its own is written beside that. It is not ok if there is
// no simpler one than the seed's, or no time for it.
func shrunk(ctx context.Context, crew campaign.Crew, p *scenario.Plan, r campaign.Record, b *bar) (report.Run, bool) {
	const length = time.Minute
	timed, cancel := context.WithTimeout(ctx, length)
	defer cancel()
	began := time.Now()
	got, err := campaign.Shrink(timed, crew, p, func(s campaign.Shrunk) { b.show(shrinking(s, length-time.Since(began))) })
	if err != nil || got.To >= got.From {
		return report.Run{}, false
	}
	text, err := got.Plan.Encode()
	if err != nil {
		return report.Run{}, false
	}
	rec, err := campaign.One(ctx, crew, campaign.Task{Seed: r.Seed, Plan: text, Story: true})
	if err != nil {
		return report.Run{}, false
	}
	replay := ""
	if r.Plan != "" {
		base := strings.TrimSuffix(r.Plan, ".plan.json") + ".shrunk"
		if name, err := campaign.WriteOnce(base, ".plan.json", text); err == nil {
			replay = "moonwatch sim replay " + quoted(name)
			b.say("seed %d: %s shrunk to %d: %s", r.Seed, many(got.From, "fault"), got.To, replay)
		}
	}
	return report.Run{Result: resultOf(got.Plan, rec), Took: took(rec), Replay: replay, Plan: string(text), Shrunk: true}, true
}
