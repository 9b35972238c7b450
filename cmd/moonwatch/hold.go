package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"moonwatch/failover"
	"moonwatch/internal/client"
	"moonwatch/internal/strict"
	"moonwatch/status"
)

// holdWord is one of the commands that give a hold.
type holdWord struct {
	kind    failover.HoldKind
	short   string
	long    string
	example string
	lasts   time.Duration // if nothing is said; 0: --for has to be given
}

var holdWords = []holdWord{
	{
		failover.HoldOnly, "Forbid whatever is destructive, here or everywhere",
		`Nothing is restarted, fenced, replaced or used as a spare where a hold binds.
Votes, verdicts, drains and telling people go on; so does a replacement that is
past its fence, and whoever is bound to stop itself.

An operator's key signs it; without one it goes through the socket of this
machine's agent, in whose name it is then given, for at most 8 h.`,
		"  moonwatch hold fleet --reason 'the switch is being replaced' --for 30m\n  moonwatch hold web-3 --reason 'I am looking at its disk'",
		time.Hour,
	},
	{
		failover.Freeze, "Forbid drains as well as whatever is destructive",
		"As hold, and not even traffic is moved. An operator's key has to sign it.",
		"  moonwatch freeze domain:b --reason 'measuring' --for 15m", time.Hour,
	},
	{
		failover.Disarm, "Forbid all action until it is allowed again",
		`As freeze, and without an end unless --for gives one: 'moonwatch resume' arms
again. It lies above what fleet.yaml says of a pool.`,
		"  moonwatch disarm pool:web --reason 'new release, not trusted yet'", 0,
	},
	{
		failover.Maintenance, "Say that people work there",
		`As hold, and members that fall there are no news to the brake: elsewhere lost
slots go on being replaced. No spare is taken from there.`,
		"  moonwatch maintenance domain:b --for 2h --reason 'new power supplies'", 0,
	},
	{
		failover.DryRun, "Write down what would be done, and do nothing",
		"All gates are asked, and what would be done, and with which spare, stands in the case.",
		"  moonwatch dry-run pool:web --for 24h --reason 'before we arm it'", 24 * time.Hour,
	},
}

const scopeHelp = "\n\nSCOPE is fleet, domain:NAME, pool:NAME, or a member."

func (a *app) holdCommands() []*cobra.Command {
	var all []*cobra.Command
	for _, w := range holdWords {
		c := &cobra.Command{
			Use: string(w.kind) + " SCOPE", Short: w.short, Example: w.example, Args: exactly("SCOPE"),
			Long: w.long + scopeHelp + "\n\nExit codes: 0 it stands, 1 error, 4 no council quorum, 5 refused.",
		}
		x := a.order(c)
		lasts := c.Flags().Duration("for", w.lasts, "how long, at most 720h; it ends by itself")
		c.RunE = func(c *cobra.Command, args []string) error { return x.hold(c.Context(), w, args[0], *lasts) }
		all = append(all, c)
	}
	return all
}

func (x *order) hold(ctx context.Context, w holdWord, name string, lasts time.Duration) error {
	switch {
	case strings.TrimSpace(x.reason) == "":
		return usage("--reason is missing: whoever meets the %s has to know what it is for", w.kind)
	case lasts < 0, lasts == 0 && w.kind != failover.Disarm:
		return usage("--for is missing: a %s has an end", w.kind)
	}
	agent, err := x.ask()
	if err != nil {
		return err
	}
	defer agent.Close()
	page, err := x.look(ctx, agent)
	if err != nil {
		return err
	}
	p := failover.HoldGiven{Kind: w.kind, Reason: x.reason}
	if p.Scope, err = scopeOf(page, name); err != nil {
		return err
	}
	if lasts > 0 {
		p.Until = time.Now().Add(lasts).Round(time.Second).UTC()
	}
	outcome, err := x.give(ctx, agent, page, p)
	if err != nil {
		return err
	}
	return x.tell(outcome, fmt.Sprintf("H-%d stands: %s of %s%s.", outcome.Fact, p.Kind, p.Scope, until(p.Until)))
}

// give signs a hold if it can; a plain one needs no signature.
func (x *order) give(ctx context.Context, agent *client.Client, page *status.Page, p failover.HoldGiven) (client.Outcome, error) {
	key, err := loadOperatorKey(x.key, ".")
	if err != nil {
		return client.Outcome{}, err
	}
	if key != nil || p.Kind != failover.HoldOnly {
		return x.send(ctx, agent, page, failover.KindHold, p)
	}
	waiting, cancel := context.WithTimeout(ctx, x.timeout)
	defer cancel()
	id, err := agent.Hold(waiting, p)
	if err != nil {
		return client.Outcome{}, err
	}
	return x.await(ctx, waiting, agent, id)
}

func until(t time.Time) string {
	if t.IsZero() {
		return ", until somebody resumes it"
	}
	return " until " + moment(t)
}

// tell prints what came of an order.
func (x *order) tell(o client.Outcome, text string) error {
	b, err := json.Marshal(o)
	if err != nil {
		return fmt.Errorf("print the answer: %w", err)
	}
	return x.print(b, func(p *printer) { p.line("%s", text) })
}

