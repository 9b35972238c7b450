package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"moonwatch/internal/boottime"
	"moonwatch/internal/config"
	"moonwatch/internal/keeper"
	"moonwatch/internal/keeper/door"
	"moonwatch/internal/keeper/gate"
	processes "moonwatch/internal/keeper/group" // group is how commands are grouped here
	"moonwatch/internal/keeper/unit"
	"moonwatch/internal/keeper/watchdog"
	"moonwatch/internal/program"
	"moonwatch/internal/sdnotify"
	"moonwatch/member"
)

// Where a keeper is unless somebody says otherwise: on a file system that is
// empty after each boot, like the leases.
const (
	keeperSocket = "/run/moonwatch/keeper.sock"
	keeperDir    = "/run/moonwatch/keeper"
)

func (a *app) keeperCommand() *cobra.Command {
	var socket, dir, cgroup, hold, device, level, format string
	c := &cobra.Command{
		Use:   "keeper",
		Short: "End exclusive slots of this machine whose lease is over",
		Long: `Run the keeper of this machine until SIGTERM or Ctrl-C: a small process without
network that outlives the agent. The agent hands it each lease that the council
grants; when the newest one of a slot is over, the keeper asks the slot's processes
to end, then ends them, and looks until none is left. It owns what was started
through 'keeper enter', with all that it started, in a cgroup, or without the right
to make one in a session.

Where slots are in cgroups of version 2 and the keeper may change nftables, the kernel
holds back what a slot sends while none of its leases is fresh, also in the moment
after the machine stood still, before the keeper runs again: a gate, in a table of its
own ('keeper status' names it; nft list table inet NAME). It is for the network alone.
With --gate nft the keeper does not begin without one, and a self-test in which the
gate does not hold is a failed one; --gate off takes a gate of before away.

A keeper that is stopped or killed leaves its slots as they are; started again within
the lease it goes on, later it ends them at once. With --watchdog the machine is reset
when a slot was not seen to end in time. Every five minutes it ends a process of its
own, as a test; an agent whose keeper has no good test of the last 15 minutes is given
no exclusive slot. See docs/adr/014-keeper.md.`,
		Example: `  moonwatch keeper
  moonwatch keeper --watchdog /dev/watchdog
  moonwatch keeper --gate nft
  moonwatch keeper --socket ./keeper.sock --dir ./keeper --cgroup none
  moonwatch keeper status
  moonwatch keeper enter --slot db-0 --slot-epoch 12 -- /usr/sbin/mydb --foreground
  moonwatch keeper end --unit mydb.service`,
		Args: exactly(),
		RunE: func(c *cobra.Command, _ []string) error {
			exe, err := os.Executable()
			if err != nil {
				return err
			}
			out := unit.NewUnhurried(a.errw)
			defer out.Close() //nolint:errcheck // it cannot fail
			log := newLog(out, config.Log{Level: level, Format: format})
			cfg := unit.Config{Socket: socket, Dir: dir, Cgroup: cgroup, Gate: hold, Log: log, Sitter: []string{exe, "keeper", "sit"}}
			cfg.Notify, cfg.Alive = sdnotify.From(os.Getenv)
			if device != "" {
				if cfg.Watchdog, err = watchdog.Open(device); err != nil {
					return err
				}
			}
			u, err := unit.Open(cfg)
			if err != nil {
				return err
			}
			return u.Run(c.Context())
		},
	}
	c.PersistentFlags().StringVar(&socket, "socket", defaultKeeper(), "the keeper's socket")
	c.Flags().StringVar(&dir, "dir", keeperDir, "folder of the slots' records, one per keeper")
	c.Flags().StringVar(&cgroup, "cgroup", processes.Auto, "what owns a slot's processes: auto, none for sessions, or the path of a cgroup that the keeper may fill")
	c.Flags().StringVar(&hold, "gate", gate.Auto, "what holds back what a slot sends without a lease: auto where it works, nft or no keeper, off")
	c.Flags().StringVar(&device, "watchdog", "", "watchdog device that resets the machine if a slot is not seen to end")
	c.Flags().StringVar(&level, "log-level", "info", "debug, info, warn or error")
	c.Flags().StringVar(&format, "log-format", "text", "text or json")
	c.AddCommand(a.keeperStatusCommand(&socket), a.keeperEnterCommand(&socket), a.keeperEndCommand(), a.keeperSitCommand())
	return c
}

