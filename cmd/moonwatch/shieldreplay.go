package main

import (
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"moonwatch/shield"
	"moonwatch/shield/replay"
)

// replayed is what --json prints.
type replayed struct {
	Schema int    `json:"schema"`
	File   string `json:"file"`
	replay.Result
	Lines replay.Lines `json:"lines"`
}

func (a *app) shieldReplayCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "replay FILE",
		Short: "Show what the shield would have done about the requests of an access log",
		Long: `Play the requests of an access log to the shield's own decisions, in the time of the
log, and show whom it would have held: when, how hard, and why. No agent is asked, and
the same log shows the same each time.

The log is of the common or combined format, with the virtual host in front (Apache's
vhost_combined; nginx: log_format with "$host " before combined), or one JSON object in
a line, with a time, a status, a client and a host as nginx, Caddy and Traefik call them.
For a log without hosts, --host says whose it is. A name that ends in .gz is unpacked,
and - is the standard input. Lines that are no request, that are longer than 1 MiB, or
that are dated far ahead of those after them are passed over and counted.

It plays one door that stands alone. Without --capacity the capacity is learned from
answers of 503, and before the first ones nobody is held. Requests that it would have
refused are counted so; what their clients would have done then, nobody knows. Nobody is
challenged here: on that rung everybody is shaped.`,
		Example: `  moonwatch shield replay /var/log/apache2/other_vhosts_access.log --capacity 500
  moonwatch shield replay access.json.gz --capacity 500 --highest stop --json | jq '.held[].host'
  ls -tr access.log.*.gz | xargs zcat | moonwatch shield replay - --host www.example.com`,
		Args: exactly("FILE"),
	}
	var cfg replay.Config
	c.Flags().Float64Var(&cfg.Capacity, "capacity", 0, "requests a second that can be served; 0 learns it from answers of 503")
	host := c.Flags().String("host", "", "whose log it is, for lines without a host")
	highest := c.Flags().String("highest", "", "rung up to which the door may climb by its vote: challenge, stop or drop (default: it only shapes)")
	c.Flags().StringSliceVar(&cfg.NeverStop, "never-stop", nil, "hosts that are at most challenged, with commas")
	asJSON := c.Flags().Bool("json", false, "print one JSON document")
	c.RunE = func(_ *cobra.Command, args []string) error {
		cfg.Highest = shield.ShapeFleet
		if *highest != "" {
			rung, ok := shield.RungOf(*highest)
			if !ok || !rung.Voted() {
				return usage("--highest is %q, want challenge, stop or drop", *highest)
			}
			cfg.Highest = rung
		}
		if !(cfg.Capacity >= 0 && cfg.Capacity < 1e9) {
			return usage("--capacity is %v, want requests a second, or 0 to learn it", cfg.Capacity)
		}
		result, err := a.replay(args[0], *host, cfg)
		if err != nil {
			return err
		}
		if *asJSON {
			return a.printJSON(result)
		}
		p := &printer{}
		printReplay(p, result)
		return a.print(p)
	}
	return c
}

func (a *app) replay(path, host string, cfg replay.Config) (x replayed, err error) {
	in, closing, err := a.openLog(path)
	if err != nil {
		return x, err
	}
	defer closing()
	r, err := replay.New(cfg)
	if err != nil {
		return x, err
	}
	x.Schema, x.File = 1, path
	if x.Lines, err = replay.Read(in, host, r.Add); err != nil {
		return x, fmt.Errorf("replay %s: %w", path, err)
	}
	if x.Lines.Read == x.Lines.Skipped {
		if len(x.Lines.First) == 0 {
			return x, fmt.Errorf("replay %s: it is empty, want an access log", path)
		}
		return x, fmt.Errorf("replay %s: none of its %d lines is a request: line %d: %s", path, x.Lines.Read, x.Lines.First[0].Line, x.Lines.First[0].Text)
	}
	x.Result = r.End()
	return x, nil
}

// openLog opens a log, packed or not.
func (a *app) openLog(path string) (io.Reader, func(), error) {
	if path == "-" {
		return a.in, func() {}, nil
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, err
	}
	closing := func() { _ = f.Close() } // it was read, and nothing is lost
	if !strings.HasSuffix(path, ".gz") {
		return f, closing, nil
	}
	z, err := gzip.NewReader(f)
	if err != nil {
		closing()
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return nil, nil, fmt.Errorf("unpack %s: %w", path, err)
	}
	return z, closing, nil
}

func printReplay(p *printer, x replayed) {
	name := x.File
	if name == "-" {
		name = "Standard input"
	}
	p.line("%s: %s, %s to %s.", clean(name), many(x.Requests, "request"), moment(x.From), moment(x.To))
	if x.Lines.Skipped > 0 {
		p.line("%d of %d lines are no requests:", x.Lines.Skipped, x.Lines.Read)
		for _, m := range x.Lines.First {
			p.line("  line %d: %s", m.Line, clean(m.Text))
		}
	}
	if x.Late > 0 {
		p.line("%d requests stand more than a second after younger ones, and were played when they stand: where they are many, sort the log by time.", x.Late)
	}
	if x.Ahead > 0 {
		p.line("%s dated more than ten minutes ahead of those after them: passed over.", many(x.Ahead, "request"))
	}
	switch {
	case x.Capacity == 0:
		p.line("The capacity is not known: nothing was answered with 503. Nobody would have been held; try --capacity.")
	case x.Learned:
		p.line("Capacity: %.0f a second at the end, learned. Pressure: at most %.2f.", x.Capacity, x.Pressure)
	default:
		p.line("Capacity: %.0f a second at the end. Pressure: at most %.2f.", x.Capacity, x.Pressure)
	}
	for _, s := range x.Overload {
		p.line("Overload for %s from %s: too much was asked for, and nobody in particular was to blame.", span(s.To.Sub(s.From)), moment(s.From))
	}
	p.line("%s would have been refused, of %s.", many(x.Refused, "request"), many(hostsOf(x.Held), "subdomain"))
	if x.Whole > 0 {
		p.line("%d times somebody would have been watched on the ladder and let in as a whole.", x.Whole)
	}
	p.line("")
	table(p, "Nobody would have been held.", x.Held, []column[replay.Spell]{
		{title: "FROM", of: func(s replay.Spell) cell { return text("%s", s.From.UTC().Format(time.DateTime)) }},
		{title: "FOR", of: func(s replay.Spell) cell { return text("%s", span(s.To.Sub(s.From))) }},
		{title: "SUBDOMAIN", of: func(s replay.Spell) cell { return named(s.Host) }},
		{title: "RUNG", of: func(s replay.Spell) cell { return cell{s.Rung, bad} }},
		{title: "LET IN", of: func(s replay.Spell) cell { return text("%.1f%%", float64(s.Admit)/10) }},
		{title: "ASKED/S", of: func(s replay.Spell) cell { return text("%.1f", s.Demand) }},
		{title: "SHARE/S", of: func(s replay.Spell) cell { return text("%.1f", s.Share) }},
		{title: "REFUSED", of: func(s replay.Spell) cell { return text("%d of %d", s.Refused, s.Asked) }},
		{title: "WHY", of: func(s replay.Spell) cell { return word(s.Why) }},
	})
}

func hostsOf(held []replay.Spell) int {
	hosts := map[string]bool{}
	for _, s := range held {
		hosts[s.Host] = true
	}
	return len(hosts)
}
