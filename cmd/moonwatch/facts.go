package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"moonwatch/internal/client"
	"moonwatch/status"
)

// factsEvery is how often an agent is asked for what is new.
const factsEvery = time.Second

func (a *app) factsCommand() *cobra.Command {
	var follow bool
	var last int
	c := &cobra.Command{
		Use:   "facts",
		Short: "List the ledger's latest facts, and follow new ones",
		Long: `List the latest facts of the ledger, oldest first, one line each; refusals too. With
--follow new ones are added as they are committed, until Ctrl-C; while the agent does
not answer that is said once, and it is asked on. -o json prints a fact a line then.

An agent shows the latest 500 facts: for all that it keeps, 'moonwatch audit export'.`,
		Example: `  moonwatch facts
  moonwatch facts --last 50
  moonwatch facts --follow
  moonwatch facts --follow -o json | jq -r 'select(.accepted | not) | .line'`,
		Args: exactly(),
	}
	r := a.readingOnce(c)
	c.Flags().BoolVarP(&follow, "follow", "f", false, "go on with what is new")
	c.Flags().IntVar(&last, "last", 20, "how many to begin with")
	c.RunE = func(c *cobra.Command, _ []string) error {
		if last < 0 {
			return usage("--last is %d, want 0 or more", last)
		}
		if follow && r.format.value == "yaml" {
			return usage("--follow goes with -o table, wide or json")
		}
		answer, err := r.get(c.Context(), client.FactsDocument)
		if err != nil {
			return err
		}
		r.noteAge(answer.Page)
		facts := answer.Page.Facts
		facts = slices.Clone(facts[:min(last, len(facts))])
		slices.Reverse(facts)
		if !follow {
			raw, err := json.Marshal(struct {
				Schema int               `json:"schema"`
				Facts  []status.FactLine `json:"facts"`
			}{status.Schema, append([]status.FactLine{}, facts...)})
			if err != nil {
				return err
			}
			return r.print(raw, func(p *printer) { printFacts(p, facts) })
		}
		f := follower{reading: r, head: headOf(answer.Page)}
		if err := f.write(facts); err != nil {
			return err
		}
		return f.run(c.Context())
	}
	return c
}

func printFacts(p *printer, facts []status.FactLine) {
	if len(facts) == 0 {
		p.line("The ledger has no facts, or none are wanted.")
	}
	for _, x := range facts {
		p.line("%s", factLine(x))
	}
}

func factLine(x status.FactLine) string {
	return fmt.Sprintf("%8d  %s  %s", x.Index, x.At.UTC().Format("2006-01-02 15:04:05.000"), clean(x.Line))
}

// headOf is the latest fact that a page shows, 0 without one.
func headOf(p status.Page) uint64 {
	if len(p.Facts) == 0 {
		return 0
	}
	return p.Facts[0].Index
}

// follower prints facts as they come.
type follower struct {
	*reading
	head   uint64 // the last one that was printed, or need not be
	silent bool   // the agent does not answer, and that was said
}

// run asks until ctx ends, which is how following ends.
func (f *follower) run(ctx context.Context) error {
	tick := time.NewTicker(factsEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		answer, err := f.latest(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, client.ErrUnreachable), errors.Is(err, client.ErrStarting):
			if !f.silent {
				fmt.Fprintf(f.app.errw, "note: %v; asking on\n", err)
			}
			f.silent = true
			continue
		case err != nil:
			return err
		}
		f.silent = false
		if err := f.add(answer.Page); err != nil {
			return err
		}
	}
}

// latest asks without a note about an agent that stands still, which would come each time.
func (f *follower) latest(ctx context.Context) (client.Answer, error) {
	agent, err := f.ask()
	if err != nil {
		return client.Answer{}, err
	}
	defer agent.Close()
	ctx, cancel := context.WithTimeout(ctx, askPatience)
	defer cancel()
	return agent.Get(ctx, client.FactsDocument)
}

// add prints what a page shows and was not printed, oldest first.
func (f *follower) add(p status.Page) error {
	var fresh []status.FactLine
	for _, x := range p.Facts {
		if x.Index > f.head {
			fresh = append(fresh, x)
		}
	}
	if len(fresh) == 0 {
		return nil
	}
	slices.Reverse(fresh)
	if missed := fresh[0].Index - f.head - 1; missed > 0 {
		fmt.Fprintf(f.app.errw, "note: %d facts before %d came too fast to be shown: moonwatch audit export --from %d\n", missed, fresh[0].Index, f.head+1)
	}
	f.head = fresh[len(fresh)-1].Index
	return f.write(fresh)
}

func (f *follower) write(facts []status.FactLine) error {
	for _, x := range facts {
		line := factLine(x)
		if f.format.value == "json" {
			b, err := json.Marshal(x)
			if err != nil {
				return err
			}
			line = string(b)
		}
		if _, err := fmt.Fprintln(f.app.out, line); err != nil {
			return fmt.Errorf("print the facts: %w", err)
		}
	}
	return nil
}
