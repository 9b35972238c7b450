package main

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"moonwatch/failover"
	"moonwatch/internal/client"
	"moonwatch/internal/strict"
	"moonwatch/status"
)

// moving is one run of drain, undrain, switchover, vacate or fill.
type moving struct {
	*order
	to     string
	dryRun bool
	detach bool
}

func (a *app) moveCommands() []*cobra.Command {
	drain := &cobra.Command{
		Use:   "drain SLOT|MEMBER",
		Short: "Take the traffic of a slot away from its occupant",
		Long: `Take the traffic of a slot away from its occupant until 'moonwatch undrain' gives
it back. The service goes on running, and nobody else is put in: that is what
'moonwatch switchover' does. It is refused where fewer than half of the pool's
slots would go on serving, and always for the last one.

Exit codes: 0 drained, 1 error, 4 no council quorum, 5 refused by policy (with
--dry-run: would be refused).`,
		Example: "  moonwatch drain web-3 --reason 'new kernel'\n  moonwatch drain slot-2 --dry-run",
		Args:    exactly("SLOT|MEMBER"),
	}
	undrain := &cobra.Command{
		Use: "undrain SLOT|MEMBER", Short: "Give a drained slot its traffic back",
		Long:    "Give a slot the traffic back that 'moonwatch drain' took away.",
		Example: "  moonwatch undrain web-3", Args: exactly("SLOT|MEMBER"),
	}
	switchover := &cobra.Command{
		Use:   "switchover SLOT|MEMBER",
		Short: "Move a slot from an occupant that is well to a spare",
		Long: `Move a slot from an occupant that is well to a spare, in the steps of a failover:
the spare serves first, then the old occupant stops and is a spare itself. It
prints each step as it is taken and ends when the slot has moved; Ctrl-C only
stops the watching, and the switchover goes on.

Exit codes: 0 moved, 1 error or given up, 4 no council quorum, 5 refused by
policy (with --dry-run: would be refused).`,
		Example: "  moonwatch switchover web-3 --reason 'new kernel'\n  moonwatch switchover slot-2 --to spare-1 --dry-run",
		Args:    exactly("SLOT|MEMBER"),
	}
	vacate := &cobra.Command{
		Use:   "vacate SLOT|MEMBER",
		Short: "Take a drained slot away from its occupant, and give it to nobody",
		Long: `Take a drained slot away from an occupant that is well. The occupant stops it and
is a spare again; the slot stays vacant until 'moonwatch fill', whatever fleet.yaml
is applied meanwhile. So a pool shrinks: drain its last slot (fleet.yaml counts them:
of 'web: 5' that is web-4), vacate it, lower the number in fleet.yaml and apply that.
It ends when the occupant has said that it stopped the slot; Ctrl-C only stops the
waiting.

Exit codes: 0 vacant and stopped, 1 error, 4 no council quorum, 5 refused by policy
(with --dry-run: would be refused).`,
		Example: "  moonwatch drain web-4 --reason 'four slots will do'\n  moonwatch vacate web-4 --reason 'four slots will do'",
		Args:    exactly("SLOT|MEMBER"),
	}
	fill := &cobra.Command{
		Use:   "fill SLOT",
		Short: "Give a vacant slot to the first free spare of its pool",
		Long: `Give a vacant slot to the first member of its pool, in the order of fleet.yaml,
that is a spare and that nothing keeps from it. It is refused while somebody else
may still run the slot.

Exit codes: 0 filled, 1 error, 4 no council quorum, 5 refused by policy (with
--dry-run: would be refused).`,
		Example: "  moonwatch fill web-3 --reason 'four slots did not do'\n  moonwatch fill web-3 --dry-run",
		Args:    exactly("SLOT"),
	}
	all := []*cobra.Command{drain, undrain, switchover, vacate, fill}
	for _, c := range all {
		x := &moving{order: a.order(c)}
		c.Flags().BoolVar(&x.dryRun, "dry-run", false, "print what would be done, and end")
		do := x.drain
		switch c {
		case vacate:
			c.Flags().BoolVar(&x.detach, "detach", false, "do not wait until it is stopped")
			do = x.vacate
		case fill:
			do = x.fill
		case undrain:
			do = x.undrain
		case switchover:
			c.Flags().StringVar(&x.to, "to", "", "this spare and no other (default: the best free one)")
			c.Flags().BoolVar(&x.detach, "detach", false, "do not wait for its end")
			do = x.switchover
		}
		c.RunE = func(c *cobra.Command, args []string) error { return do(c.Context(), args[0]) }
	}
	return all
}

func (x *moving) drain(ctx context.Context, name string) error {
	return x.traffic(ctx, name, false)
}

func (x *moving) undrain(ctx context.Context, name string) error {
	return x.traffic(ctx, name, true)
}

// begin asks the agent for its page and finds the slot that is meant.
func (x *moving) begin(ctx context.Context, name string, wantsReason bool) (*client.Client, *status.Page, status.Slot, error) {
	if wantsReason && !x.dryRun && strings.TrimSpace(x.reason) == "" {
		return nil, nil, status.Slot{}, usage("--reason is missing: whoever meets it has to know what it is for")
	}
	agent, err := x.ask()
	if err != nil {
		return nil, nil, status.Slot{}, err
	}
	page, err := x.look(ctx, agent)
	if err != nil {
		agent.Close()
		return nil, nil, status.Slot{}, err
	}
	s, err := slotNamed(page, name)
	if err != nil {
		agent.Close()
	}
	return agent, page, s, err
}

