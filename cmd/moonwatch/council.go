package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"moonwatch/status"
)

func (a *app) councilCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "council",
		Short: "Show who sits in the council, and how they are",
		Long: `Show the councillors, who vote, and the learners, who are kept warm to take the seat
of one that is lost: a minute after the verdict on it, one at a time, never in a
cascade.

The agent asks each of them as it answers, so their clocks and heads are of now.
How far their logs are only the leader knows: ask its socket for the MATCH.

Exit codes: 0 all is well, 3 a seat is lost, not heard or its clock is off by more
than 2 s, 4 the agent hears of no council quorum.`,
		Example: "  moonwatch council\n  moonwatch council -o json | jq '.seats[] | select(.lost)'",
		Args:    exactly(),
	}
	c.AddCommand(a.recoverCommand())
	r := a.reading(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		return r.council(c.Context())
	}
	return c
}

// clockMax is by how much a councillor's clock may be off before it may not lead
// (PROTOCOL 8).
const clockMax = 2 * time.Second

func (r *reading) council(ctx context.Context) error {
	agent, err := r.ask()
	if err != nil {
		return err
	}
	defer agent.Close()
	ctx, cancel := context.WithTimeout(ctx, pagePatience)
	defer cancel()
	doc, raw, err := agent.Council(ctx)
	if err != nil {
		return err
	}
	r.noteAge(status.Page{Now: doc.Now, Knowledge: doc.Knowledge})
	if err := r.print(raw, func(p *printer) { printCouncil(p, doc) }); err != nil {
		return err
	}
	switch {
	case !doc.Council.Quorum:
		return &exit{code: exitNoQuorum}
	case len(doc.Council.Lost) > 0 || ailing(doc.Seats):
		return &exit{code: exitDegraded}
	default:
		return nil
	}
}

func ailing(seats []status.Seat) bool {
	for _, s := range seats {
		if !s.Heard || s.DiskFull || off(s) {
			return true
		}
	}
	return false
}

func off(s status.Seat) bool {
	return time.Duration(s.ClockAhead*float64(time.Second)).Abs() > clockMax
}

func printCouncil(p *printer, doc status.CouncilDocument) {
	c := doc.Council
	p.grid([][]cell{{{"Council", head}, councilLine(c)}})
	if c.OneSided != "" {
		p.line("warning: %s", c.OneSided)
	}
	if c.Swapping {
		p.line("A swap is under way: until it is done both councils have a say.")
	}
	if c.Waits != "" {
		p.line("%s.", c.Waits)
	}
	p.line("")
	table(p, "There is no council yet.", doc.Seats, []column[status.Seat]{
		{title: "SEAT", of: func(s status.Seat) cell { return text("%d", s.Seat) }},
		{title: "MEMBER", of: func(s status.Seat) cell { return word(s.Member) }},
		{title: "FAILURE DOMAIN", of: func(s status.Seat) cell { return word(s.Domain) }},
		{title: "ROLE", of: func(s status.Seat) cell {
			if s.Leader {
				return cell{"leader", good}
			}
			return word(s.Role)
		}},
		{title: "STATE", of: func(s status.Seat) cell {
			switch {
			case s.Lost != "":
				return cell{"lost: " + s.Lost, bad}
			case !s.Heard:
				return cell{"not heard", bad}
			case s.DiskFull:
				return cell{"its disk is full", bad}
			case off(s):
				return cell{"may not lead: its clock is off", warn}
			default:
				return cell{"well", good}
			}
		}},
		{title: "HEAD", of: func(s status.Seat) cell { return fact(s.Head) }},
		{title: "MATCH", of: func(s status.Seat) cell { return fact(s.Match) }},
		{title: "CLOCK", of: func(s status.Seat) cell {
			if !s.Heard {
				return cell{}
			}
			return text("%+.3fs", s.ClockAhead)
		}},
	})
}

func fact(n uint64) cell {
	if n == 0 {
		return cell{}
	}
	return cell{text: fmt.Sprint(n)}
}
