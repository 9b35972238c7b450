package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/spf13/cobra"

	"moonwatch/internal/client"
	"moonwatch/internal/config"
	"moonwatch/status"
)

// askPatience is how long an agent may take to answer one question: it answers
// from memory, so a second is long already.
const askPatience = 5 * time.Second

// reading is what all commands have in common that ask an agent.
type reading struct {
	app     *app
	agent   string
	format  oneOf
	noColor bool
}

// reading is for commands that show what stands, and may be asked to go on with it.
func (a *app) reading(c *cobra.Command) *reading {
	a.addWatchTo(c)
	return a.readingOnce(c)
}

// readingOnce is for those whose answer is of that moment, or that go on in their own way.
func (a *app) readingOnce(c *cobra.Command) *reading {
	r := &reading{app: a, format: oneOf{value: "table", words: []string{"table", "wide", "json", "yaml"}}}
	r.addAgentTo(c)
	c.Flags().VarP(&r.format, "output", "o", "how to print the answer")
	return r
}

func (r *reading) addAgentTo(c *cobra.Command) {
	c.Flags().StringVar(&r.agent, "agent", "", "the agent to ask: HOST:PORT or unix:PATH (default: the one of ./agent.yaml, else of /etc/moonwatch/agent.yaml)")
	c.Flags().BoolVar(&r.noColor, "no-color", false, "print without colours, as with NO_COLOR set")
}

// ask finds the agent and makes a client of it.
func (r *reading) ask() (*client.Client, error) {
	address, err := r.address()
	if err != nil {
		return nil, err
	}
	c, err := client.New(address)
	if errors.Is(err, client.ErrAddress) {
		return nil, usage("--agent is %w", err)
	}
	return c, err
}

// machineAgentFile is where packages and the README put agent.yaml.
const machineAgentFile = "/etc/moonwatch/agent.yaml"

// address is what --agent says, else the socket of the agent.yaml in this
// folder or of this machine's, else the one that agents have by default.
func (r *reading) address() (string, error) {
	if r.agent != "" {
		return r.agent, nil
	}
	file := defaultAgentFile
	cfg, err := config.LoadAgent(file, os.Environ(), nil)
	if errors.Is(err, fs.ErrNotExist) && os.Getenv("MOONWATCH_SOCKET") == "" {
		file = machineAgentFile
		cfg, err = config.LoadAgent(file, os.Environ(), nil)
	}
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, fs.ErrPermission) && file == machineAgentFile:
		if s := os.Getenv("MOONWATCH_SOCKET"); s != "" {
			if s, err = filepath.Abs(s); err != nil {
				return "", err
			}
			return "unix:" + s, nil
		}
		return "unix:" + config.DefaultAgent().Socket, nil
	case err != nil:
		return "", fmt.Errorf("find the agent: %w\ncorrect the file, or name the agent with --agent", err)
	case cfg.Socket != "":
		return "unix:" + cfg.Socket, nil
	case cfg.HTTP != "":
		return cfg.HTTP, nil
	default:
		return "", usage("%s opens neither socket nor http: name an agent with --agent", file)
	}
}

// get asks for one document.
func (r *reading) get(ctx context.Context, d client.Document) (client.Answer, error) {
	c, err := r.ask()
	if err != nil {
		return client.Answer{}, err
	}
	defer c.Close()
	ctx, cancel := context.WithTimeout(ctx, askPatience)
	defer cancel()
	a, err := c.Get(ctx, d)
	if err == nil && c.Local() {
		r.noteStalled(a.Page, time.Now())
	}
	return a, err
}

// stalledAfter is the age of a page that no healthy agent shows: it renews its
// page every 5 s.
const stalledAfter = 15 * time.Second

// noteStalled warns of an agent that serves its last page and nothing newer.
// Only the agent of this machine has our clock.
func (r *reading) noteStalled(p status.Page, now time.Time) {
	if age := now.Sub(p.Now); age > stalledAfter {
		fmt.Fprintf(r.app.errw, "note: this is what the agent knew %s ago: it answers and makes no progress\n", span(age))
	}
}

// show asks for a document and prints it: as a table, or as the agent sent it.
func (r *reading) show(ctx context.Context, d client.Document, table func(*printer, status.Page)) error {
	a, err := r.get(ctx, d)
	if err != nil {
		return err
	}
	r.noteAge(a.Page)
	return r.print(a.Raw, func(p *printer) { table(p, a.Page) })
}

// print writes an answer in the format that was asked for.
func (r *reading) print(raw json.RawMessage, table func(*printer)) error {
	var err error
	switch r.format.value {
	case "json":
		var b []byte
		if b, err = json.MarshalIndent(raw, "", "  "); err == nil {
			_, err = fmt.Fprintf(r.app.out, "%s\n", b)
		}
	case "yaml":
		var b []byte
		if b, err = yaml.JSONToYAML(raw); err == nil {
			_, err = r.app.out.Write(b)
		}
	default:
		p := &printer{wide: r.format.value == "wide", color: r.colored()}
		table(p)
		_, err = r.app.out.Write(p.bytes())
	}
	if err != nil {
		return fmt.Errorf("print the answer: %w", err)
	}
	return nil
}

// noteAge says on standard error how old the answer may be, when it is not
// what stands.
func (r *reading) noteAge(p status.Page) {
	k := p.Knowledge
	switch {
	case k.Head == 0:
		fmt.Fprintln(r.app.errw, "note: the agent's ledger is empty: it waits for the founding council, or for somebody who has the ledger")
	case !k.Current:
		fmt.Fprintf(r.app.errw, "note: the agent hears of no council quorum: this is fact %d and what it knew %s ago, at %s\n",
			k.Head, span(k.Age(p.Now)), moment(k.AsOf))
	}
	if k.Blocked != "" {
		fmt.Fprintf(r.app.errw, "note: the agent stopped deciding: %s\n", clean(k.Blocked))
	}
}

func (r *reading) colored() bool {
	return !r.noColor && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb" && isTerminal(r.app.shownOn())
}
