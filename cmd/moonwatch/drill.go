package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"moonwatch/failover"
	"moonwatch/internal/client"
	"moonwatch/internal/strict"
	"moonwatch/member"
	"moonwatch/status"
)

// drilling is one run of drill.
type drilling struct {
	*order
	detach bool
}

func (a *app) drillCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "drill [MEMBER]",
		Short: "Let a spare prepare for a slot and take it back, without going live",
		Long: `Let a spare do a drill: it prepares for a slot of its pool, as it would in a failover,
takes that back, and never goes live. Without a name it is the ready spare whose last
drill is the oldest. It prints how it ended; Ctrl-C only stops the watching.

A spare that fails its drill has a strike, and is not ready until another drill has
succeeded or 'moonwatch spares clear' forgives it. How long it took is what decides
when a second spare prepares beside a first one.

One drill is under way at a time, and only while no case goes on, the brake is off and
nobody holds anything there; whatever happens meanwhile ends it. Pools whose actions
have no 'prepare' do no drills; drill_every in fleet.yaml says how often they do them
by themselves.

Exit codes: 0 it succeeded, 1 it failed or was ended early, 4 no council quorum,
5 refused by policy.`,
		Example: "  moonwatch drill\n  moonwatch drill web-6 --reason 'new image'\n  moonwatch spares",
		Args:    cobra.MaximumNArgs(1),
	}
	x := &drilling{order: a.order(c)}
	c.Flags().BoolVar(&x.detach, "detach", false, "do not wait for its end")
	c.RunE = func(c *cobra.Command, args []string) error { return x.run(c.Context(), strings.Join(args, "")) }
	return c
}

func (x *drilling) run(ctx context.Context, name string) error {
	agent, err := x.ask()
	if err != nil {
		return err
	}
	defer agent.Close()
	page, err := x.look(ctx, agent)
	if err != nil {
		return err
	}
	m, err := drillOf(page, name)
	if err != nil {
		return err
	}
	o, err := x.send(ctx, agent, page, failover.KindDrill, failover.DrillOrdered{Member: m.ID, Reason: x.reason})
	if err != nil {
		return err
	}
	if x.detach {
		return x.tell(o, fmt.Sprintf("%s does a drill: 'moonwatch spares' tells how it ended.", m.ID))
	}
	return x.follow(ctx, agent, m.ID, member.SlotEpoch(o.Fact))
}

// drillOf finds the member that is meant: without a name the ready spare that was not
// drilled for the longest time.
func drillOf(page *status.Page, name string) (status.Member, error) {
	var spares []status.Member
	var known []string
	for _, m := range page.Members {
		if string(m.ID) == name {
			return m, nil
		}
		known = append(known, string(m.ID))
		if i := slices.IndexFunc(page.Pools, func(p status.Pool) bool { return p.Name == m.Pool }); m.Duty == failover.Spare && m.Ready && i >= 0 && page.Pools[i].Prepares != nil {
			spares = append(spares, m)
		}
	}
	switch near := strict.Nearest(name, known); {
	case name == "" && len(spares) == 0:
		return status.Member{}, withCode(exitRefused, errors.New("there is no ready spare in a pool with an action that prepares: 'moonwatch spares' lists them"))
	case name == "":
		return slices.MinFunc(spares, func(a, b status.Member) int { return drilledAt(a).Compare(drilledAt(b)) }), nil
	case near != "":
		return status.Member{}, usage("there is no member %q, did you mean %s?", name, near)
	default:
		return status.Member{}, usage("there is no member %q: 'moonwatch spares' lists those without a slot", name)
	}
}

func drilledAt(m status.Member) time.Time {
	if m.Drilled == nil {
		return time.Time{}
	}
	return m.Drilled.At
}

// follow waits for the end of a drill.
func (x *drilling) follow(ctx context.Context, agent *client.Client, id member.ID, epoch member.SlotEpoch) error {
	goesOn := fmt.Errorf("no longer watching: the drill of %s goes on; 'moonwatch spares' tells how it ended", id)
	seen := false
	return askUntil(ctx, agent, client.PageDocument, goesOn, func(page status.Page) (ended bool, err error) {
		d := page.Drill
		going := d != nil && d.Member == id && d.Epoch == epoch
		switch {
		case page.Knowledge.Head < uint64(epoch): // it has not heard of it yet
			return false, nil
		case !going:
			return true, x.ended(&page, id, epoch)
		case !seen:
			seen = true
			fmt.Fprintf(x.app.errw, "%s prepares for %s\n", id, d.Slot)
		}
		return false, nil
	})
}

// ended tells how a drill ended.
func (x *drilling) ended(page *status.Page, id member.ID, epoch member.SlotEpoch) error {
	i := slices.IndexFunc(page.Members, func(m status.Member) bool { return m.ID == id })
	if i < 0 || page.Members[i].Drilled == nil || page.Members[i].Drilled.Epoch != epoch {
		return fmt.Errorf("the drill of %s was ended early: all is not well any more, or it is wanted in earnest; 'moonwatch status' tells", id)
	}
	d := *page.Members[i].Drilled
	raw, err := json.Marshal(struct {
		Member member.ID `json:"member"`
		failover.Drilled
	}{id, d})
	if err != nil {
		return fmt.Errorf("print the answer: %w", err)
	}
	if err := x.print(raw, func(p *printer) {
		if d.Good {
			p.line("%s was prepared after %s, and takes it back.", id, span(d.Took))
		}
	}); err != nil {
		return err
	}
	if !d.Good {
		return fmt.Errorf("%s failed its drill, and is not ready until another one succeeds: %s", id, d.Says)
	}
	return nil
}

func (a *app) clearCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "clear MEMBER",
		Short: "Say that somebody has looked at a member: forgive its strikes",
		Long: `Forgive a member's strikes and its failed drill, because somebody has looked at it. It
waits no longer for people, and its burn-in is the plain one again. What still runs
there has to be stopped all the same, a verdict stands, and its own tests have to be
good. --reason says what was found.

Exit codes: 0 cleared, 1 error, 4 no council quorum, 5 refused: it has none.`,
		Example: "  moonwatch spares clear web-6 --reason 'new power supply'",
		Args:    exactly("MEMBER"),
	}
	x := a.order(c)
	c.RunE = func(c *cobra.Command, args []string) error { return x.clear(c.Context(), args[0]) }
	return c
}

func (x *order) clear(ctx context.Context, name string) error {
	if strings.TrimSpace(x.reason) == "" {
		return usage("--reason is missing: whoever meets the member next has to know what was found")
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
	m, err := drillOf(page, name)
	if err != nil {
		return err
	}
	o, err := x.send(ctx, agent, page, failover.KindCleared, failover.StrikesCleared{Member: m.ID, Reason: x.reason})
	if err != nil {
		return err
	}
	return x.tell(o, fmt.Sprintf("%s has no strikes any more, since fact %d.", m.ID, o.Fact))
}
