package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"regexp"

	"github.com/spf13/cobra"

	"moonwatch/internal/config"
	"moonwatch/internal/strict"
	"moonwatch/member"
)

func (a *app) configCommand() *cobra.Command {
	c := &cobra.Command{
		Use:     "config",
		Short:   "Check and show configuration",
		Example: "  moonwatch config check agent.yaml fleet.yaml\n  moonwatch config show --config /etc/moonwatch/agent.yaml",
	}
	c.AddCommand(a.configCheckCommand(), a.configShowCommand())
	return group(c)
}

func (a *app) configCheckCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "check [FILE]...",
		Short: "Check agent.yaml and fleet.yaml, strictly",
		Long: `Check files and print every mistake with file, line and column, what was found
and what was wanted. What has members or pools in it is a fleet.yaml, anything
else an agent.yaml; without arguments, the two in this folder are checked. Named
together they are checked together: a member that may run exclusive slots needs a
keeper, and the public page is of pools that the fleet has.`,
		Example: `  moonwatch config check
  moonwatch config check /etc/moonwatch/agent.yaml fleet.yaml`,
		RunE: func(_ *cobra.Command, files []string) error {
			if len(files) == 0 {
				files = filesHere(defaultAgentFile, "fleet.yaml")
			}
			if len(files) == 0 {
				return usage("there is neither agent.yaml nor fleet.yaml here: name the files")
			}
			var failed error
			var found checked
			for _, f := range files {
				warnings, err := found.check(f)
				for _, w := range warnings {
					fmt.Fprintf(a.errw, "warning: %s\n", clean(w.String()))
				}
				if err != nil {
					failed = errors.Join(failed, err)
					continue
				}
				fmt.Fprintf(a.out, "%s is good\n", f)
			}
			for _, w := range found.surprises() {
				fmt.Fprintf(a.errw, "warning: %s\n", clean(w))
			}
			return errors.Join(failed, found.together())
		},
	}
}

func filesHere(names ...string) []string {
	var here []string
	for _, name := range names {
		if _, err := os.Stat(name); !errors.Is(err, fs.ErrNotExist) {
			here = append(here, name)
		}
	}
	return here
}

// ofFleet are keys that only a fleet.yaml has.
var ofFleet = regexp.MustCompile(`(?m)^(version|members|pools|brake|shield|never_stop)[ \t]*:`)

// checked are the good files of one call, for what is wrong with them together.
type checked struct {
	agents []*config.Agent
	fleets []*member.Fleet
	paths  map[*config.Agent]string
}

// surprises are what works and may not be meant.
func (k *checked) surprises() (out []string) {
	for _, a := range k.agents {
		for _, f := range k.fleets {
			for _, w := range config.UnknownPublicPools(a, f) {
				out = append(out, k.paths[a]+": "+w)
			}
		}
	}
	return out
}

// together refuses an agent that could not enforce what its fleet gives it.
func (k *checked) together() error {
	var errs []error
	for _, a := range k.agents {
		for _, f := range k.fleets {
			if err := config.CheckEnforcer(a, f); err != nil {
				errs = append(errs, fmt.Errorf("%s: %w", k.paths[a], err))
			}
		}
	}
	return errors.Join(errs...)
}

// check reads one file as what it is. Names decide nothing: people keep several
// fleets under names of their own.
func (k *checked) check(path string) ([]strict.Mistake, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read configuration: %w", err)
	}
	if ofFleet.Match(b) {
		f, warnings, err := config.ParseFleet(path, b)
		if err == nil {
			k.fleets = append(k.fleets, f)
		}
		return warnings, err
	}
	a, err := config.ParseAgent(path, b, os.Environ(), nil)
	if err == nil {
		if k.paths == nil {
			k.paths = map[*config.Agent]string{}
		}
		k.agents, k.paths[a] = append(k.agents, a), path
	}
	return nil, err
}

func (a *app) configShowCommand() *cobra.Command {
	var o agentFile
	format := oneOf{value: "table", words: []string{"table", "json", "yaml"}}
	c := &cobra.Command{
		Use:   "show",
		Short: "Show what an agent would run with, and where each value came from",
		Example: `  moonwatch config show
  MOONWATCH_DATA_DIR=/srv/moonwatch moonwatch config show --config agent.yaml -o json`,
		Args: exactly(),
		RunE: func(c *cobra.Command, _ []string) error {
			cfg, err := o.load(c)
			if err != nil {
				return err
			}
			raw, err := settingsJSON(cfg.Settings())
			if err != nil {
				return err
			}
			r := &reading{app: a, format: format, noColor: true}
			return r.print(raw, func(p *printer) { printSettings(p, cfg.Settings()) })
		},
	}
	o.addTo(c)
	o.addOverridesTo(c)
	c.Flags().VarP(&format, "output", "o", "how to print the answer")
	return c
}

func printSettings(p *printer, settings []config.Setting) {
	table(p, "", settings, []column[config.Setting]{
		{title: "KEY", of: func(s config.Setting) cell { return word(s.Key) }},
		{title: "VALUE", of: func(s config.Setting) cell { return word(s.Value) }},
		{title: "FROM", of: func(s config.Setting) cell {
			if s.Where == "" {
				return word(s.Source)
			}
			return word(s.Where)
		}},
	})
}

func settingsJSON(settings []config.Setting) (json.RawMessage, error) {
	type setting struct {
		Key    string        `json:"key"`
		Value  string        `json:"value"`
		Source config.Source `json:"source"`
		Where  string        `json:"where,omitempty"`
	}
	all := make([]setting, len(settings))
	for i, s := range settings {
		all[i] = setting(s)
	}
	b, err := json.Marshal(map[string]any{"schema": 1, "settings": all})
	if err != nil {
		return nil, fmt.Errorf("print settings: %w", err)
	}
	return b, nil
}
