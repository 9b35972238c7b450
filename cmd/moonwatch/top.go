package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"moonwatch/internal/client"
)

// How often the agent is asked, if nothing else is wanted: it renews its page several
// times a second while something happens.
const (
	topEvery   = time.Second
	topSoonest = 200 * time.Millisecond
)

func (a *app) topCommand() *cobra.Command {
	var every time.Duration
	var once bool
	c := &cobra.Command{
		Use:   "top",
		Short: "Watch the fleet live: mode, cases with their deadlines, members, shield",
		Long: `Show what the agent knows in one screen and keep it fresh: the mode with its reason, its
age and how it ends, pools and spares, open cases with their deadlines, what the shield
of the agent's door does, and the members, those in trouble first.

Keys: q quit, ? help, j k and arrows move, enter tells why the member under the cursor is
as it is, c tells it of the first open case, s sorts by the next column, r the other way
round, / filters, p pauses. It changes nothing in the fleet.

Where standard output is no terminal, and with --once, it prints one frame of all members
and ends. An agent that does not answer is asked on, and the view says since when.

Exit codes: 0 ended by a key or a signal, 1 error, also no agent at the start; with one
frame those of 'moonwatch status'.`,
		Example: `  moonwatch top
  moonwatch top --agent 10.0.0.1:7980
  moonwatch top --once | head -20`,
		Args: exactly(),
	}
	r := &reading{app: a}
	r.addAgentTo(c)
	c.Flags().DurationVar(&every, "every", topEvery, "how often to ask the agent")
	c.Flags().BoolVar(&once, "once", false, "print one frame and end")
	c.RunE = func(c *cobra.Command, _ []string) error {
		if every < topSoonest {
			return usage("--every is %s, want at least %s", every, topSoonest)
		}
		first := r.topPage(c.Context())
		if first.err != nil {
			return first.err // nobody wants to look at an empty screen
		}
		if once || !isTerminal(a.out) || !isTerminal(a.in) {
			r.noteAge(*first.page)
			return r.topOnce(first)
		}
		s, err := openScreen(!r.noColor && os.Getenv("NO_COLOR") == "")
		if err != nil {
			return fmt.Errorf("%w\n'moonwatch top --once' and 'moonwatch status' need no such terminal", err)
		}
		return s.run(c.Context(), r, first, every)
	}
	return c
}

// topPage asks for what the view shows.
func (r *reading) topPage(ctx context.Context) topHeard {
	ctx, cancel := context.WithTimeout(ctx, askPatience)
	defer cancel()
	agent, err := r.ask()
	if err != nil {
		return topHeard{now: time.Now(), err: err}
	}
	defer agent.Close()
	answer, err := agent.Get(ctx, client.PageDocument)
	if err != nil {
		return topHeard{now: time.Now(), err: err}
	}
	heard := topHeard{page: &answer.Page}
	// An agent without a door has no shield, an older one does not tell: the rest is shown.
	if doc, _, err := agent.Shield(ctx, ""); err == nil {
		heard.shield = &doc
	}
	heard.now = time.Now()
	return heard
}

func (r *reading) topExplain(ctx context.Context, id string) topExplained {
	ctx, cancel := context.WithTimeout(ctx, askPatience)
	defer cancel()
	agent, err := r.ask()
	if err != nil {
		return topExplained{id: id, lines: []string{err.Error()}}
	}
	defer agent.Close()
	e, _, err := agent.Explain(ctx, id)
	if err != nil {
		return topExplained{id: id, lines: []string{err.Error()}}
	}
	return topExplained{id: id, lines: e.Lines, see: e.See}
}

// topPageSafely is topPage for a goroutine of its own, where a panic would end the
// program and leave the terminal as the view has set it.
func (r *reading) topPageSafely(ctx context.Context) (heard topHeard) {
	defer func() {
		if broken := recover(); broken != nil {
			heard = topHeard{now: time.Now(), err: fmt.Errorf("asking for the page broke: %v", broken)}
		}
	}()
	return r.topPage(ctx)
}

// topExplainSafely is topExplain for a goroutine of its own.
func (r *reading) topExplainSafely(ctx context.Context, id string) (told topExplained) {
	defer func() {
		if broken := recover(); broken != nil {
			told = topExplained{id: id, lines: []string{fmt.Sprintf("asking for %s broke: %v", id, broken)}}
		}
	}()
	return r.topExplain(ctx, id)
}

// topOnce prints one frame, as wide and long as it wants to be.
func (r *reading) topOnce(first topHeard) error {
	m := topModel{width: math.MaxInt32, height: math.MaxInt32, now: first.now}
	m, _ = m.step(first)
	p := &printer{color: r.colored()}
	for _, l := range append(m.above(), m.below()...) {
		p.coloured(l)
	}
	if _, err := r.app.out.Write(p.bytes()); err != nil {
		return fmt.Errorf("print the frame: %w", err)
	}
	return condition(*first.page)
}

// coloured prints a line of the view.
func (p *printer) coloured(l topLine) {
	if !p.color {
		p.line("%s", l)
		return
	}
	for i, c := range l.cells {
		if i == len(l.cells)-1 {
			c.text = strings.TrimRight(c.text, " ")
		}
		if c.tone != plain {
			c.text = "\x1b[" + string(c.tone) + "m" + c.text + "\x1b[0m"
		}
		p.out.WriteString(c.text)
	}
	p.out.WriteByte('\n')
}

// errScreen is a terminal that cannot be drawn on.
var errScreen = errors.New("this terminal cannot show a live view")
