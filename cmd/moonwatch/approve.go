package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"moonwatch/failover"
	"moonwatch/internal/client"
	"moonwatch/status"
)

// asking is one run of a command about what takes two people.
type asking struct {
	*order
	lasts  time.Duration
	alone  bool
	dryRun bool
	plan   string
}

const askedCodes = "\n\nExit codes: 0 done, 1 error, 2 usage, 4 no council quorum, 5 refused."

func (a *app) requestCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "request",
		Short: "Ask for what takes two people",
		Long: `Ask for what neither the machine nor one person decides alone. The exact plan is
shown and hashed; another operator who is shown the same approves it within 10
minutes ('moonwatch approve'), and it is void as soon as slot epoch, verdict or
pool of a case are not the same any more. With --alone nobody else is needed: it
is announced at once, and takes effect after 15 minutes unless another operator
vetoes it ('moonwatch reject').`,
		Example: `  moonwatch request override C-12 --reason 'both racks were moved on purpose'
  moonwatch request fenced C-12 --reason 'I have pulled the plug of db-1'`,
	}
	override := &cobra.Command{
		Use:   "override C-N|SCOPE",
		Short: "Let cases go on that the brake holds",
		Long: `Let one case go on in spite of brake and budget, or the cases that are open in a
scope now in spite of the brake. All other gates are asked as ever: holds,
arming, the second roll call, the fence, the spares.` + scopeHelp + askedCodes,
		Example: `  moonwatch request override C-12 --reason 'both racks were moved on purpose' --dry-run
  moonwatch request override pool:web --for 30m --reason 'the switch is dead, we need the spares'
  moonwatch request override C-12 --alone --reason 'nobody else is awake'`,
		Args: exactly("C-N|SCOPE"),
	}
	fenced := &cobra.Command{
		Use:   "fenced C-N",
		Short: "Say that an old occupant is off, where nothing else proves it",
		Long: `Say that the member that a case has to fence does no harm any more: its power was
pulled, its disk is out, it was reinstalled. Two people who have both made sure
are the fence proof of the case. If they are wrong, a slot may run twice.` + askedCodes,
		Example: "  moonwatch request fenced C-12 --reason 'I have pulled the plug of db-1'",
		Args:    exactly("C-N"),
	}
	reserve := &cobra.Command{
		Use:   "reserve C-N",
		Short: "Give a case one of the spares that its pool keeps in reserve",
		Long: `Let a case that is held by its pool's reserve have a spare all the same. It is for
this case alone: the next one waits again. All other gates are asked as ever.` + askedCodes,
		Example: `  moonwatch request reserve C-12 --reason 'two more come tomorrow' --dry-run
  moonwatch request reserve C-12 --reason 'two more come tomorrow'`,
		Args: exactly("C-N"),
	}
	forced := &cobra.Command{
		Use:   "failover SLOT|MEMBER",
		Short: "Have a slot fail over whose occupant is well by the votes",
		Long: `Have a slot fail over although its occupant answers: people see what no probe
does. It is drained at once, fenced, replaced, and has a strike and its burn-in
before it; all gates of a failover are asked but for the evidence. What was asked for
is void as soon as there is a new verdict on the member, or another occupant.
'moonwatch switchover' moves a slot in order, and takes one person.` + askedCodes,
		Example: `  moonwatch request failover web-3 --reason 'it serves yesterday'\''s prices' --dry-run
  moonwatch request failover web-3 --reason 'its disk lies' --for 30m`,
		Args: exactly("SLOT|MEMBER"),
	}
	for _, sub := range []struct {
		*cobra.Command
		act failover.Act
	}{{override, failover.ActOverride}, {fenced, failover.ActFenced}, {reserve, failover.ActReserve}, {forced, failover.ActFailover}} {
		x := &asking{order: a.order(sub.Command)}
		f := sub.Flags()
		f.DurationVar(&x.lasts, "for", 10*time.Minute, "how long it may be made use of, 1m to 1h")
		f.BoolVar(&x.alone, "alone", false, "without a second operator: announced, and in force after 15m unless vetoed")
		f.BoolVar(&x.dryRun, "dry-run", false, "print the plan, and end")
		sub.RunE = func(c *cobra.Command, args []string) error { return x.request(c.Context(), sub.act, args[0]) }
		c.AddCommand(sub.Command)
	}
	return group(c)
}

