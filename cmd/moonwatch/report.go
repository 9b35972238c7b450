package main

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"moonwatch/internal/client"
	"moonwatch/status"
)

func (a *app) reportCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "report",
		Short: "Report what was replaced, or would have been, and whether it was dead",
		Long: `Report on the last week, or on --for: which members were replaced, which would have
been in a pool that is not armed or on a dry run, and what turned out later. Dead is
who does not come back within 10 minutes, or in another life; who answers again in
its old life was up the whole time, and its replacement was not needed.

It comes from the ledger: every agent reports the same, also after a restart. The
last 200 are in it.`,
		Example: "  moonwatch report\n  moonwatch report --for 24h -o json | jq .would",
		Args:    exactly(),
	}
	r := a.readingOnce(c)
	last := c.Flags().Duration("for", 7*24*time.Hour, "how far it looks back")
	c.RunE = func(c *cobra.Command, _ []string) error {
		if *last <= 0 {
			return usage("--for is %v, want more than nothing", *last)
		}
		answer, err := r.get(c.Context(), client.PageDocument)
		if err != nil {
			return err
		}
		r.noteAge(answer.Page)
		report := answer.Page.Report(*last)
		raw, err := json.Marshal(report)
		if err != nil {
			return fmt.Errorf("print the answer: %w", err)
		}
		return r.print(raw, func(p *printer) { printReport(p, report) })
	}
	return c
}

func printReport(p *printer, r status.Report) {
	p.line("%s, %s to %s", r.Cluster, moment(r.From), moment(r.To))
	p.line("")
	for _, line := range r.Lines {
		p.line("%s", line)
	}
	if len(r.Scores) == 0 {
		return
	}
	p.line("")
	table(p, "", r.Scores, []column[status.Scored]{
		{title: "AT", of: func(s status.Scored) cell { return text("%s", moment(s.At)) }},
		{title: "CASE", of: func(s status.Scored) cell { return word(s.Case) }},
		{title: "POOL", wide: true, of: func(s status.Scored) cell { return word(s.Pool) }},
		{title: "SLOT", of: func(s status.Scored) cell { return word(s.Slot) }},
		{title: "MEMBER", of: func(s status.Scored) cell { return word(s.ID) }},
		{title: "KIND", wide: true, of: func(s status.Scored) cell { return word(s.Kind) }},
		{title: "DEED", of: func(s status.Scored) cell {
			if s.Would {
				return text("would %s", s.Deed)
			}
			return word(s.Deed)
		}},
		{title: "TURNED OUT", of: func(s status.Scored) cell { return word(s.Words) }},
	})
}
