package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"moonwatch/consensus"
	"moonwatch/internal/client"
	"moonwatch/internal/config"
	"moonwatch/internal/pki"
	"moonwatch/member"
	"moonwatch/status"
)

// application is one run of apply.
type application struct {
	*reading
	key     string
	yes     bool
	dryRun  bool
	timeout time.Duration
}

func (a *app) applyCommand() *cobra.Command {
	x := application{reading: &reading{app: a}}
	c := &cobra.Command{
		Use:   "apply FILE",
		Short: "Hand a fleet.yaml to the ledger",
		Long: `Check a fleet.yaml strictly, show what it would change, ask, sign it with an
operator's key, and hand it to the council through the agent of this machine.
It ends when the council has decided; Ctrl-C only stops the waiting.

The key is named with --operator-key or MOONWATCH_OPERATOR_KEY, or is the
operator.key beside FILE.

Exit codes: 0 accepted, or nothing to change; 1 error; 4 no council quorum;
5 refused, with every reason (with --dry-run: would be refused).`,
		Example: `  moonwatch apply fleet.yaml
  moonwatch apply fleet.yaml --dry-run
  moonwatch apply fleet.yaml --yes --operator-key ~/operator.key`,
		Args: exactly("FILE"),
		RunE: func(c *cobra.Command, args []string) error {
			return x.run(c.Context(), args[0])
		},
	}
	x.flags(c)
	return c
}

func (x *application) flags(c *cobra.Command) {
	x.addAgentTo(c)
	f := c.Flags()
	f.StringVar(&x.key, "operator-key", "", "file of the operator's key")
	f.BoolVarP(&x.yes, "yes", "y", false, "do not ask")
	f.BoolVar(&x.dryRun, "dry-run", false, "show what would change, and end")
	f.DurationVar(&x.timeout, "timeout", 30*time.Second, "how long to wait for the council")
}

func (x *application) run(ctx context.Context, file string) error {
	wanted, err := x.check(file)
	if err != nil {
		return err
	}
	agent, err := x.ask()
	if err != nil {
		return err
	}
	defer agent.Close()
	_, err = x.hand(ctx, agent, wanted, filepath.Dir(file))
	return err
}

// hand shows what a fleet would change, asks, and hands it in; folder is where the
// operator's key may be. It says whether the council has taken anything.
func (x *application) hand(ctx context.Context, agent *client.Client, wanted *member.Fleet, folder string) (changed bool, err error) {
	page, err := x.compare(ctx, agent, wanted)
	if err != nil || x.dryRun || page == nil {
		return false, err
	}
	if page.Cluster == "" || !page.Council.Quorum {
		return false, withCode(exitNoQuorum, errors.New("the agent hears of no council quorum, so nothing can be committed: "+
			"'moonwatch status' shows who is missing"))
	}
	key, err := x.operatorKey(folder)
	if err != nil {
		return false, err
	}
	if err := x.app.confirm(ctx, "Apply this?", x.yes, "not applied"); err != nil {
		return false, err
	}
	command, err := signFleet(page, wanted, key, time.Now())
	if err != nil {
		return false, err
	}
	err = x.commit(ctx, agent, command)
	return err == nil, err
}

// check reads the file; what may surprise is said on standard error.
func (x *application) check(file string) (*member.Fleet, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read fleet: %w", err)
	}
	wanted, warnings, err := config.ParseFleet(file, b)
	for _, w := range warnings {
		fmt.Fprintf(x.app.errw, "warning: %s\n", clean(w.String()))
	}
	return wanted, err
}

