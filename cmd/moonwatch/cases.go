package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"moonwatch/failover"
	"moonwatch/internal/client"
	"moonwatch/status"
)

func (a *app) verdictsCommand() *cobra.Command {
	c := &cobra.Command{
		Use:     "verdicts",
		Short:   "List the latest verdicts with their votes, newest first",
		Example: "  moonwatch verdicts\n  moonwatch verdicts -o yaml",
		Args:    listed,
	}
	r := a.reading(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		return r.show(c.Context(), client.VerdictsDocument, printVerdicts)
	}
	return c
}

// judged is one finding with the verdict that it stands in.
type judged struct {
	status.Verdict
	status.Finding
}

func printVerdicts(p *printer, page status.Page) {
	var rows []judged
	for _, v := range page.Verdicts {
		for _, f := range v.Findings {
			rows = append(rows, judged{v, f})
		}
	}
	table(p, "There are no verdicts.", rows, []column[judged]{
		{title: "VERDICT", of: func(j judged) cell { return word(j.ID) }},
		{title: "AT", of: func(j judged) cell { return text("%s", moment(j.At)) }},
		{title: "SUBJECT", of: func(j judged) cell { return word(j.Subject) }},
		{title: "KIND", of: func(j judged) cell {
			if j.Withdrawn {
				return text("%s (withdrawn)", j.Kind)
			}
			return word(j.Kind)
		}},
		{title: "AGENT VOTES", of: func(j judged) cell { return votes(j.Finding, "agent") }},
		{title: "SERVICE VOTES", of: func(j judged) cell { return votes(j.Finding, "service") }},
		{title: "SILENT FOR", wide: true, of: func(j judged) cell { return since(j.At, j.SilentSince) }},
		{title: "TERM", wide: true, of: func(j judged) cell { return text("%d", j.Term) }},
		{title: "ROSTER EPOCH", wide: true, of: func(j judged) cell { return text("%d", j.Roster) }},
	})
}

// votes is one count: how many said down and up, and how many downs decide.
func votes(f status.Finding, of string) cell {
	for _, t := range f.Tallies {
		if t.Of == of {
			return text("%d down, %d up, %d needed", t.Downs, t.Ups, t.Needed)
		}
	}
	return cell{}
}

func (a *app) failoversCommand() *cobra.Command {
	c := &cobra.Command{
		Use:     "failovers",
		Short:   "List the cases: open ones first, then newest first",
		Example: "  moonwatch failovers\n  moonwatch failovers -o wide",
		Args:    listed,
	}
	r := a.reading(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		return r.show(c.Context(), client.FailoversDocument, printFailovers)
	}
	return c
}

func printFailovers(p *printer, page status.Page) {
	table(p, "There are no cases.", page.Cases, caseColumns(page))
}

func caseColumns(page status.Page) []column[status.Case] {
	return []column[status.Case]{
		{title: "CASE", of: func(c status.Case) cell { return word(c.ID) }},
		{title: "STATE", of: caseState},
		{title: "SLOT", of: func(c status.Case) cell { return word(c.Slot) }},
		{title: "SUBJECT", of: func(c status.Case) cell { return word(c.Subject) }},
		{title: "KIND", of: caseKind},
		{title: "SPARE", of: func(c status.Case) cell { return word(c.Spare) }},
		{title: "SINCE", of: func(c status.Case) cell { return since(page.Now, c.Since) }},
		{title: "VERDICT", wide: true, of: func(c status.Case) cell { return word(c.Verdict) }},
		{title: "SLOT EPOCH", wide: true, of: func(c status.Case) cell {
			if c.NewEpoch == 0 {
				return text("%d", c.Epoch)
			}
			return text("%d -> %d", c.Epoch, c.NewEpoch)
		}},
		{title: "FENCE PROOF", wide: true, of: func(c status.Case) cell { return word(c.Proof) }},
		{title: "STEP", wide: true, of: func(c status.Case) cell {
			if c.Executor == "" {
				return word(c.Step)
			}
			return text("%s by %s", c.Step, c.Executor)
		}},
		{title: "NEXT", of: func(c status.Case) cell {
			switch {
			case !c.Open:
				return cell{}
			case c.HeldBy != "":
				return word(c.HeldBy)
			default:
				return word(c.Next)
			}
		}},
	}
}

