package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"moonwatch/internal/client"
	"moonwatch/internal/config"
	"moonwatch/member"
	"moonwatch/sim"
	"moonwatch/sim/campaign"
	"moonwatch/sim/report"
	"moonwatch/sim/scenario"
	"moonwatch/sim/whatif"
)

// simWhatif is one question about a fleet.
type simWhatif struct {
	*reading
	fleet  string
	seed   uint64
	watch  time.Duration
	rps    float64
	json   bool
	report string
	armed  bool

	command string // as it was given
}

func (a *app) simWhatifCommand() *cobra.Command {
	x := simWhatif{reading: &reading{app: a}}
	c := &cobra.Command{
		Use:   "whatif FAULT...",
		Short: "Say what would be done if something broke",
		Long: `Apply faults, said in words, to a fleet in the simulated world, and tell what
Moonwatch would do: when, with which spares, what the brake would hold, and which
requests would fail. Nothing is done to the fleet.

The fleet is the one that the agent of this machine knows, as its ledger stands;
with --fleet it is that of a file, at rest. Each argument is a sentence:
  ` + strings.Join(whatif.Forms(), "\n  ") + `
and may end with "for 30s", "at 1m". WHO is
  ` + strings.Join(whatif.Subjects(), ", ") + `.

Exit codes: 0 every slot is served in the end, 1 error, 2 not understood, 3 a slot
is not served in the end, 7 a promise would be broken: please report that.`,
		Example: `  moonwatch sim whatif "kill web-3"
  moonwatch sim whatif --fleet fleet.yaml "lose failure domain b"
  moonwatch sim whatif --fleet fleet.yaml --armed "kill web-3"     # before it is armed
  moonwatch sim whatif "half of the pool" --for 10m --json
  moonwatch sim whatif "kill web-3" "stall the leader for 5s at 2s"`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usage(`say what breaks, for example: moonwatch sim whatif "kill web-3"`)
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			if x.fleet != "" && c.Flags().Changed("agent") {
				return usage("--fleet and --agent are two fleets: name one")
			}
			if x.armed && x.fleet == "" {
				return usage("--armed goes with --fleet: the fleet that an agent knows is asked about as it is")
			}
			x.command = commandLine(c, args)
			return x.answer(c.Context(), args)
		},
	}
	x.addAgentTo(c)
	f := c.Flags()
	f.StringVar(&x.fleet, "fleet", "", "ask about the fleet of this file instead of the one that the agent knows")
	f.BoolVar(&x.armed, "armed", false, "with --fleet: as if every pool were armed")
	f.Uint64Var(&x.seed, "seed", 1, "what chance is drawn from")
	f.DurationVar(&x.watch, "for", 5*time.Minute, "how long to look on, in virtual time")
	f.Float64Var(&x.rps, "rps", 100, "requests a second to each host")
	f.BoolVar(&x.json, "json", false, "print one JSON object")
	f.StringVar(&x.report, "report", "", "write result.json and index.html to this new folder")
	return c
}

// longestWatch is longer than anything that is decided takes.
const longestWatch = 24 * time.Hour

// mostRPS is more than any host gets, and a count of them all still fits.
const mostRPS = 10_000_000

func (x *simWhatif) answer(ctx context.Context, says []string) error {
	switch {
	case x.watch < time.Second || x.watch > longestWatch:
		return usage("--for is %v, want 1s to %v", x.watch, longestWatch)
	case !(x.rps > 0 && x.rps <= mostRPS): // NaN is refused too
		return usage("--rps is %v, want more than 0 and at most %d", x.rps, mostRPS)
	}
	if x.report != "" {
		if err := report.Check(x.report); err != nil {
			return err
		}
	}
	q := whatif.Question{Says: says, Seed: x.seed, For: x.watch, RPS: x.rps}
	if err := x.subject(ctx, &q); err != nil {
		return err
	}
	posed, err := whatif.Pose(q)
	if errors.Is(err, whatif.ErrNotUnderstood) {
		return usage("%w", err)
	}
	if err != nil {
		return err
	}
	return x.play(ctx, posed)
}

// subject is the fleet that is asked about: a file's, or the living one.
func (x *simWhatif) subject(ctx context.Context, q *whatif.Question) error {
	if x.fleet != "" {
		f, err := config.LoadFleet(x.fleet)
		if err != nil {
			return err
		}
		return x.of(q, f)
	}
	agent, err := x.ask()
	if err != nil {
		return err
	}
	defer agent.Close()
	ctx, cancel := context.WithTimeout(ctx, askPatience)
	defer cancel()
	l, err := agent.Ledger(ctx)
	switch {
	case errors.Is(err, client.ErrUnreachable):
		return fmt.Errorf("%w\nor ask about the fleet of a file: --fleet fleet.yaml", err)
	case err != nil:
		return err
	}
	q.Begin = &sim.Snapshot{Ledger: l.Ledger, At: l.Taken}
	if k := l.Knowledge; !k.Current && !k.AsOf.IsZero() {
		q.Old = l.Taken.Sub(k.AsOf)
		fmt.Fprintf(x.app.errw, "note: the agent hears of no council: this is the fleet as it stood %s ago (fact %d)\n", span(q.Old), k.Head)
	}
	return nil
}

func (x *simWhatif) of(q *whatif.Question, f *member.Fleet) error {
	if x.armed {
		for i := range f.Pools {
			f.Pools[i].Armed = true
		}
	}
	q.Fleet = *f
	if n := len(f.Members); n < 2 {
		return fmt.Errorf("fleet %s has %s: nothing can be decided in it", x.fleet, many(n, "member"))
	}
	return nil
}

// play plays the posed question in a child process and prints the answer.
func (x *simWhatif) play(ctx context.Context, posed *whatif.Posed) error {
	text, err := posed.Plan.Encode()
	if err != nil {
		return err
	}
	crew, err := x.app.crewFor(posed.Plan, 1)
	if err != nil {
		return err
	}
	rec, err := while(newBar(x.app.errw), fmt.Sprintf("looking on for %s of virtual time", span(x.watch)), func() (campaign.Record, error) {
		return campaign.One(ctx, crew, campaign.Task{Seed: posed.Plan.Seed, Plan: text, Story: true})
	})
	switch {
	case err != nil && interrupted(ctx, err):
		return errors.New("interrupted before it ended: nothing is known")
	case err != nil:
		return err
	case rec.Result == nil:
		return fmt.Errorf("play the question: %s\n%s", rec.Crash, rec.Said)
	}
	err = x.say(posed, rec.Result)
	if x.report != "" { // if it cannot be written, the answer is there
		err = errors.Join(x.app.reportRun(x.report, x.command, posed.Plan, text, rec), err)
	}
	return err
}

func (x *simWhatif) say(posed *whatif.Posed, r *scenario.Result) error {
	a, err := posed.Read(r)
	if err != nil {
		return err
	}
	if x.json {
		err = x.app.printJSON(a)
	} else {
		p := &printer{}
		p.lines(a.Text())
		err = x.app.print(p)
	}
	switch {
	case err != nil:
		return err
	case a.Broken != "":
		return ended(exitSafety)
	case !a.OK:
		return ended(exitDegraded)
	}
	return nil
}
