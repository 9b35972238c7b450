package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"moonwatch/consensus"
	"moonwatch/internal/client"
	"moonwatch/internal/pki"
	"moonwatch/status"
)

// order is one run of a command by which people tell the fleet something: it is
// signed by an operator and handed to the council through an agent.
type order struct {
	*reading
	key     string
	reason  string
	timeout time.Duration
}

func (a *app) order(c *cobra.Command) *order {
	x := &order{reading: &reading{app: a, format: oneOf{value: "table", words: []string{"table", "json"}}}}
	x.addAgentTo(c)
	f := c.Flags()
	f.StringVar(&x.key, "operator-key", "", "file of the operator's key (default: MOONWATCH_OPERATOR_KEY, else ./operator.key)")
	f.StringVar(&x.reason, "reason", "", "why, for whoever meets it")
	f.DurationVar(&x.timeout, "timeout", 30*time.Second, "how long to wait for the council")
	f.VarP(&x.format, "output", "o", "how to print the answer")
	return x
}

var errNoKey = usage("who signs this? Want an operator's key: --operator-key FILE or MOONWATCH_OPERATOR_KEY")

// loadOperatorKey reads the key of a flag, else of the environment, else the
// operator.key in a folder; nil if there is none.
func loadOperatorKey(flag, folder string) (*pki.OperatorKey, error) {
	path := flag
	if path == "" {
		path = os.Getenv("MOONWATCH_OPERATOR_KEY")
	}
	if path == "" {
		path = filepath.Join(folder, "operator.key")
		if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
			return nil, nil
		}
	}
	key, err := pki.LoadOperatorKey(path)
	if err != nil {
		return nil, err
	}
	if len(key.Grant) == 0 {
		return nil, fmt.Errorf("operator key %s: it carries no grant of a CA: use the one that 'moonwatch init' wrote", path)
	}
	return key, nil
}

// signed puts a payload into a command of the page's cluster that an operator
// stands behind.
func signed(page *status.Page, kind consensus.FactKind, payload any, key *pki.OperatorKey, now time.Time) (consensus.Command, error) {
	id := make([]byte, 8)
	_, _ = rand.Read(id) // it crashes the process rather than fail
	c, err := consensus.NewCommand(kind, string(kind)+"-"+hex.EncodeToString(id), page.Self.Name, now, payload)
	if err != nil {
		return consensus.Command{}, err
	}
	c.Warrant = &consensus.Warrant{
		Operator: key.Name, Key: key.PublicKey(), Grant: key.Grant,
		Signature: key.Sign(consensus.SignedText(page.Cluster, c)),
	}
	return c, nil
}

// look asks for the page that the order is about.
func (x *order) look(ctx context.Context, agent *client.Client) (*status.Page, error) {
	ctx, cancel := context.WithTimeout(ctx, askPatience)
	defer cancel()
	a, err := agent.Get(ctx, client.PageDocument)
	if err != nil {
		return nil, err
	}
	x.noteAge(a.Page)
	if a.Page.Cluster == "" {
		return nil, withCode(exitNoQuorum, errors.New("the agent's ledger is empty: there is nothing to give orders to"))
	}
	return &a.Page, nil
}

// send signs and hands in one command and waits for what the council says.
func (x *order) send(ctx context.Context, agent *client.Client, page *status.Page, kind consensus.FactKind, payload any) (client.Outcome, error) {
	key, err := loadOperatorKey(x.key, ".")
	switch {
	case err != nil:
		return client.Outcome{}, err
	case key == nil:
		return client.Outcome{}, errNoKey
	case !page.Council.Quorum:
		return client.Outcome{}, withCode(exitNoQuorum, errors.New("the agent hears of no council quorum, so nothing can be committed: "+
			"'moonwatch status' shows who is missing"))
	}
	c, err := signed(page, kind, payload, key, time.Now())
	if err != nil {
		return client.Outcome{}, err
	}
	waiting, cancel := context.WithTimeout(ctx, x.timeout)
	defer cancel()
	if err := agent.Submit(waiting, c); err != nil {
		return client.Outcome{}, err
	}
	return x.await(ctx, waiting, agent, c.ID)
}

// await waits until the council has decided about a command.
func (x *order) await(ctx, waiting context.Context, agent *client.Client, id string) (client.Outcome, error) {
	o, err := agent.Wait(waiting, id)
	switch {
	case interrupted(ctx, err):
		return o, fmt.Errorf("no longer waiting: command %s is with the council; 'moonwatch status' shows what came of it", id)
	case errors.Is(err, context.DeadlineExceeded):
		return o, withCode(exitNoQuorum, fmt.Errorf("the council did not decide about %s within %s; it still may: 'moonwatch status' shows "+
			"whether it has a quorum", id, x.timeout))
	case err != nil:
		return o, err
	case o.State == client.Refused:
		return o, withCode(exitRefused, fmt.Errorf("refused in fact %d:\n  %s", o.Fact, strings.ReplaceAll(o.Reason, "\n", "\n  ")))
	}
	return o, nil
}