func (x *asking) request(ctx context.Context, act failover.Act, name string) error {
	if !x.dryRun && strings.TrimSpace(x.reason) == "" {
		return usage("--reason is missing: whoever approves it has to know what it is for")
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
	p := failover.Requested{Act: act, For: x.lasts, Alone: x.alone, Reason: x.reason}
	if err := about(page, &p, name); err != nil {
		return err
	}
	r, err := x.rehearsed(ctx, agent, p)
	if err != nil {
		return err
	}
	if r.Refused != "" {
		return withCode(exitRefused, errors.New("the council would refuse it: "+r.Refused))
	}
	p.Plan = r.Plan
	if x.dryRun {
		return x.shown(r)
	}
	for i, s := range r.Steps {
		fmt.Fprintf(x.app.errw, "%d. %s\n", i+1, clean(s))
	}
	o, err := x.send(ctx, agent, page, failover.KindRequest, p)
	if err != nil {
		return err
	}
	text := fmt.Sprintf("R-%d waits for another operator: 'moonwatch approve R-%d --plan %s'.", o.Fact, o.Fact, failover.Short(p.Plan))
	if p.Alone {
		text = fmt.Sprintf("R-%d takes effect in %v unless another operator vetoes it: 'moonwatch reject R-%d'.", o.Fact, failover.AloneAfter, o.Fact)
	}
	return x.tell(o, text)
}

// about reads what a request is about: a slot, a case or a scope.
func about(page *status.Page, p *failover.Requested, name string) (err error) {
	if p.Act == failover.ActFailover {
		s, err := slotNamed(page, name)
		p.Slot = s.ID
		return err
	}
	if p.Case, err = numbered("C", name); err == nil || p.Act != failover.ActOverride {
		return err
	}
	if p.Scope, err = scopeOf(page, name); err != nil {
		return err
	}
	if kind, member, _ := strings.Cut(string(p.Scope), ":"); kind == "member" {
		return usage("%s is a member: name its case, or a scope", member)
	}
	return nil
}

// rehearsed asks the agent for the plan of a request.
func (x *asking) rehearsed(ctx context.Context, agent *client.Client, p failover.Requested) (failover.Rehearsal, error) {
	ctx, cancel := context.WithTimeout(ctx, askPatience)
	defer cancel()
	return agent.Rehearse(ctx, "request", p)
}

// shown prints a plan and nothing else.
func (x *asking) shown(r failover.Rehearsal) error {
	raw, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("print the answer: %w", err)
	}
	return x.print(raw, func(p *printer) {
		for i, s := range r.Steps {
			p.line("%d. %s", i+1, s)
		}
		p.line("Plan %s.", failover.Short(r.Plan))
	})
}

// numbered reads C-12 or R-12.
func numbered(kind, id string) (uint64, error) {
	k, number, _ := strings.Cut(strings.ToUpper(id), "-")
	n, err := strconv.ParseUint(number, 10, 64)
	if k != kind || err != nil || n == 0 {
		return 0, usage("%q is no id, want one like %s-12", id, kind)
	}
	return n, nil
}

func (a *app) approveCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "approve R-N",
		Short: "Approve what another operator asked for",
		Long: `Approve a request of another operator. What is signed is the hash of the plan
that is shown; --plan insists on the one that the other operator read out to you.` + askedCodes,
		Example: "  moonwatch approve R-14 --dry-run\n  moonwatch approve R-14 --plan 3f9c2a77e1b0",
		Args:    exactly("R-N"),
	}
	x := &asking{order: a.order(c)}
	c.Flags().StringVar(&x.plan, "plan", "", "hash of the plan that is meant, its first 12 digits or all; another one is not approved")
	c.Flags().BoolVar(&x.dryRun, "dry-run", false, "print what would be approved, and end")
	c.ValidArgsFunction = x.open
	c.RunE = func(c *cobra.Command, args []string) error { return x.answer(c.Context(), args[0], true) }
	return c
}

func (a *app) rejectCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "reject R-N",
		Short: "Reject what another operator asked for, veto it, or take it back",
		Long: `Reject a request: one that waits, one that somebody made alone and that is not in
force yet, or one in force, whose cases are held again if they are not past the
fence. Every operator may, also the one who made it. A failover that was forced
is given up, and its occupant started anew, as long as nothing proves that it has
stopped; from then on it goes on, and the answer says so.` + askedCodes,
		Example: "  moonwatch reject R-14 --reason 'the rack is coming back'",
		Args:    exactly("R-N"),
	}
	x := &asking{order: a.order(c)}
	c.ValidArgsFunction = x.open
	c.RunE = func(c *cobra.Command, args []string) error { return x.answer(c.Context(), args[0], false) }
	return c
}

// open lists the requests that can be answered, for completion.
func (x *asking) open(c *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	var ids []string
	if a, err := x.get(c.Context(), client.PageDocument); err == nil && len(args) == 0 {
		for _, r := range a.Page.Requests {
			if r.Open {
				ids = append(ids, r.ID)
			}
		}
	}
	return ids, cobra.ShellCompDirectiveNoFileComp
}

