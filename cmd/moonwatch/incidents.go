package main

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"moonwatch/internal/client"
	"moonwatch/status"
)

func (a *app) incidentsCommand() *cobra.Command {
	var open bool
	var last int
	c := &cobra.Command{
		Use:   "incidents [ID]",
		Short: "List the incidents of the last 90 days, or tell one of them",
		Long: `List the incidents of the last 90 days, the newest first: the times in which slots were
not served and nobody wanted it so. Outages that overlap, or follow each other within a
minute, are one incident. With an ID one of them is told: who was lost when, what was
done about it, and when it was served again.

It is what the page's history and the public page tell, of all pools, and comes from the
agent's own disk: no network and no council is needed. What has just happened is in it
after 3 s. An incident's number is that of the fact with which it was noticed.

Exit codes: 0 none goes on, 1 error, also no such incident, 3 one goes on.`,
		Example: `  moonwatch incidents
  moonwatch incidents --open --watch
  moonwatch incidents I-12
  moonwatch incidents -o json | jq '.incidents[] | select(.impact == "critical")'`,
		Args: atMost("ID"),
	}
	r := a.reading(c)
	c.Flags().BoolVar(&open, "open", false, "only those that go on")
	c.Flags().IntVar(&last, "last", 20, "how many to list at most; 0: all")
	c.ValidArgsFunction = func(c *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return r.incidentIDs(c.Context()), cobra.ShellCompDirectiveNoFileComp
	}
	c.RunE = func(c *cobra.Command, args []string) error {
		if last < 0 {
			return usage("--last is %d, want 0 or more", last)
		}
		past, page, err := r.past(c.Context())
		if err != nil {
			return err
		}
		r.noteAge(page)
		if len(args) == 1 {
			return r.incident(past, page, args[0])
		}
		all := past.Incidents()
		going := slices.ContainsFunc(all, status.FleetIncident.Open)
		if open {
			all = slices.DeleteFunc(all, func(x status.FleetIncident) bool { return !x.Open() })
		}
		more := 0
		if last > 0 && len(all) > last {
			all, more = all[:last], len(all)-last
		}
		raw, err := json.Marshal(incidentsDocument{status.Schema, past.Cluster, past.Now, past.AsOf, past.Begun, all})
		if err != nil {
			return fmt.Errorf("print the incidents: %w", err)
		}
		if err := r.print(raw, func(p *printer) { printIncidents(p, past, all, more) }); err != nil {
			return err
		}
		if going {
			return &exit{code: exitDegraded}
		}
		return nil
	}
	return c
}

// incidentsDocument is what programs read: how far the past is known, and the incidents.
type incidentsDocument struct {
	Schema    int                    `json:"schema"`
	Cluster   string                 `json:"cluster"`
	Now       time.Time              `json:"now"`
	AsOf      time.Time              `json:"as_of"`
	Begun     time.Time              `json:"begun"`
	Incidents []status.FleetIncident `json:"incidents"`
}

// past asks for the last 90 days, and for what stands.
func (r *reading) past(ctx context.Context) (status.Past, status.Page, error) {
	agent, err := r.ask()
	if err != nil {
		return status.Past{}, status.Page{}, err
	}
	defer agent.Close()
	ctx, cancel := context.WithTimeout(ctx, askPatience)
	defer cancel()
	past, err := agent.History(ctx, status.Day)
	if err != nil {
		return past, status.Page{}, err
	}
	answer, err := agent.Get(ctx, client.PageDocument)
	return past, answer.Page, err
}

func (r *reading) incidentIDs(ctx context.Context) (ids []string) {
	past, _, err := r.past(ctx)
	if err != nil {
		return nil
	}
	for _, x := range past.Incidents() {
		if x.ID != "" {
			ids = append(ids, x.ID)
		}
	}
	return ids
}

func printIncidents(p *printer, past status.Past, list []status.FleetIncident, more int) {
	none := "There were no incidents since " + moment(past.Begun) + "."
	if past.Begun.IsZero() {
		none = "Nothing is known of the past yet: the agent counts from its first fact on."
	}
	table(p, none, list, []column[status.FleetIncident]{
		{title: "INCIDENT", of: func(x status.FleetIncident) cell { return word(x.ID) }},
		{title: "BEGUN", of: func(x status.FleetIncident) cell { return text("%s", moment(x.Begun)) }},
		{title: "STATE", of: func(x status.FleetIncident) cell {
			if x.Open() {
				return cell{"goes on", bad}
			}
			return cell{"resolved", good}
		}},
		{title: "TOOK", of: func(x status.FleetIncident) cell {
			c := text("%s", span(x.Took(past.AsOf)))
			if x.Took(past.AsOf) > status.RecoveryGoal {
				c.tone = bad
			}
			return c
		}},
		{title: "IMPACT", of: impactCell},
		{title: "SLOTS", of: func(x status.FleetIncident) cell { return text("%s", fewOf(x.Slots, p.wide)) }},
		{title: "MEMBERS", of: func(x status.FleetIncident) cell { return text("%s", fewOf(x.Members(), p.wide)) }},
		{title: "CASES", of: func(x status.FleetIncident) cell { return text("%s", fewOf(x.Cases(), p.wide)) }},
		{title: "POOLS", wide: true, of: func(x status.FleetIncident) cell { return word(join(x.Pools)) }},
		{title: "HELD", wide: true, of: func(x status.FleetIncident) cell {
			held := status.Millis(0)
			for _, o := range x.Outages {
				held = max(held, o.Held)
			}
			if held == 0 {
				return cell{}
			}
			return text("%s", span(held.Duration()))
		}},
	})
	if more > 0 {
		p.line("and %d older ones: --last 0 lists all.", more)
	}
}

func impactCell(x status.FleetIncident) cell {
	switch x.Impact {
	case status.CriticalImpact, status.MajorImpact:
		return cell{string(x.Impact), bad}
	default:
		return cell{string(x.Impact), warn}
	}
}

// fewOf lists names, in the narrow table the first three alone.
func fewOf[T ~string](names []T, all bool) string {
	if all || len(names) <= 3 {
		return join(names)
	}
	return fmt.Sprintf("%s and %d more", join(names[:3]), len(names)-3)
}

// incident tells one.
func (r *reading) incident(past status.Past, page status.Page, id string) error {
	var known []string
	for _, x := range past.Incidents() {
		if strings.EqualFold(x.ID, id) && id != "" {
			told := toldIncident{status.Schema, x, storyOf(x, page)}
			raw, err := json.Marshal(told)
			if err != nil {
				return fmt.Errorf("print the incident: %w", err)
			}
			if err := r.print(raw, func(p *printer) { printIncident(p, past, told) }); err != nil {
				return err
			}
			if x.Open() {
				return &exit{code: exitDegraded}
			}
			return nil
		}
		if x.ID != "" {
			known = append(known, x.ID)
		}
	}
	if len(known) == 0 {
		return fmt.Errorf("incident %q: there were none since %s", id, moment(past.Begun))
	}
	return fmt.Errorf("incident %q: there is none of that number; the last ones are %s ('moonwatch incidents --last 0' lists all)",
		id, strings.Join(known[:min(len(known), 5)], ", "))
}

type toldIncident struct {
	Schema   int                  `json:"schema"`
	Incident status.FleetIncident `json:"incident"`
	Story    []passed             `json:"story"`
}
