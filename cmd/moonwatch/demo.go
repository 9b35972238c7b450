package main

import (
	"github.com/spf13/cobra"

	"moonwatch/internal/demo"
	"moonwatch/member"
)

func (a *app) demoCommand() *cobra.Command {
	fault := oneOf{value: demo.FaultKill, words: demo.Faults(), name: "FAULT"}
	profile := oneOf{words: demo.Profiles(), name: "PROFILE"}
	var o demo.Options
	c := &cobra.Command{
		Use:   "demo",
		Short: "Run a fleet of seven on this machine, and break it",
		Long: `Run seven members with a small web service, a gateway and a steady load on this
machine. It stays up, prints its addresses and a line per fact, and is broken
from a second terminal, until Ctrl-C ends everything that it started.

With --once it tells one story and ends: the fleet starts, one fault happens,
and what came of it is printed. Faults:
  kill               a machine crashes: drained, a spare takes its slot
  stop               a machine goes silent: the same, without a refused connection
  service            a service dies, its machine lives: restarted in place
  agent              our agent dies, the service lives: no failover
  leader-and-victim  the council's leader crashes, and holds a slot
  two                two machines in two failure domains: both replaced
  half               three of seven: cascade, nothing destructive is done, and all
                     is as before when their power is back
  rack               a failure domain of three: one verdict, cascade, the same
  quorum             most councillors: isolated, nothing is done
  flap               a machine comes and goes: forgiven; stays away: replaced, once
  spare-dies         the spare that is being activated crashes: the next one is taken
  leader-in-case     the leader crashes while a spare is being activated: the case is
                     finished once, and the leader's own slot is replaced, too
  stall              every machine stands still once, for less than is replaced
  pause-agent        our agent stalls for 2 s: nothing is done
  restart-agent      our agent is started anew: nothing is done
  flood              one subdomain of twenty gets 61 times its requests: a part of them
                     is let in, the others do not feel it, and all are again when it
                     is over; --flood says how strong it is

The object of --json: schema (1), ok, fault, members (the victims), member (the
first), accused_ms, verdict_ms, verdict_kind, votes_down, votes_up, drained_ms,
serving_ms (of the last slot), failovers, restarts, promotions, promoted,
slot_epoch, mode_max, destructive_actions, requests, failed, failed_after_drain
(by when they were sent), unsent (left out, for this machine stood still when it
was their time), facts. Times are milliseconds since the fault; null: it did not
happen. That of flood has keys of its own (docs/drivers.md).

Exit codes: 0 the story went as it should, 3 it did not.`,
		Example: `  moonwatch demo
  moonwatch demo --once --fault kill
  moonwatch demo --once --fault half --json
  moonwatch demo --once --fault kill --profile fast
  moonwatch demo kill vm-2         # from a second terminal`,
		Args: func(c *cobra.Command, args []string) error {
			if len(args) > 0 {
				return unknownCommand(c, args[0])
			}
			return nil
		},
		RunE: func(c *cobra.Command, _ []string) error {
			switch {
			case o.Once:
				o.Fault = fault.value
			case c.Flags().Changed("fault"), c.Flags().Changed("flood"), o.JSON:
				return usage("--fault, --flood and --json go with --once; a demo that stays up is broken with 'moonwatch demo kill MEMBER'")
			}
			o.Profile = profile.value
			o.Out, o.Err = a.out, a.errw
			return ended(a.parts.demo(c.Context(), o))
		},
	}
	f := c.Flags()
	f.BoolVar(&o.Once, "once", false, "tell one story and end")
	f.Var(&fault, "fault", "what to break, with --once")
	f.Float64Var(&o.Flood, "flood", 0, "with --fault flood: how many times the capacity is asked for, 1.1 to 5 (default 1.25)")
	f.BoolVar(&o.JSON, "json", false, "print the story as one JSON object, with --once")
	f.BoolVar(&o.Full, "full", false, "run production windows: slower, and as real as it gets")
	f.Var(&profile, "profile", "timing profile of the fleet: demo, lan (as --full), fast")
	f.BoolVar(&o.Verbose, "verbose", false, "tell each fact as it comes, and let the agents log more")
	f.StringVar(&o.Dir, "dir", "", "the demo's folder, new or empty (default: a temporary one)")
	for _, v := range []struct{ verb, short string }{
		{demo.DoKill, "Crash a member of the demo that runs"},
		{demo.DoStop, "Make a member of the demo go silent"},
		{demo.DoIsolate, "Cut a member of the demo off from the others"},
		{demo.DoHeal, "Undo what was done to a member of the demo"},
	} {
		c.AddCommand(a.demoControlCommand(v.verb, v.short))
	}
	return c
}

func (a *app) demoControlCommand(verb, short string) *cobra.Command {
	var dir string
	c := &cobra.Command{
		Use:     verb + " MEMBER",
		Short:   short,
		Example: "  moonwatch demo " + verb + " vm-2",
		Args:    exactly("MEMBER"),
		RunE: func(c *cobra.Command, args []string) error {
			return a.parts.demoControl(c.Context(), dir, verb, member.ID(args[0]), a.out)
		},
	}
	c.Flags().StringVar(&dir, "dir", "", "the demo's folder (default: that of the only demo that runs)")
	return c
}

// demoServiceCommand is the web service of the demo's slots. It reads its own
// flags.
func (a *app) demoServiceCommand() *cobra.Command {
	return &cobra.Command{
		Use: "demo-service", Short: "The web service of the demo", Hidden: true, DisableFlagParsing: true,
		Example: "  moonwatch demo-service --listen 127.0.0.1:8080",
		RunE: func(c *cobra.Command, args []string) error {
			return ended(a.parts.demoService(c.Context(), args, a.errw))
		},
	}
}

// ended passes the exit code on of a part that has said all itself.
func ended(code int) error {
	if code == exitOK {
		return nil
	}
	return &exit{code: code}
}
