package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"moonwatch/status"
)

// rotatePatience is how long a rotation may take: the agent bounds it by a minute.
const rotatePatience = 70 * time.Second

func (a *app) gossipCommand() *cobra.Command {
	c := &cobra.Command{
		Use:     "gossip",
		Short:   "Rotate the key that seals what agents say",
		Example: "  moonwatch gossip key rotate",
	}
	key := &cobra.Command{
		Use:     "key",
		Short:   "Rotate the key that seals what agents say",
		Example: "  moonwatch gossip key rotate",
	}
	key.AddCommand(a.rotateCommand())
	c.AddCommand(group(key))
	return group(c)
}

func (a *app) rotateCommand() *cobra.Command {
	var without bool
	c := &cobra.Command{
		Use:   "rotate",
		Short: "Give all members a new gossip key, and take the former ones away",
		Long: `Have all members seal what they say with a new key: it is installed on all, used by
all, and then the former ones are removed, each step only after every member confirmed
the one before. Nothing is lost meanwhile.

Only the agent of the council's leader does it ('moonwatch council'), so that there are
never two rotations at once: the other agents name it. Without a leader no key is rotated.

Each agent writes its own key file afterwards, and no other one hears whether it could. One
that could not goes on until it is started anew, and then finds nobody: it tries every 30 s,
logs "rotated gossip keys not kept", and its metric moonwatch_gossip_keys_unkept is 1. Look
at it on every member, or compare the key files, before an agent is started anew.

A member that is not there has only the former key, and would not find the others
again: the agent refuses while it misses one. With --without-missing it goes on; copy a
key file of another member to those by hand before they are started.

Root asks, or the user that the agent runs as, at the leader's agent's socket. Rotate when
somebody who has seen the key leaves, and every few weeks in a large fleet.`,
		Example: `  moonwatch gossip key rotate
  moonwatch gossip key rotate --without-missing -o json`,
		Args: exactly(),
	}
	r := a.readingOnce(c)
	c.Flags().BoolVar(&without, "without-missing", false, "go on although members are not there: they need the key by hand")
	c.RunE = func(c *cobra.Command, _ []string) error {
		agent, err := r.ask()
		if err != nil {
			return err
		}
		defer agent.Close()
		ctx, cancel := context.WithTimeout(c.Context(), rotatePatience)
		defer cancel()
		doc, raw, err := agent.RotateGossipKey(ctx, without)
		if err != nil {
			return err
		}
		return r.print(raw, func(p *printer) { printRotation(p, doc) })
	}
	return c
}

func printRotation(p *printer, d status.KeyRotation) {
	p.line("%d members seal with the new key, and it alone opens: %s.", len(d.Members), clean(join(d.Members)))
	p.line("Each of them writes its key file by itself. Before one is started anew, see that its metric moonwatch_gossip_keys_unkept is 0: else its log says what is wrong with the file.")
	if len(d.Without) > 0 {
		p.line("Copy a key file (gossip_key_file of agent.yaml) to %s before they are started: they have the former key.", clean(join(d.Without)))
	}
}