// defaultKeeper is what the agent of this environment would ask.
func defaultKeeper() string {
	if s := os.Getenv("MOONWATCH_KEEPER_SOCKET"); s != "" {
		return s
	}
	return keeperSocket
}

func (a *app) keeperStatusCommand(socket *string) *cobra.Command {
	format := oneOf{value: "table", words: []string{"table", "json", "yaml"}}
	c := &cobra.Command{
		Use:   "status",
		Short: "Show what the keeper of this machine holds, and whether it works",
		Long: `Show the keeper's slots and its last self-test. The exit code is 3 if a lease
would prove nothing on this machine at this moment: the self-test failed or is too
old, or a slot was not seen to end.`,
		Example: "  moonwatch keeper status\n  moonwatch keeper status --socket ./keeper.sock -o json",
		Args:    exactly(),
		RunE: func(c *cobra.Command, _ []string) error {
			st, err := door.Client{Socket: *socket}.Status(c.Context())
			if err != nil {
				return err
			}
			raw, err := json.Marshal(struct {
				Schema int `json:"schema"`
				door.Status
			}{1, st})
			if err != nil {
				return err
			}
			r := &reading{app: a, format: format}
			if err := r.print(raw, func(p *printer) { printKeeper(p, st) }); err != nil {
				return err
			}
			if err := keeps(st); err != nil {
				return withCode(exitDegraded, err)
			}
			return nil
		},
	}
	c.Flags().VarP(&format, "output", "o", "how to print the answer")
	return c
}

// keeps says why the keeper proves nothing at this moment.
func keeps(st door.Status) error {
	if err := st.Enforces(boottime.Now()); err != nil {
		return err
	}
	for _, s := range st.Slots {
		if s.State == keeper.Unknown {
			return fmt.Errorf("keeper: slot %s was not seen to end: %d processes run", s.Slot, s.Running)
		}
	}
	return nil
}

func printKeeper(p *printer, st door.Status) {
	dog := "no watchdog"
	if st.Watchdog != "" {
		dog = "watchdog " + st.Watchdog
	}
	p.line("keeper since %s: owns processes by %s, %s", st.Started.UTC().Format("2006-01-02 15:04:05 UTC"), st.Owns, dog)
	switch g := st.Gate; {
	case g.Name == "":
		p.line("gate: none: %s", cmp.Or(g.None, "this keeper knows none"))
	case g.Test == "":
		p.line("gate: %s; not tested yet", g.Name)
	default:
		p.line("gate: %s; self-test: %s", g.Name, g.Test)
	}
	if st.Gate.Trouble != "" {
		p.line("gate is not told the newest leases: %s", st.Gate.Trouble)
	}
	switch {
	case st.Test.At == 0:
		p.line("self-test: none yet")
	case st.Test.Good:
		p.line("self-test: good, %v ago; ended a process %v after its lease", (boottime.Now() - st.Test.At).Round(time.Second), st.Test.Took.Round(time.Millisecond))
	default:
		p.line("self-test: FAILED %v ago: %s", (boottime.Now() - st.Test.At).Round(time.Second), st.Test.Note)
	}
	if st.Disk != "" {
		p.line("records are not written: %s", st.Disk)
	}
	p.line("")
	table(p, "It has seen no slot.", st.Slots, []column[keeper.Standing]{
		{title: "SLOT", of: func(s keeper.Standing) cell { return word(s.Slot) }},
		{title: "SLOT EPOCH", of: func(s keeper.Standing) cell { return text("%d", s.Epoch) }},
		{title: "STATE", of: func(s keeper.Standing) cell {
			switch s.State {
			case keeper.Held:
				return cell{string(s.State), good}
			case keeper.Stopping:
				return cell{string(s.State), warn}
			case keeper.Unknown:
				return cell{string(s.State), bad}
			case keeper.Vacant:
			}
			return word(s.State)
		}},
		{title: "LEASE LEFT", of: func(s keeper.Standing) cell {
			if s.State != keeper.Held {
				return cell{}
			}
			return text("%v", s.Left.Round(100*time.Millisecond))
		}},
		{title: "PROCESSES", of: func(s keeper.Standing) cell { return text("%d", s.Running) }},
		{title: "DETAIL", of: func(s keeper.Standing) cell { return word(s.Detail) }},
	})
}