func (x *asking) answer(ctx context.Context, id string, approve bool) error {
	n, err := numbered("R", id)
	switch {
	case err != nil:
		return err
	case !approve && strings.TrimSpace(x.reason) == "":
		return usage("--reason is missing: whoever asked has to know why not")
	case x.plan != "" && len(x.plan) < len(failover.Short(strings.Repeat("0", 64))):
		return usage("--plan is %q, want at least 12 digits of the hash", x.plan)
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
	p := failover.Answered{Request: n, Approve: approve, Reason: x.reason}
	var r status.Request
	for _, y := range page.Requests {
		if y.Index == n {
			r = y
		}
	}
	if r.ID == "" {
		return fmt.Errorf("the agent knows no request R-%d: 'moonwatch approvals' lists them", n)
	}
	if approve {
		if p.Plan = r.Plan; !strings.HasPrefix(r.Plan, strings.ToLower(x.plan)) {
			return withCode(exitRefused, fmt.Errorf("%s is for plan %s, and you mean %s: two have to mean the same. Nothing was approved", r.ID, failover.Short(r.Plan), x.plan))
		}
		if x.dryRun {
			return x.shown(failover.Rehearsal{Steps: r.Steps, Plan: r.Plan})
		}
		for i, s := range r.Steps {
			fmt.Fprintf(x.app.errw, "%d. %s\n", i+1, clean(s))
		}
	}
	o, err := x.send(ctx, agent, page, failover.KindAnswer, p)
	if err != nil {
		return err
	}
	if !approve {
		return x.tell(o, fmt.Sprintf("%s is rejected.%s", r.ID, x.consequence(ctx, agent, n)))
	}
	return x.tell(o, fmt.Sprintf("%s of %s is approved: %s.", r.ID, r.By, r.Asks))
}

// consequence says what becomes of what a rejected request has set going: whoever
// rejects it has to hear what it is too late for.
func (x *asking) consequence(ctx context.Context, agent *client.Client, n uint64) string {
	page, err := x.look(ctx, agent)
	if err != nil {
		return fmt.Sprintf(" What becomes of its cases is not known here (%v): 'moonwatch explain R-%d'.", err, n)
	}
	for _, y := range page.Requests {
		if y.Index == n && y.Consequence != "" {
			return " " + clean(y.Consequence) + "."
		}
	}
	return ""
}

func (a *app) approvalsCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "approvals", Short: "List what people asked for that takes two, open ones first",
		Example: "  moonwatch approvals\n  moonwatch approvals -o json | jq '.requests[] | select(.open)'", Args: listed,
	}
	r := a.reading(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		answer, err := r.get(c.Context(), client.PageDocument)
		if err != nil {
			return err
		}
		r.noteAge(answer.Page)
		raw, err := json.Marshal(map[string]any{"schema": answer.Page.Schema, "requests": answer.Page.Requests})
		if err != nil {
			return fmt.Errorf("print the answer: %w", err)
		}
		return r.print(raw, func(p *printer) { printApprovals(p, answer.Page) })
	}
	return c
}

func printApprovals(p *printer, page status.Page) {
	table(p, "Nobody has asked for anything that takes two.", page.Requests, []column[status.Request]{
		{title: "REQUEST", of: func(r status.Request) cell { return word(r.ID) }},
		{title: "STATE", of: func(r status.Request) cell {
			switch {
			case r.Void != "":
				return cell{string(r.State) + " (void)", warn}
			case r.Open:
				return cell{string(r.State), warn}
			default:
				return word(r.State)
			}
		}},
		{title: "ACT", of: func(r status.Request) cell { return word(r.Act) }},
		{title: "ABOUT", of: func(r status.Request) cell { return word(r.About) }},
		{title: "BY", of: func(r status.Request) cell {
			if r.Alone {
				return text("%s alone", r.By)
			}
			return word(r.By)
		}},
		{title: "ANSWERED BY", of: func(r status.Request) cell { return word(r.AnsweredBy) }},
		{title: "ENDS IN", of: func(r status.Request) cell {
			if r.Ends.IsZero() {
				return cell{}
			}
			return text("%s", span(max(0, r.Ends.Sub(page.Now))))
		}},
		{title: "PLAN", of: func(r status.Request) cell { return word(failover.Short(r.Plan)) }},
		{title: "REASON", of: func(r status.Request) cell { return word(r.Reason) }},
		{title: "SINCE", wide: true, of: func(r status.Request) cell { return since(page.Now, r.Given) }},
		{title: "MEANS", wide: true, of: func(r status.Request) cell {
			if r.Void != "" {
				return word(r.Void)
			}
			return word(r.Means)
		}},
	})
}
