package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"moonwatch/internal/client"
)

// How often --watch asks, if nothing else is said, and how often it may.
const (
	watchEvery   = 2 * time.Second
	watchSoonest = 200 * time.Millisecond
)

// addWatchTo lets a command be repeated. What it is about to do is wrapped when the whole
// program is put together, for the command does not know it yet.
func (a *app) addWatchTo(c *cobra.Command) {
	a.watched = append(a.watched, c)
	c.Flags().Duration("watch", 0, "ask again and again, until Ctrl-C; --watch=5s: how often")
	c.Flags().Lookup("watch").NoOptDefVal = watchEvery.String()
}

// letWatch makes --watch work for a command that has it.
func (a *app) letWatch(c *cobra.Command) {
	once := c.RunE
	c.RunE = func(c *cobra.Command, args []string) error {
		every, err := c.Flags().GetDuration("watch")
		switch {
		case err != nil:
			return err
		case !c.Flags().Changed("watch"):
			return once(c, args)
		case every < watchSoonest:
			return usage("--watch is %s, want at least %s", every, watchSoonest)
		}
		format := ""
		if f := c.Flags().Lookup("output"); f != nil {
			format = f.Value.String()
		}
		w := watcher{app: a, out: a.out, format: format, every: every, title: c.CommandPath() + " " + strings.Join(args, " ")}
		return w.run(c.Context(), func() error { return once(c, args) })
	}
}

// watcher repeats a command that prints what stands. On a terminal each answer takes the
// place of the one before; elsewhere tables are printed when they have changed, and JSON
// and YAML with every answer: a document a line, or between lines of ---.
type watcher struct {
	app    *app
	out    io.Writer
	format string
	every  time.Duration
	title  string

	last   string
	silent bool // the agent does not answer, and that was said
}

// run repeats until ctx ends, which is how watching ends. A mistake in the call ends it at
// once; an agent that does not answer is asked on.
func (w *watcher) run(ctx context.Context, once func() error) error {
	defer func() { w.app.out, w.app.terminal = w.out, nil }()
	tick := time.NewTicker(w.every)
	defer tick.Stop()
	for first := true; ; first = false {
		var b bytes.Buffer
		w.app.out, w.app.terminal = &b, w.out
		err := once()
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, client.ErrUnreachable) && !first, errors.Is(err, client.ErrStarting):
			if !w.silent {
				fmt.Fprintf(w.app.errw, "note: %v; asking on\n", err)
			}
			w.silent = true
		case err != nil && err.Error() != "": // an exit code alone tells the condition, and that changes
			return err
		default:
			w.silent = false
			if err := w.show(b.Bytes()); err != nil {
				return fmt.Errorf("print the answer: %w", err)
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

func (w *watcher) show(answer []byte) error {
	var err error
	switch {
	case w.format == "json":
		var line bytes.Buffer
		if err = json.Compact(&line, answer); err == nil {
			_, err = fmt.Fprintf(w.out, "%s\n", line.Bytes())
		}
	case w.format == "yaml":
		_, err = fmt.Fprintf(w.out, "---\n%s", answer)
	case isTerminal(w.out):
		// To the upper left corner, and away with what was there.
		_, err = fmt.Fprintf(w.out, "\x1b[H\x1b[2J\x1b[3Jevery %s: %s  %s\n\n%s", w.every, clean(w.title), moment(time.Now()), answer)
	case string(answer) != w.last:
		if w.last != "" {
			_, err = fmt.Fprintln(w.out)
		}
		if err == nil {
			_, err = w.out.Write(answer)
		}
	}
	w.last = string(answer)
	return err
}
