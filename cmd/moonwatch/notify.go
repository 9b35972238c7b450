package main

import (
	"cmp"
	"context"
	"time"

	"github.com/spf13/cobra"

	"moonwatch/internal/strict"
	"moonwatch/status"
)

// tryPatience is how long an agent may take to try its receivers: it bounds that by 10 s.
const tryPatience = 15 * time.Second

func (a *app) notifyCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "notify",
		Short: "Show whom people are told through, and try it out",
		Long: `Show the receivers that fleet.yaml names (notify:) and how they do, or send them a
message to see whether it arrives. Ask an agent at its socket.`,
		Example: `  moonwatch notify list
  moonwatch notify test
  moonwatch notify test pager -o json`,
	}
	c.AddCommand(a.notifyListCommand(), a.notifyTestCommand())
	return group(c)
}

func (a *app) notifyListCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "list",
		Short: "List the receivers, who tells them, and which of them fail",
		Long: `List the receivers, who tells them, and which of them fail. How many matters wait for a
receiver, and what it answers, is known to the member that is on duty: ask its agent.`,
		Example: "  moonwatch notify list\n  moonwatch notify list -o json",
		Args:    exactly(),
	}
	r := a.reading(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		agent, err := r.ask()
		if err != nil {
			return err
		}
		defer agent.Close()
		ctx, cancel := context.WithTimeout(c.Context(), askPatience)
		defer cancel()
		doc, raw, err := agent.Notify(ctx)
		if err != nil {
			return err
		}
		return r.print(raw, func(p *printer) { printNotify(p, doc) })
	}
	return c
}

func printNotify(p *printer, d status.NotifyDocument) {
	duty := d.OnDuty == d.Self
	table(p, "Nobody is told: fleet.yaml names no receivers (notify:).", d.Receivers, []column[status.NotifyReceiver]{
		{title: "RECEIVER", of: func(x status.NotifyReceiver) cell { return word(x.Name) }},
		{title: "KIND", of: func(x status.NotifyReceiver) cell { return word(x.Kind) }},
		{title: "TO", of: func(x status.NotifyReceiver) cell { return cell{clean(x.To), plain} }},
		{title: "WAITING", of: func(x status.NotifyReceiver) cell {
			if !duty {
				return cell{}
			}
			return count(x.Waiting)
		}},
		{title: "STATE", of: func(x status.NotifyReceiver) cell {
			switch {
			case !duty:
				return cell{"known to " + clean(string(cmp.Or(d.OnDuty, "nobody"))), plain}
			case x.Failing.IsZero():
				return cell{"well", good}
			default:
				return cell{"fails for " + since(d.Now, x.Failing).text + ": " + clean(x.Err), bad}
			}
		}},
	})
	if len(d.Receivers) == 0 {
		return
	}
	p.line("")
	who := "any member, by name"
	if len(d.On) > 0 {
		who = join(d.On)
	}
	p.line("%s is on duty; who may be: %s.", clean(string(d.OnDuty)), clean(who))
	if d.Dropped > 0 {
		p.line("%d matters were forgotten before every receiver had heard of them.", d.Dropped)
	}
}

func (a *app) notifyTestCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "test [RECEIVER...]",
		Short: "Send a message to receivers, and say whether each took it",
		Long: `Have an agent send a message to the receivers that are named, or to all, and say how
that ended with each. The agent sends it whether it is on duty or not: try it on each
member that may be (notify.on), for each has its own files and its own network. The
message says that it is a test; an Alertmanager ends its alert after a minute.

Exit codes: 0 all took it, 1 error, 3 at least one did not, or not everywhere.`,
		Example: `  moonwatch notify test
  moonwatch notify test ops pager
  moonwatch notify test --agent unix:/run/moonwatch/agent.sock -o json`,
		Args: cobra.ArbitraryArgs,
	}
	r := a.readingOnce(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		agent, err := r.ask()
		if err != nil {
			return err
		}
		defer agent.Close()
		ctx, cancel := context.WithTimeout(c.Context(), tryPatience)
		defer cancel()
		doc, raw, err := agent.NotifyTest(ctx, args)
		if err != nil {
			return err
		}
		if err := r.print(raw, func(p *printer) { printNotifyTest(p, doc) }); err != nil {
			return err
		}
		for _, x := range doc.Results {
			if x.Result != status.TriedTold {
				return &exit{code: exitDegraded}
			}
		}
		return nil
	}
	return c
}

func printNotifyTest(p *printer, d status.NotifyTest) {
	var kinds []string
	table(p, "There is nobody to tell.", d.Results, []column[status.NotifyTried]{
		{title: "RECEIVER", of: func(x status.NotifyTried) cell { return word(x.Name) }},
		{title: "KIND", of: func(x status.NotifyTried) cell { return word(x.Kind) }},
		{title: "TO", wide: true, of: func(x status.NotifyTried) cell { return cell{clean(x.To), plain} }},
		{title: "RESULT", of: func(x status.NotifyTried) cell {
			switch x.Result {
			case status.TriedTold:
				kinds = append(kinds, x.Name)
				return cell{"told", good}
			case status.TriedPartly:
				return cell{"told in part", warn}
			default:
				return cell{"not told", bad}
			}
		}},
		{title: "TOOK", of: func(x status.NotifyTried) cell { return text("%s", span(time.Duration(x.TookMS)*time.Millisecond)) }},
		{title: "WHY", of: func(x status.NotifyTried) cell { return cell{clean(x.Err), plain} }},
	})
	p.line("")
	if len(kinds) > 0 {
		p.line("%s sent it. Look whether it is there: %s took it.", clean(string(d.Teller)), clean(strict.Words(kinds, "and")))
		return
	}
	p.line("%s sent it, and nobody took it.", clean(string(d.Teller)))
}
