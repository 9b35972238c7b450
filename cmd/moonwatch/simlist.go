package main

import (
	"bytes"
	"strings"

	"github.com/spf13/cobra"
)

func (a *app) simListCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Short:   "List the scenarios that are built in",
		Example: "  moonwatch sim list",
		Args:    exactly(),
		RunE: func(*cobra.Command, []string) error {
			var rows []*source
			for _, name := range library() {
				s, _, err := builtin(name)
				if err != nil {
					return err
				}
				rows = append(rows, s)
			}
			p := &printer{}
			table(p, "no scenario is built in", rows, []column[*source]{
				{title: "NAME", of: func(s *source) cell { return text("%s", s.arg) }},
				{title: "MEMBERS", of: func(s *source) cell { return count(s.scenario.Members()) }},
				{title: "ABOUT", of: func(s *source) cell { return text("%s", firstSentence(s.scenario.About)) }},
			})
			return a.print(p)
		},
	}
}

// firstSentence is enough for a list.
func firstSentence(s string) string {
	if first, _, more := strings.Cut(s, ". "); more {
		return first + "."
	}
	return s
}

func (a *app) simShowCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "show NAME",
		Short: "Print a scenario, and what happens when it is played",
		Long: `Print a built-in scenario as its file and, as comments behind it, what happens when
it is played with its own seed. The output is a scenario file to start from.`,
		Example: "  moonwatch sim show machine-dies",
		Args:    exactly("NAME"),
		RunE: func(_ *cobra.Command, args []string) error {
			s, ok, err := builtin(args[0])
			switch {
			case err != nil:
				return err
			case !ok:
				return unknownScenario(args[0])
			}
			p := &printer{}
			p.line("# moonwatch sim run %s", s.arg)
			if len(s.text) == 0 {
				p.line("# %s", s.scenario.About)
				return a.print(p)
			}
			p.lines(string(bytes.TrimSpace(s.text)))
			if len(s.transcript) > 0 {
				p.line("")
				p.line("# What happens with seed %d:", s.scenario.Seed)
				for line := range strings.Lines(string(s.transcript)) {
					p.line("# %s", strings.TrimSuffix(line, "\n"))
				}
			}
			return a.print(p)
		},
	}
}
