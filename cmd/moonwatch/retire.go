package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"moonwatch/internal/client"
	"moonwatch/member"
)

func (a *app) retireCommand() *cobra.Command {
	return a.rosterCommand(roster{change: retired, done: func(id member.ID) string {
		return fmt.Sprintf("Stop the agent of %s. In fleet.yaml, give it 'retired: true', or the next apply takes it back.\n"+
			"'moonwatch members forget %[1]s' takes it out for good.", id)
	}}, &cobra.Command{
		Use:   "retire NAME",
		Short: "Take a member out of duty, and keep its name",
		Long: `Take a member out of duty: nobody observes it, it has no vote and no seat in the
council, and it is no spare. Its name stays taken until it is forgotten, and what the
ledger knows of it (strikes, burn-in, what it has to stop) holds when it is taken back.
A member that holds a slot has to give it to a spare before: 'moonwatch switchover NAME'.

It is a change of the fleet like 'moonwatch apply': the difference is shown, an
operator signs it, and the fleet.yaml that is applied next has to say
'retired: true' as well.`,
		Example: `  moonwatch members retire web-3
  moonwatch members retire web-3 --dry-run
  moonwatch members retire web-3 --yes --operator-key ~/operator.key`,
	})
}

func (a *app) forgetCommand() *cobra.Command {
	return a.rosterCommand(roster{change: forgotten, done: func(id member.ID) string {
		return fmt.Sprintf("Take %s out of fleet.yaml, or the next apply brings it back. Its certificate is good until it ends or is revoked: 'moonwatch cert revoke'.", id)
	}}, &cobra.Command{
		Use:   "forget NAME",
		Short: "Take a retired member out of the fleet for good",
		Long: `Take a retired member out of the fleet: what the ledger keeps of it (strikes, drills)
goes too, and another machine may have its name. The audit chain keeps what it did.

It is a change of the fleet like 'moonwatch apply': the difference is shown, an
operator signs it, and the line has to go from the fleet.yaml that is applied next.`,
		Example: `  moonwatch members forget web-3
  moonwatch members forget web-3 --yes --operator-key ~/operator.key`,
	})
}

// roster is one change of the fleet in force that concerns one member.
type roster struct {
	change func(*member.Fleet, int) error // of the member at this place
	done   func(member.ID) string         // what is left to do by hand
}

func retired(f *member.Fleet, i int) error {
	f.Members[i].Retired = true
	return nil
}

func forgotten(f *member.Fleet, i int) error {
	if m := f.Members[i]; !m.Retired {
		return withCode(exitRefused, fmt.Errorf("%s is in duty: 'moonwatch members retire %[1]s' comes first", m.ID))
	}
	f.Members = slices.Delete(f.Members, i, i+1)
	return nil
}

// rosterCommand is apply, of the fleet in force with one member changed.
func (a *app) rosterCommand(r roster, c *cobra.Command) *cobra.Command {
	x := application{reading: &reading{app: a}}
	x.flags(c)
	c.Args = exactly("NAME")
	c.RunE = func(c *cobra.Command, args []string) error {
		agent, err := x.ask()
		if err != nil {
			return err
		}
		defer agent.Close()
		id := member.ID(args[0])
		wanted, err := r.wanted(c.Context(), agent, id)
		if err != nil {
			return err
		}
		changed, err := x.hand(c.Context(), agent, wanted, ".")
		if err == nil && changed {
			fmt.Fprintln(a.out, r.done(id))
		}
		return err
	}
	return c
}

// wanted is the fleet in force with the change.
func (r roster) wanted(ctx context.Context, agent *client.Client, id member.ID) (*member.Fleet, error) {
	ctx, cancel := context.WithTimeout(ctx, askPatience)
	defer cancel()
	live, err := agent.Fleet(ctx)
	switch {
	case errors.Is(err, client.ErrNotOffered), err == nil && live.Fleet == nil:
		return nil, errors.New("the agent tells no fleet: 'moonwatch apply fleet.yaml' brings the first one")
	case err != nil:
		return nil, err
	}
	wanted := *live.Fleet
	wanted.Members = slices.Clone(wanted.Members)
	i := slices.IndexFunc(wanted.Members, func(m member.Member) bool { return m.ID == id })
	if i < 0 {
		return nil, usage("%s is not in the fleet: 'moonwatch members' lists who is", clean(string(id)))
	}
	return &wanted, r.change(&wanted, i)
}