// scopeOf reads what people call a part of the fleet.
func scopeOf(page *status.Page, name string) (failover.Scope, error) {
	kind, rest, has := strings.Cut(name, ":")
	var domains, pools, members []string
	for _, m := range page.Members {
		members, domains = append(members, string(m.ID)), append(domains, string(m.Domain))
	}
	for _, p := range page.Pools {
		pools = append(pools, p.Name)
	}
	known := func(prefix string, names []string) (failover.Scope, error) {
		for _, n := range names {
			if n == rest {
				return failover.Scope(prefix + ":" + rest), nil
			}
		}
		if near := strict.Nearest(rest, names); near != "" {
			return "", usage("there is no %s %q, did you mean %s?", kind, rest, near)
		}
		return "", usage("there is no %s %q: 'moonwatch members -o wide' lists them", kind, rest)
	}
	switch {
	case name == "fleet":
		return failover.Fleet, nil
	case kind == "domain", kind == "failure-domain":
		return known("domain", domains)
	case kind == "pool":
		return known("pool", pools)
	case kind == "member":
		return known("member", members)
	case !has:
		kind, rest = "member", name
		return known("member", members)
	default:
		return "", usage("SCOPE is %q, want fleet, domain:NAME, pool:NAME or a member", name)
	}
}

func (a *app) holdsCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "holds", Short: "List what people forbid: holds, freezes, disarms, maintenance",
		Example: "  moonwatch holds\n  moonwatch holds -o json | jq .holds", Args: listed,
	}
	r := a.reading(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		answer, err := r.get(c.Context(), client.PageDocument)
		if err != nil {
			return err
		}
		r.noteAge(answer.Page)
		raw, err := json.Marshal(map[string]any{"schema": answer.Page.Schema, "holds": answer.Page.Holds})
		if err != nil {
			return fmt.Errorf("print the answer: %w", err)
		}
		return r.print(raw, func(p *printer) { printHolds(p, answer.Page) })
	}
	return c
}

func printHolds(p *printer, page status.Page) {
	table(p, "Nobody holds anything.", page.Holds, []column[status.Hold]{
		{title: "HOLD", of: func(h status.Hold) cell { return word(h.ID) }},
		{title: "KIND", of: func(h status.Hold) cell { return cell{string(h.Kind), warn} }},
		{title: "SCOPE", of: func(h status.Hold) cell { return word(h.Scope) }},
		{title: "BY", of: func(h status.Hold) cell { return word(h.By) }},
		{title: "ENDS IN", of: func(h status.Hold) cell {
			if h.Until.IsZero() {
				return text("when resumed")
			}
			return text("%s", span(h.Until.Sub(page.Now)))
		}},
		{title: "REASON", of: func(h status.Hold) cell { return word(h.Reason) }},
		{title: "SIGNED", wide: true, of: func(h status.Hold) cell {
			if h.Signed {
				return text("yes")
			}
			return cell{"no", warn}
		}},
		{title: "SINCE", wide: true, of: func(h status.Hold) cell { return since(page.Now, h.Given) }},
	})
}

func (a *app) resumeCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "resume SCOPE|H-N", Aliases: []string{"release"}, SuggestFor: []string{"unhold", "unfreeze", "lift", "arm"},
		Short: "Lift (release) holds, freezes, disarms and maintenance",
		Long: `Lift one hold by its id, or all that stand on a scope. It lets things happen, so
an operator's key has to sign it. 'release' is another name of it; a subdomain
that the shield holds is let go by 'moonwatch shield release'.` + scopeHelp + `

Exit codes: 0 lifted, 1 error, 4 no council quorum, 5 refused.`,
		Example: "  moonwatch resume H-42\n  moonwatch resume pool:web --reason 'the new version is good'\n  moonwatch release fleet --reason 'the switch is back'",
		Args:    exactly("SCOPE|H-N"),
	}
	x := a.order(c)
	c.RunE = func(c *cobra.Command, args []string) error { return x.resume(c.Context(), args[0]) }
	return c
}

func (x *order) resume(ctx context.Context, name string) error {
	agent, err := x.ask()
	if err != nil {
		return err
	}
	defer agent.Close()
	page, err := x.look(ctx, agent)
	if err != nil {
		return err
	}
	var scope failover.Scope
	if !strings.HasPrefix(name, "H-") {
		if scope, err = scopeOf(page, name); err != nil {
			return err
		}
	}
	var last client.Outcome
	var lifted []string
	for _, h := range page.Holds {
		if h.ID != name && h.Scope != scope {
			continue
		}
		if last, err = x.send(ctx, agent, page, failover.KindHoldLifted, failover.HoldLifted{Hold: h.Key, Reason: x.reason}); err != nil {
			return err
		}
		lifted = append(lifted, h.ID)
	}
	if len(lifted) == 0 {
		return errors.New(name + " is held by nobody: 'moonwatch holds' lists what stands")
	}
	return x.tell(last, "Lifted: "+strings.Join(lifted, ", ")+".")
}
