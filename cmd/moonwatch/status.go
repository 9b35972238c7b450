package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"moonwatch/failover"
	"moonwatch/internal/client"
	"moonwatch/status"
)

func (a *app) statusCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "status",
		Short: "Show the mode, the council, the pools and what is wrong",
		Long: `Show what the agent knows of the cluster, the mode first.

Exit codes: 0 all is well, 3 degraded (a mode other than normal, a slot that is
not served, a member under a verdict, too few spares, an open case), 4 the agent
hears of no council quorum.`,
		Example: `  moonwatch status
  moonwatch status -o json | jq -r .mode.name`,
		Args: exactly(),
	}
	r := a.reading(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		answer, err := r.get(c.Context(), client.PageDocument)
		if err != nil {
			return err
		}
		r.noteAge(answer.Page)
		if err := r.print(answer.Raw, func(p *printer) { printStatus(p, answer.Page) }); err != nil {
			return err
		}
		return condition(answer.Page)
	}
	return c
}

// condition turns a page into an exit code; what is wrong has been printed.
func condition(p status.Page) error {
	switch {
	case !p.Council.Quorum:
		return &exit{code: exitNoQuorum}
	case degraded(p):
		return &exit{code: exitDegraded}
	default:
		return nil
	}
}

func degraded(p status.Page) bool {
	if p.Cluster == "" || p.Mode.Name != failover.Normal || len(p.Mode.Scopes) > 0 || p.Knowledge.Blocked != "" {
		return true
	}
	for _, s := range p.Slots {
		if s.State != status.SlotServing {
			return true
		}
	}
	for _, x := range p.Pools {
		if x.Short() {
			return true
		}
	}
	for _, m := range p.Members {
		if m.Verdict != "" {
			return true
		}
	}
	return len(openCases(p)) > 0
}

func openCases(p status.Page) []status.Case {
	var open []status.Case
	for _, c := range p.Cases {
		if c.Open {
			open = append(open, c)
		}
	}
	return open
}

func printStatus(p *printer, page status.Page) {
	m := page.Mode
	var rows [][]cell
	add := func(title string, value cell) { rows = append(rows, []cell{{title, head}, value.orNone()}) }
	more := func(before, words string) {
		if words != "" {
			rows = append(rows, []cell{{}, text("%s%s", before, words)})
		}
	}
	add("Mode", cell{string(m.Name), modeTone(m.Name)})
	more("", m.Means)
	if !m.Since.IsZero() {
		more("since ", fmt.Sprintf("%s, for %s", moment(m.Since), span(page.Now.Sub(m.Since))))
	}
	more("because ", m.Why)
	more("ends when ", m.Ends)
	for _, s := range m.Scopes {
		more("", fmt.Sprintf("%s: %s, because %s", s.Scope, s.Name, s.Why))
	}
	for i, h := range page.Holds {
		if i == 0 {
			add("Holds", cell{h.Line(), warn})
		} else {
			more("", h.Line())
		}
	}
	title := "Approvals"
	for _, r := range page.Requests {
		if r.Open {
			add(title, cell{r.Line(), warn})
			title = ""
		}
	}
	add("Cluster", word(page.Cluster))
	more("", page.Headline)
	add("Council", councilLine(page.Council))
	if page.Council.Swapping {
		more("", "a swap is under way")
	}
	for _, x := range page.Council.Lost {
		more("", fmt.Sprintf("seat %d of %s is lost: %s", x.Seat, x.Member, x.Why))
	}
	more("", page.Council.Waits)
	more("warning: ", page.Council.OneSided)
	add("Knowledge", knowledgeLine(page))
	add("Budget", text("%d of %d replacements under way, %d of %d spent within %s", page.Budget.InFlight, page.Budget.MayFly,
		page.Budget.Spent, page.Budget.MaySpend, span(time.Duration(page.Budget.WindowSeconds*float64(time.Second)))))
	for _, r := range page.Telling.Receivers {
		if !r.Failing.IsZero() && page.Now.Sub(r.Failing) >= status.FailingAfter {
			add("Not told", cell{fmt.Sprintf("receiver %s has failed for %s, %d messages wait: %s", r.Name, span(page.Now.Sub(r.Failing)), r.Waiting, r.Err), bad})
		}
	}
	for _, x := range status.Endings(page) {
		tone := warn
		if x.Urgent(page.Now) {
			tone = bad
		}
		title := "Certificate"
		for _, line := range x.Lines(page.Now) {
			add(title, cell{line, tone})
			title = ""
		}
	}
	add("Asked", text("%s%s, at %s", page.Self.Name, standing(page.Self), moment(page.Now)))
	p.grid(rows)

	p.line("")
	printPools(p, page)
	if open := openCases(page); len(open) > 0 {
		p.line("")
		only := page
		only.Cases = open
		printFailovers(p, only)
	}
	if troubled := inTrouble(page); len(troubled.Members) > 0 {
		p.line("")
		printMembers(p, troubled)
	}
}

func councilLine(c status.Council) cell {
	seats := ""
	if len(c.Councillors) > 0 {
		seats = " (" + strings.ReplaceAll(join(c.Councillors), ",", ", ") + ")"
	}
	switch {
	case !c.Quorum:
		return cell{"no quorum is heard" + seats, bad}
	case c.Leader == "":
		return cell{"has a quorum and no leader yet" + seats, warn}
	default:
		return text("%s leads in term %d%s", c.Leader, c.Term, seats)
	}
}

func knowledgeLine(page status.Page) cell {
	k := page.Knowledge
	switch {
	case k.Blocked != "":
		return cell{k.Blocked, bad}
	case k.Head == 0:
		return cell{"none: the ledger is empty", bad}
	case k.Current:
		return text("current, fact %d", k.Head)
	default:
		return cell{text("%s old, fact %d: nothing after %s is known", span(k.Age(page.Now)), k.Head, moment(k.AsOf)).text, bad}
	}
}

func standing(s status.Self) string {
	switch {
	case !s.Listed:
		return ", which is in no roster"
	case s.Councillor:
		return ", a councillor"
	default:
		return ""
	}
}

// inTrouble leaves of a page only the members that somebody should look at.
func inTrouble(page status.Page) status.Page {
	all := page.Members
	page.Members = nil
	for _, m := range all {
		if m.Trouble() {
			page.Members = append(page.Members, m)
		}
	}
	return page
}