// caseKind is the verdict behind a case, or that people ordered it.
func caseKind(c status.Case) cell {
	if c.Kind == "" && c.Order != nil {
		return text("switchover")
	}
	return word(c.Kind)
}

func caseState(c status.Case) cell {
	switch {
	case c.Held != "":
		return cell{fmt.Sprintf("%s(%s)", c.State, c.Held), warn}
	case c.State == failover.Escalated:
		return cell{string(c.State), bad}
	case !c.Open && c.Outcome != "":
		return text("%s(%s)", c.State, c.Outcome)
	case c.Open:
		return cell{string(c.State), warn}
	default:
		return word(c.State)
	}
}

func (a *app) explainCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "explain ID",
		Short: "Tell why: a verdict (V-12), a case (C-12), a request (R-12), an incident (I-12), any fact (12), a member, a slot or the mode",
		Long: `Tell why things stand as they do: what was decided, what came of it, and who
said so; of a member without a verdict also what its observers see now, and what a
verdict lacks. The ids stand in 'moonwatch verdicts', 'moonwatch failovers' and, as numbers,
in 'moonwatch facts'. What is too old for these is told from the facts on the agent's
disk, which keeps 30 days of them, or 256 MiB.

Exit codes: 0 it is told, 1 error, also an id of which nothing is known.`,
		Example: `  moonwatch explain V-12
  moonwatch explain C-13
  moonwatch explain 4711
  moonwatch explain web-3
  moonwatch explain mode`,
		Args: exactly("ID"),
	}
	r := a.reading(c)
	c.ValidArgsFunction = func(c *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return r.ids(c.Context()), cobra.ShellCompDirectiveNoFileComp
	}
	c.RunE = func(c *cobra.Command, args []string) error {
		return r.explain(c.Context(), args[0])
	}
	return c
}

func (r *reading) explain(ctx context.Context, id string) error {
	agent, err := r.ask()
	if err != nil {
		return err
	}
	defer agent.Close()
	ctx, cancel := context.WithTimeout(ctx, askPatience)
	defer cancel()
	e, raw, err := agent.Explain(ctx, id)
	if errors.Is(err, client.ErrUnknown) {
		return err // the agent says which ids there are
	}
	if err != nil {
		return err
	}
	if page, err := agent.Get(ctx, client.SlotsDocument); err == nil {
		r.noteAge(page.Page) // an explanation does not carry its age
	}
	return r.print(raw, func(p *printer) {
		for _, line := range e.Lines {
			p.line("%s", line)
		}
		for i, id := range e.See {
			if i == 0 {
				p.line("")
			}
			p.line("See also: moonwatch explain %s", id)
		}
	})
}

// ids are what can be explained, for completion: empty if no agent answers.
func (r *reading) ids(ctx context.Context) []string {
	a, err := r.get(ctx, client.PageDocument)
	if err != nil {
		return nil
	}
	ids := []string{"mode"}
	for _, u := range a.Page.Unlisted {
		ids = append(ids, string(u.ID))
	}
	for _, m := range a.Page.Members {
		ids = append(ids, string(m.ID))
	}
	for _, s := range a.Page.Slots {
		ids = append(ids, string(s.ID))
	}
	for _, v := range a.Page.Verdicts {
		ids = append(ids, v.ID)
	}
	for _, c := range a.Page.Cases {
		ids = append(ids, c.ID)
	}
	for _, r := range a.Page.Requests {
		ids = append(ids, r.ID)
	}
	return ids
}