// compare prints the plan and gives the page that it was made from, nil if
// there is nothing to change.
func (x *application) compare(ctx context.Context, agent *client.Client, wanted *member.Fleet) (*status.Page, error) {
	ctx, cancel := context.WithTimeout(ctx, askPatience)
	defer cancel()
	answer, err := agent.Get(ctx, client.PageDocument)
	if err != nil {
		return nil, err
	}
	x.noteAge(answer.Page)
	live, err := agent.Fleet(ctx)
	// A page without members and pools is that of a ledger without a fleet.
	known := err == nil || len(answer.Page.Members)+len(answer.Page.Pools) == 0
	if err != nil && !errors.Is(err, client.ErrNotOffered) {
		return nil, err
	}
	p := makePlan(live.Fleet, known, answer.Page, wanted)
	x.show(p)
	if p.same {
		return nil, nil
	}
	if x.dryRun && len(p.trouble) > 0 {
		return nil, &exit{code: exitRefused} // why has been printed
	}
	return &answer.Page, nil
}

func (x *application) show(p plan) {
	out := &printer{color: x.colored()}
	if p.same {
		out.line("Nothing to change: the ledger holds this fleet already.")
	}
	if !p.same && len(p.changes) == 0 {
		out.line("No difference in what the agent tells.")
	}
	for _, lines := range [][]string{p.changes, p.slots} {
		for _, l := range lines {
			out.line("%s", l)
		}
	}
	for _, l := range p.trouble {
		out.line("! %s: the council will refuse it", l)
	}
	if !p.whole {
		fmt.Fprintln(x.app.errw, "note: this agent tells members and pools only: hosts, checks, actions, drivers and brake are not compared")
	}
	_, _ = x.app.out.Write(out.bytes())
}

// operatorKey finds and reads the key.
func (x *application) operatorKey(folder string) (*pki.OperatorKey, error) {
	key, err := loadOperatorKey(x.key, folder)
	if err == nil && key == nil {
		return nil, errNoKey
	}
	return key, err
}

// confirm asks whoever sits at the terminal, unless they have said yes; otherwise says
// what has not happened then.
func (a *app) confirm(ctx context.Context, question string, yes bool, otherwise string) error {
	if yes {
		return nil
	}
	if !a.interactive() {
		return usage("nobody to ask, for standard input is no terminal: want --yes")
	}
	fmt.Fprintf(a.errw, "%s [y/N] ", question)
	answered := make(chan string, 1)
	go func() { // a read from a terminal has no end of its own; the process does
		line, _ := bufio.NewReader(a.in).ReadString('\n')
		answered <- line
	}()
	select {
	case line := <-answered:
		switch strings.ToLower(strings.TrimSpace(line)) {
		case "y", "yes":
			return nil
		}
	case <-ctx.Done():
		fmt.Fprintln(a.errw)
	}
	return errors.New(otherwise)
}

// signFleet puts a fleet into a command of this cluster that an operator
// stands behind.
func signFleet(page *status.Page, fleet *member.Fleet, key *pki.OperatorKey, now time.Time) (consensus.Command, error) {
	return signed(page, consensus.KindFleet, fleet, key, now)
}

// commit hands the command in and waits for the council.
func (x *application) commit(ctx context.Context, agent *client.Client, command consensus.Command) error {
	waiting, cancel := context.WithTimeout(ctx, x.timeout)
	defer cancel()
	if err := agent.Submit(waiting, command); err != nil {
		return err
	}
	outcome, err := agent.Wait(waiting, command.ID)
	switch {
	case interrupted(ctx, err):
		return fmt.Errorf("no longer waiting: command %s is with the council; apply again shows what came of it", command.ID)
	case errors.Is(err, context.DeadlineExceeded):
		return withCode(exitNoQuorum, fmt.Errorf("the council did not decide about %s within %s; it still may: 'moonwatch status' shows "+
			"whether it has a quorum, and apply again shows what is left to change", command.ID, x.timeout))
	case errors.Is(err, client.ErrUnknown):
		return fmt.Errorf("the agent has forgotten command %s, it was started anew: apply again shows what is left to change", command.ID)
	case err != nil:
		return err
	case outcome.State == client.Refused:
		return withCode(exitRefused, fmt.Errorf("refused in fact %d:\n  %s", outcome.Fact, strings.ReplaceAll(outcome.Reason, "\n", "\n  ")))
	}
	fmt.Fprintf(x.app.out, "Accepted as fact %d.\n", outcome.Fact)
	return nil
}