func (a *app) keeperEnterCommand(socket *string) *cobra.Command {
	var slot, epoch, part string
	c := &cobra.Command{
		Use:   "enter -- PROGRAM [ARGUMENT]...",
		Short: "Run a program as part of an exclusive slot",
		Long: `Ask the keeper to own this process, then run PROGRAM in its place. The program runs
only if the keeper holds a fresh lease of the slot and slot epoch; otherwise nothing
is run and the exit code is 75, which for an action means: ask again later.

The agent starts the actions of exclusive pools this way. Where the keeper has no
cgroup, a service that an action starts with setsid enters by itself:
  setsid moonwatch keeper enter -- /usr/sbin/mydb --foreground
MOONWATCH_SLOT and MOONWATCH_SLOT_EPOCH, which every action has, name the slot.

The main process of a unit of systemd says which with --unit: by entering the slot it
leaves the cgroup of its unit, so systemd ends it alone, and 'keeper end' ends what it
has started (configs/systemd/slot.conf).`,
		Example: "  moonwatch keeper enter --slot db-0 --slot-epoch 12 -- /usr/sbin/mydb --foreground",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usage("PROGRAM is missing")
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			n, err := strconv.ParseUint(epoch, 10, 64)
			if err != nil || n == 0 || slot == "" {
				return usage("--slot is %q and --slot-epoch is %q, want the name of a slot and a whole number above 0", slot, epoch)
			}
			if c.Flags().Changed("unit") {
				if err := processes.CheckPart(part); err != nil {
					return usage("--unit: %v", err)
				}
			}
			path, err := filepath.Abs(*socket)
			if err != nil {
				return err
			}
			err = unit.EnterPart(c.Context(), path, member.SlotID(slot), member.SlotEpoch(n), part, args)
			return withCode(program.ExitRetry, err) // only the program itself could have come back with nil
		},
	}
	c.Flags().StringVar(&slot, "slot", os.Getenv("MOONWATCH_SLOT"), "the slot that the program is of")
	c.Flags().StringVar(&epoch, "slot-epoch", os.Getenv("MOONWATCH_SLOT_EPOCH"), "the slot epoch under which it runs")
	c.Flags().StringVar(&part, "unit", "", "the unit of systemd whose main process this is, as in mydb.service")
	return c
}

func (a *app) keeperEndCommand() *cobra.Command {
	var dir, part string
	c := &cobra.Command{
		Use:   "end",
		Short: "End what a unit of systemd has left running in its slot",
		Long: `End by force all processes that the main process of a unit has started and left, once
it has entered a slot with 'keeper enter --unit'. It asks no keeper: systemd runs it as
ExecStopPost= of a unit that it stops because the keeper is gone, and whenever else that
unit stops (configs/systemd/slot.conf). What else runs of the slot is left alone. It
succeeds when nothing of the unit runs any more.`,
		Example: "  moonwatch keeper end --unit mydb.service\n  moonwatch keeper end --unit mydb.service --dir ./keeper",
		Args:    exactly(),
		RunE: func(c *cobra.Command, _ []string) error {
			if err := processes.CheckPart(part); err != nil {
				return usage("--unit: %v", err)
			}
			return unit.End(c.Context(), dir, part)
		},
	}
	c.Flags().StringVar(&part, "unit", "", "the unit whose processes are ended, as in mydb.service")
	c.Flags().StringVar(&dir, "dir", keeperDir, "folder of the keeper's records")
	return c
}

// keeperSitCommand is the process that the self-test ends.
func (a *app) keeperSitCommand() *cobra.Command {
	return &cobra.Command{
		Use: "sit", Short: "Wait to be ended by the keeper's self-test", Hidden: true,
		Example: "  moonwatch keeper sit",
		Args:    exactly(),
		RunE:    func(*cobra.Command, []string) error { unit.Sit(a.out); return nil },
	}
}