// slotNamed finds a slot by its name or by its occupant's.
func slotNamed(page *status.Page, name string) (status.Slot, error) {
	var known []string
	for _, s := range page.Slots {
		if string(s.ID) == name {
			return s, nil
		}
		known = append(known, string(s.ID), string(s.Occupant))
	}
	for _, s := range page.Slots {
		if string(s.Occupant) == name {
			return s, nil
		}
	}
	for _, m := range page.Members {
		if string(m.ID) == name {
			return status.Slot{}, withCode(exitRefused, fmt.Errorf("%s holds no slot: its duty is %q", name, m.Duty))
		}
	}
	if near := strict.Nearest(name, known); near != "" {
		return status.Slot{}, usage("there is no slot or member %q, did you mean %s?", name, near)
	}
	return status.Slot{}, usage("there is no slot or member %q: 'moonwatch slots' lists them", name)
}

// traffic drains or undrains.
func (x *moving) traffic(ctx context.Context, name string, back bool) error {
	agent, page, s, err := x.begin(ctx, name, !back)
	if err != nil {
		return err
	}
	defer agent.Close()
	p := failover.DrainOrdered{Slot: s.ID, Subject: s.Occupant, Epoch: s.Epoch, Back: back, Reason: x.reason}
	if x.dryRun {
		return x.rehearse(ctx, agent, "drain", p)
	}
	o, err := x.send(ctx, agent, page, failover.KindDrain, p)
	if err != nil {
		return err
	}
	text := fmt.Sprintf("%s is drained since fact %d: the doors send nothing new to %s. 'moonwatch undrain %s' gives it back.", s.ID, o.Fact, s.Occupant, s.ID)
	if back {
		text = fmt.Sprintf("%s has its traffic again since fact %d.", s.ID, o.Fact)
	}
	return x.tell(o, text)
}

func (x *moving) switchover(ctx context.Context, name string) error {
	agent, page, s, err := x.begin(ctx, name, true)
	if err != nil {
		return err
	}
	defer agent.Close()
	p := failover.SwitchoverOrdered{Slot: s.ID, Subject: s.Occupant, Epoch: s.Epoch, Reason: x.reason}
	if x.to != "" {
		for _, m := range page.Members {
			if string(m.ID) == x.to {
				p.To = m.ID
			}
		}
		if p.To == "" {
			return usage("there is no member %q for --to", x.to)
		}
	}
	if x.dryRun {
		return x.rehearse(ctx, agent, "switchover", p)
	}
	o, err := x.send(ctx, agent, page, failover.KindSwitchover, p)
	if err != nil {
		return err
	}
	id := fmt.Sprintf("C-%d", o.Fact)
	if x.detach {
		return x.tell(o, fmt.Sprintf("%s goes on: 'moonwatch explain %s' tells how far it is.", id, id))
	}
	return x.follow(ctx, agent, id)
}

// rehearse prints what an order would lead to.
func (x *moving) rehearse(ctx context.Context, agent *client.Client, what string, p any) error {
	ctx, cancel := context.WithTimeout(ctx, askPatience)
	defer cancel()
	r, err := agent.Rehearse(ctx, what, p)
	if err != nil {
		return err
	}
	raw, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("print the answer: %w", err)
	}
	err = x.print(raw, func(p *printer) {
		for i, s := range r.Steps {
			p.line("%d. %s", i+1, s)
		}
		if r.Refused != "" {
			p.line("The council would refuse it: %s", r.Refused)
		}
	})
	if err == nil && r.Refused != "" {
		return &exit{code: exitRefused}
	}
	return err
}

// follow prints each step of a case as it is taken, until its end.
func (x *moving) follow(ctx context.Context, agent *client.Client, id string) error {
	goesOn := fmt.Errorf("no longer watching: %s goes on; 'moonwatch explain %s' tells how far it is", id, id)
	told := 0
	return askUntil(ctx, agent, client.FailoversDocument, goesOn, func(page status.Page) (ended bool, err error) {
		i := slices.IndexFunc(page.Cases, func(c status.Case) bool { return c.ID == id })
		if i < 0 {
			return false, nil
		}
		c := page.Cases[i]
		for _, step := range c.Passages[min(told, len(c.Passages)):] {
			x.step(c, step)
		}
		told = len(c.Passages)
		switch {
		case c.Open && c.State == failover.Escalated:
			return true, fmt.Errorf("%s: people are called: %s; 'moonwatch explain %s' tells more", id, c.Why, id)
		case c.Open:
			return false, nil
		case c.Outcome == failover.OutcomeAborted:
			return true, fmt.Errorf("%s was given up, %s still serves %s", id, c.Subject, c.Slot)
		default:
			return true, x.ended(c)
		}
	})
}

// step tells one step on standard error: what came of it is the answer.
func (x *moving) step(c status.Case, p status.Passage) {
	text := string(p.State)
	if p.Held != "" {
		text += " by " + string(p.Held)
	}
	if p.Detail != "" {
		text += ": " + p.Detail
	}
	fmt.Fprintf(x.app.errw, "%s %s %s\n", p.At.UTC().Format("15:04:05.000"), c.ID, clean(text))
}

func (x *moving) ended(c status.Case) error {
	raw, err := json.Marshal(c)
	if err != nil {
		return fmt.Errorf("print the answer: %w", err)
	}
	return x.print(raw, func(p *printer) {
		p.line("%s: %s serves %s at slot epoch %d, %s after it was ordered.", c.ID, c.Spare, c.Slot, c.NewEpoch, span(cutoverAfter(c)))
	})
}

// cutoverAfter is how long it took until the spare had the slot.
func cutoverAfter(c status.Case) time.Duration {
	for _, p := range c.Passages {
		if p.State == failover.Cutover {
			return p.At.Sub(c.Passages[0].At)
		}
	}
	return 0
}
