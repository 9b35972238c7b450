package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"moonwatch/sim/campaign"
	"moonwatch/sim/report"
	"moonwatch/sim/scenario"
)

// simCampaign is a campaign as its flags want it.
type simCampaign struct {
	seeds   int
	from    uint64
	minutes float64
	members int
	length  time.Duration
	workers int
	twice   float64
	json    bool
	report  string
	keep    string
	command string // as it was given
}

func (a *app) simCampaignCommand() *cobra.Command {
	var k simCampaign
	c := &cobra.Command{
		Use:   "campaign [FILE|NAME]",
		Short: "Play one scenario with many seeds and sum up",
		Long: `Play a scenario ("swarm" if none is named: everything about it is drawn) with one
seed after another, in child processes, and sum up what they came to. What breaks
is told at once; its plan is saved, and the line that replays it is printed.
"swarm-of-people" draws what people order and forgers do as well, "swarm-of-floods"
floods of a subdomain behind a shield, "swarm-of-fences" what exclusive slots meet.

Ctrl-C ends it early and sums up what ran. With --keep the results stay in a
folder, and the next campaign with the same folder plays --seeds further ones,
first those that are missing: slices add up to one campaign.

Exit codes: those of sim run, of the worst seed. Void seeds, which show nothing,
are told, and are exit code 8 only if there is no other seed.`,
		Example: `  moonwatch sim campaign
  moonwatch sim campaign --seeds 300 --members 60 --minutes 10
  moonwatch sim campaign swarm-of-people --seeds 100
  moonwatch sim campaign --seeds 0 --for 10m --keep results    # again and again
  moonwatch sim campaign outage.yaml --json`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 {
				return usage("unexpected argument %q", args[1])
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			name := scenario.SwarmName
			if len(args) > 0 {
				name = args[0]
			}
			// What was not given has its default, which is 0; what was given as 0 is
			// a mistake.
			for _, name := range []string{"minutes", "members", "for"} {
				if f := c.Flags().Lookup(name); f.Changed && (f.Value.String() == "0" || f.Value.String() == "0s") {
					return usage("--%s is %s, want more than 0", name, f.Value)
				}
			}
			if k.length > 0 && !c.Flags().Changed("seeds") {
				k.seeds = 0
			}
			k.command = commandLine(c, args)
			return a.campaign(c.Context(), name, k)
		},
	}
	f := c.Flags()
	f.IntVar(&k.seeds, "seeds", 40, "how many to play, besides those that --keep has; 0: until --for is over, or Ctrl-C")
	f.Uint64Var(&k.from, "from", 1, "the first seed")
	f.Float64Var(&k.minutes, "minutes", 0, "virtual minutes of faults (default: the scenario's own)")
	f.IntVar(&k.members, "members", 0, "size of the fleet (default: the scenario's own)")
	f.DurationVar(&k.length, "for", 0, "deal no more seeds after so much time of yours")
	f.IntVar(&k.workers, "workers", 0, "child processes (default: as many as processors, and as the memory holds)")
	f.Float64Var(&k.twice, "twice", 0.05, "share of the seeds that are played twice and compared, 0 to 1")
	f.BoolVar(&k.json, "json", false, "print one JSON object")
	f.StringVar(&k.report, "report", "", "write result.json and index.html to this new folder")
	f.StringVar(&k.keep, "keep", "", "keep the results in this folder, and add to those that are there")
	return c
}

// mostMinutes is a scenario's longest duration.
const mostMinutes = 720 * 60

func (k simCampaign) check() error {
	switch {
	case k.seeds < 0:
		return usage("--seeds is %d, want 0 or more", k.seeds)
	case k.workers < 0:
		return usage("--workers is %d, want 1 or more", k.workers)
	case k.members < 0:
		return usage("--members is %d, want 1 or more", k.members)
	case !(k.minutes >= 0 && k.minutes <= mostMinutes): // NaN is refused too
		return usage("--minutes is %g, want more than 0 and at most %d", k.minutes, mostMinutes)
	case k.length < 0:
		return usage("--for is %v, want more than 0", k.length)
	case !(k.twice >= 0 && k.twice <= 1): // NaN is refused too
		return usage("--twice is %g, want a share from 0 to 1", k.twice)
	}
	return nil
}

// campaign plays a campaign and tells how it went.
func (a *app) campaign(ctx context.Context, name string, k simCampaign) (err error) {
	if err := k.check(); err != nil {
		return err
	}
	s, err := openSource(name)
	if err != nil {
		return err
	}
	if s.plan != nil {
		return usage("%s is a plan, which has one seed: 'moonwatch sim replay' plays it", name)
	}
	if k.report != "" {
		if err := report.Check(k.report); err != nil {
			return err
		}
	}
	opt := scenario.Options{Members: k.members, Minutes: k.minutes}
	first, text, err := s.compile(1, opt)
	if err != nil {
		return err
	}
	crew, err := a.crewFor(first, k.workers)
	if err != nil {
		return err
	}
	compile := func(seed uint64) (*scenario.Plan, []byte, error) { return s.compile(seed, opt) }
	v := campaignView{bar: newBar(a.errw)}
	if k.report != "" {
		v.tale = &chronicle{app: a, compile: compile}
	}
	cfg := campaign.Config{
		Compile: func(seed uint64) ([]byte, error) {
			_, text, err := compile(seed)
			return text, err
		},
		Name: first.Scenario, Plans: ".", From: k.from, Seeds: k.seeds, For: k.length, Twice: k.twice, Crew: crew,
		Wanted: first.Sometimes, Tell: v.tell, Each: v.each,
	}
	if k.keep != "" {
		if cfg.Folder, err = a.openFolder(k.keep, first, text); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, cfg.Folder.Close()) }()
		v.kept(k.keep, cfg.Folder.Records())
	}
	sum, err := campaign.Run(ctx, cfg)
	if !s.scenario.Drawn() {
		sum.Never = []string{}
	}
	v.bar.clear()
	if v.tale != nil && err == nil && sum.Seeds > 0 {
		if k.seeds > 0 {
			v.tale.sum.Asked = k.seeds + v.before
		}
		err = v.tale.write(ctx, k.report, k.command, crew, sum, v.bar)
	}
	return a.afterCampaign(k, sum, err)
}

// openFolder opens the folder that keeps results. It tells of what they are by
// the plan of seed 1.
func (a *app) openFolder(dir string, first *scenario.Plan, text []byte) (*campaign.Folder, error) {
	build, err := buildID(a.parts.version)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(text)
	return campaign.OpenFolder(dir, campaign.What{
		Scenario: first.Scenario, Members: len(first.World.Fleet.Members), Storm: first.Storm.String(),
		Build: build, Plan: hex.EncodeToString(sum[:8]),
	})
}

// afterCampaign tells what came of it. What ran before an error counts too.
func (a *app) afterCampaign(k simCampaign, sum *campaign.Summary, err error) error {
	if sum.Interrupted && sum.Seeds == 0 && err == nil {
		err = errors.New("interrupted before the first seed had ended: nothing is known")
	}
	p := &printer{}
	switch {
	case sum.Seeds == 0 && err != nil:
		return err
	case k.json:
		err = errors.Join(err, a.printJSON(sum))
	default:
		p.summary(sum)
		p.failures(sum)
		err = errors.Join(err, a.print(p))
	}
	if err != nil {
		return err
	}
	if sum.Interrupted {
		fmt.Fprintln(a.errw, "note: interrupted; this is what had ended by then")
	}
	return ended(outcomeCode(sum.Worst()))
}
