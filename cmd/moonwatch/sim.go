package main

import "github.com/spf13/cobra"

// simCommand is the simulator. None of its commands loads a key: a world
// replaces the process's source of chance, and though every world is played in
// a child process, no key ever is where one could be.
func (a *app) simCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "sim",
		Short: "Try the fleet's decisions out in virtual time",
		Long: `Play faults on a simulated fleet that runs the decisions of this very program,
council included, in virtual time, and check its promises after every event. The
same scenario and seed always give the same run.

Exit codes: 0 ok, 1 error, 2 usage, 3 an expectation was missed, 6 not all came
right again (liveness), 7 a promise was broken (safety), 8 void: the assumptions
of the protocol did not hold, 9 played twice and not the same.`,
		Example: `  moonwatch sim list
  moonwatch sim run machine-dies
  moonwatch sim campaign --seeds 40`,
	}
	c.AddCommand(a.simRunCommand(), a.simReplayCommand(), a.simCampaignCommand(), a.simShrinkCommand(),
		a.simListCommand(), a.simShowCommand(), a.simWhatifCommand(), a.simWorkerCommand())
	group(c)
	return c
}
