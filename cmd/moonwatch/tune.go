package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"moonwatch/agent"
	"moonwatch/failover"
	"moonwatch/internal/strict"
	"moonwatch/member"
	"moonwatch/status"
)

// tuned is what 'tune' prints, and what it reads from files.
type tuned struct {
	Schema int              `json:"schema"`
	Tuning failover.Tuning  `json:"tuning"`
	Uses   string           `json:"uses"` // the profile by which the agents observe
	Seen   []measuredMember `json:"seen"`
}

type measuredMember struct {
	Member   member.ID      `json:"member"`
	Now      time.Time      `json:"now"`
	Profile  string         `json:"profile"`
	Members  int            `json:"members"`
	Measured agent.Measured `json:"measured"`
}

func (a *app) tuneCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "tune [FILE...]",
		Short: "Propose a timing profile from round trips and stalls that were measured",
		Long: `Propose a timing profile (profile: in fleet.yaml and agent.yaml) from what agents have
measured since they began: how long the round trips of their probes took, and how late
their own timers were, which is for how long their machines stood still. The quickest
profile is proposed that bears both: its time-outs 999 of 1,000 round trips, and the
silence that it forgives the longest stall. None is proposed where no probe was answered,
or where a member had no answer to more than half of its own: that is no weather. Probes
to members that a verdict called out of reach are left out.

One agent knows its own machine and its own ways. What several have measured is put
together from files, each of which one of them wrote with -o json. It changes nothing.

Exit codes: 0 a profile is proposed, 1 error, 2 usage, 3 nothing speaks for any.`,
		Example: `  moonwatch tune
  moonwatch tune -o json > web-1.json
  moonwatch tune web-1.json web-2.json web-3.json`,
		Args: cobra.ArbitraryArgs,
	}
	r := a.readingOnce(c)
	c.RunE = func(c *cobra.Command, files []string) error {
		seen, err := r.measured(c.Context(), files)
		if err != nil {
			return err
		}
		t := tunedOf(seen)
		raw, err := json.Marshal(t)
		if err != nil {
			return fmt.Errorf("print the proposal: %w", err)
		}
		if err := r.print(raw, func(p *printer) { printTuning(p, t) }); err != nil {
			return err
		}
		if t.Tuning.Proposal == "" {
			return &exit{code: exitDegraded}
		}
		return nil
	}
	return c
}

// measured is what the agent says, or what the files say.
func (r *reading) measured(ctx context.Context, files []string) ([]measuredMember, error) {
	var all []measuredMember
	for _, name := range files {
		seen, err := readMeasured(name)
		if err != nil {
			return nil, err
		}
		for _, m := range seen {
			if slices.ContainsFunc(all, func(x measuredMember) bool { return x.Member == m.Member }) {
				return nil, usage("%s: %s stands in a file before it: want each member once", name, m.Member)
			}
			all = append(all, m)
		}
	}
	if len(files) > 0 {
		return all, nil
	}
	cl, err := r.ask()
	if err != nil {
		return nil, err
	}
	defer cl.Close()
	ctx, cancel := context.WithTimeout(ctx, askPatience)
	defer cancel()
	d, err := cl.Measured(ctx)
	if err != nil {
		return nil, err
	}
	return []measuredMember{{d.Self, d.Now, d.Profile, d.Members, d.Measured}}, nil
}

func readMeasured(name string) ([]measuredMember, error) {
	b, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("read what was measured: %w", err)
	}
	var t tuned
	if err := json.Unmarshal(b, &t); err != nil {
		return nil, usage("%s: %w: want what `moonwatch tune -o json` writes", name, err)
	}
	for _, m := range t.Seen {
		if m.Member == "" || m.Measured.Since.IsZero() || m.Now.Before(m.Measured.Since) {
			err = errors.Join(err, fmt.Errorf("a member without a name, or that measured for no time"))
		}
	}
	if err != nil || len(t.Seen) == 0 {
		return nil, usage("%s says nothing that was measured: want what `moonwatch tune -o json` writes", name)
	}
	return t.Seen, nil
}

func tunedOf(seen []measuredMember) tuned {
	t := tuned{Schema: status.Schema, Seen: seen}
	var (
		measured []agent.Measured
		uses     []string
		members  int
		now      time.Time
	)
	for _, m := range seen {
		if m.Now.After(now) {
			now = m.Now
		}
	}
	for _, m := range seen {
		m.Measured.Since = m.Measured.Since.Add(now.Sub(m.Now)) // it stopped looking when it wrote
		measured, members = append(measured, m.Measured), max(members, m.Members)
		if !slices.Contains(uses, m.Profile) {
			uses = append(uses, m.Profile)
		}
	}
	t.Tuning, t.Uses = failover.Tune(members, now, measured), strict.Words(uses, "and")
	return t
}

// tellLoss is the share of unanswered probes from which on people are told: round trips are of
// those that came through.
const tellLoss = 0.05

func printTuning(p *printer, t tuned) {
	x := t.Tuning
	p.line("Measured by %d of %d members, each for %s or longer; they observe by profile %s.", x.Measured, x.Members, span(x.For), t.Uses)
	if x.Trip == 0 {
		p.line("No probe was answered: who observes nobody knows of no round trips. Ask an agent of the roster.")
	}
	p.line("Round trips: 999 of 1,000 within %s. Longest stall: %s. Probes without an answer in time: %.2f %%.",
		x.Trip.Round(10*time.Microsecond), x.Stall.Round(time.Millisecond), 100*x.Lost)
	p.line("")
	table(p, "", x.Fits, []column[failover.Fit]{
		{title: "PROFILE", of: func(f failover.Fit) cell { return word(f.Profile) }},
		{title: "FITS", of: func(f failover.Fit) cell {
			if f.Fits {
				return cell{"yes", good}
			}
			return cell{"no", bad}
		}},
		{title: "TIME-OUT", of: func(f failover.Fit) cell { return text("%v", f.TimeOut) }},
		{title: "ACCUSES AFTER", of: func(f failover.Fit) cell { return text("%v", f.Patience) }},
		{title: "NEVER REPLACES BELOW", of: func(f failover.Fit) cell { return text("%v", f.Forgiven) }},
		{title: "WHY NOT", of: func(f failover.Fit) cell { return cell{strings.Join(f.Why, "; "), warn} }},
	})
	p.line("")
	switch {
	case x.Proposal == "":
		p.line("No profile is proposed: what was measured speaks for none. `moonwatch observers` shows who answers whom.")
	case !slices.ContainsFunc(x.Fits, func(f failover.Fit) bool { return f.Fits }):
		p.line("No profile bears this: %s comes nearest. Find out what stops these machines for so long.", x.Proposal)
	default:
		p.line("Proposal: profile: %s, in fleet.yaml and in every agent.yaml. `moonwatch sim list` has its stories.", x.Proposal)
	}
	if x.Proposal != "" && x.Silent > tellLoss {
		p.line("A member had no answer to %.0f %% of its probes, those to lost members left out: find out why before you believe this.", 100*x.Silent)
	}
	if !x.Enough {
		p.line("Measure for a day at least: what comes once a night, as a backup does, is not in this yet.")
	}
	if x.Measured < x.Members {
		p.line("Of %d members nothing is known: name files that `moonwatch tune -o json` wrote there.", x.Members-x.Measured)
	}
}
