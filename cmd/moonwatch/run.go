package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
)

// app is what the commands of one run share: who they talk with, and the
// parts of the program that do the long work, so that tests can put others in
// their place.
type app struct {
	in        io.Reader
	out, errw io.Writer
	parts     parts

	interactive func() bool // somebody can be asked
	watched     []*cobra.Command
	terminal    io.Writer // where what is written to out ends up, if not there
}

// shownOn is where people see what is written to out.
func (a *app) shownOn() io.Writer {
	if a.terminal != nil {
		return a.terminal
	}
	return a.out
}

// run is the whole program but for its process: it reads args, does what they
// say until it is done or ctx ends, and gives the exit code.
func run(ctx context.Context, args []string, in io.Reader, out, errw io.Writer) int {
	a := &app{in: in, out: out, errw: errw, parts: shipped(), interactive: func() bool { return isTerminal(in) }}
	return a.run(ctx, args)
}

func (a *app) run(ctx context.Context, args []string) int {
	root := a.root() //nolint:contextcheck // the commands get ctx when they run
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error { return flagError(c, err, args) })
	root.SetArgs(args)
	root.SetIn(a.in)
	root.SetOut(a.out)
	root.SetErr(a.errw)
	cmd, err := root.ExecuteContextC(ctx)
	if err == nil {
		return exitOK
	}
	code, text := codeOf(err), err.Error()
	if text == "" { // it has been said
		return code
	}
	fmt.Fprintf(a.errw, "%s: %s\n", cmd.CommandPath(), clean(text))
	if code == exitUsage {
		fmt.Fprintf(a.errw, "See '%s --help'.\n", cmd.CommandPath())
	}
	return code
}

func (a *app) root() *cobra.Command {
	a.watched = nil
	root := &cobra.Command{
		Use:   "moonwatch",
		Short: "A self-healing cluster monitor",
		Long: `Moonwatch watches the members of a fleet from one another's point of view, lets
them vote before one is called failed, and swaps a spare into the slot that it
held.

Exit codes: 0 ok, 1 error, 2 usage, 3 degraded or expectation missed, 4 no
council quorum, 5 refused by policy; sim has more, see 'moonwatch sim --help'.`,
		Example: `  moonwatch demo               # a fleet of seven on this machine
  moonwatch init --dir cluster # a new cluster
  moonwatch status             # what the agent of this machine knows`,
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.CompletionOptions.DisableDefaultCmd = true
	root.AddGroup(
		&cobra.Group{ID: "run", Title: "Run:"},
		&cobra.Group{ID: "look", Title: "Look:"},
		&cobra.Group{ID: "change", Title: "Set up and change:"},
	)
	in := func(group string, commands ...*cobra.Command) {
		for _, c := range commands {
			c.GroupID = group
			root.AddCommand(c)
		}
	}
	in("run", a.agentCommand(), a.keeperCommand(), a.demoCommand(), a.simCommand())
	in("look", a.statusCommand(), a.topCommand(), a.membersCommand(), a.observersCommand(), a.slotsCommand(), a.sparesCommand(), a.verdictsCommand(), a.failoversCommand(), a.incidentsCommand(), a.factsCommand(), a.holdsCommand(), a.approvalsCommand(), a.reportCommand(), a.explainCommand(), a.councilCommand(), a.shieldCommand(), a.notifyCommand(), a.auditCommand(), a.tuneCommand())
	in("change", a.initCommand(), a.certCommand(), a.gossipCommand(), a.ledgerCommand(), a.operatorCommand(), a.configCommand(), a.applyCommand(), a.resumeCommand())
	in("change", append(a.moveCommands(), a.drillCommand())...)
	in("change", a.holdCommands()...)
	in("change", a.requestCommand(), a.approveCommand(), a.rejectCommand())
	root.AddCommand(a.versionCommand(), a.completionCommand(), a.manCommand(), a.demoServiceCommand())
	root.SetHelpCommand(helpCommand())
	group(root)
	for _, c := range a.watched {
		a.letWatch(c)
	}
	return root
}

// group makes a command that does nothing itself: it wants one of its
// sub-commands, and names the one that was probably meant.
func group(c *cobra.Command) *cobra.Command {
	c.Args = func(c *cobra.Command, args []string) error {
		if len(args) > 0 {
			return unknownCommand(c, args[0])
		}
		return nil
	}
	c.RunE = func(c *cobra.Command, _ []string) error {
		c.SetOut(c.ErrOrStderr())
		if err := c.Help(); err != nil {
			return err
		}
		return &exit{code: exitUsage}
	}
	return c
}

func unknownCommand(c *cobra.Command, name string) error {
	if meant := suggestionsFor(c, name); len(meant) > 0 {
		return usage("unknown command %q, did you mean %s?", name, strings.Join(meant, " or "))
	}
	return usage("unknown command %q", name)
}

// helpCommand is cobra's, but a topic that does not exist is an error.
func helpCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "help [COMMAND]",
		Short:   "Explain a command",
		Example: "  moonwatch help apply",
		RunE: func(c *cobra.Command, args []string) error {
			topic, rest, err := c.Root().Find(args)
			if err != nil || len(rest) > 0 {
				if topic == nil {
					topic = c.Root()
				}
				return unknownCommand(topic, append(rest, args...)[0])
			}
			topic.InitDefaultHelpFlag()
			return topic.Help()
		},
	}
}

// exactly wants the named arguments, no more and no fewer.
func exactly(names ...string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		switch {
		case len(args) < len(names):
			return usage("%s is missing", names[len(args)])
		case len(args) > len(names):
			return usage("unexpected argument %q", args[len(names)])
		default:
			return nil
		}
	}
}

// listed is for commands that list what there is: they take no argument, and whoever
// names one thing is told which command tells of it.
func listed(c *cobra.Command, args []string) error {
	switch {
	case len(args) == 0:
		return nil
	case len(suggestionsFor(c, args[0])) > 0:
		return unknownCommand(c, args[0])
	default:
		return usage("unexpected argument %q: all are listed, and 'moonwatch explain %s' tells of one", args[0], args[0])
	}
}

// atMost wants no more arguments than these.
func atMost(names ...string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) > len(names) {
			return usage("unexpected argument %q", args[len(names)])
		}
		return nil
	}
}

// interrupted tells a Ctrl-C from other errors.
func interrupted(ctx context.Context, err error) bool {
	return ctx.Err() != nil && errors.Is(err, context.Canceled)
}
