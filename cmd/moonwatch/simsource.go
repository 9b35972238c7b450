package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"moonwatch/sim"
	"moonwatch/sim/campaign"
	"moonwatch/sim/scenario"
)

// source is what a sim command plays: a scenario, or a plan that one was
// compiled to.
type source struct {
	arg        string
	text       []byte
	transcript []byte             // of a built-in scenario, as it is expected
	scenario   *scenario.Scenario // nil: it is a plan
	plan       *scenario.Plan     // nil: it is a scenario
}

// openSource finds what FILE|NAME means. A name with a slash or one of our
// extensions is a file; any other is built in, and a file only if nothing of
// that name is.
func openSource(arg string) (*source, error) {
	if !isPath(arg) {
		if s, ok, err := builtin(arg); ok || err != nil {
			return s, err
		}
	}
	text, err := os.ReadFile(arg)
	switch {
	case errors.Is(err, fs.ErrNotExist) && !isPath(arg):
		return nil, unknownScenario(arg)
	case err != nil:
		return nil, fmt.Errorf("read scenario: %w", err)
	}
	s := &source{arg: arg, text: text}
	// A plan is JSON; a scenario begins with a key.
	if bytes.HasPrefix(bytes.TrimSpace(text), []byte("{")) {
		s.plan, err = scenario.DecodePlan(arg, text)
	} else {
		s.scenario, err = scenario.Parse(arg, text)
	}
	if err != nil {
		return nil, err
	}
	return s, nil
}

// openPlan wants a plan.
func openPlan(arg string) (*source, error) {
	s, err := openSource(arg)
	if err != nil {
		return nil, err
	}
	if s.plan == nil {
		return nil, usage("%s is a scenario, want a plan: 'moonwatch sim run %s --save-plan FILE' makes one", arg, arg)
	}
	return s, nil
}

// unknownScenario names the built-in scenario that was probably meant, by the
// same measure as a command.
func unknownScenario(name string) error {
	list := &cobra.Command{SuggestionsMinimumDistance: 2}
	for _, s := range library() {
		list.AddCommand(&cobra.Command{Use: s, Run: func(*cobra.Command, []string) {}})
	}
	if meant := list.SuggestionsFor(name); len(meant) > 0 {
		return usage("unknown scenario %q, did you mean %s?", name, strings.Join(meant, " or "))
	}
	return usage("unknown scenario %q: 'moonwatch sim list' names those that are built in; a file has .yaml or .json at its end", name)
}

// seed is that of a plan, or the one that a scenario is played with if nobody
// asks for another.
func (s *source) seed() uint64 {
	if s.plan != nil {
		return s.plan.Seed
	}
	return s.scenario.Seed
}

// compile gives the plan and its bytes.
func (s *source) compile(seed uint64, opt scenario.Options) (*scenario.Plan, []byte, error) {
	p := s.plan
	if p == nil {
		var err error
		if p, err = s.scenario.Compile(seed, opt); err != nil {
			return nil, nil, err
		}
	}
	text, err := p.Encode()
	return p, text, err
}

func isPath(arg string) bool {
	return strings.ContainsRune(arg, filepath.Separator) || slices.Contains([]string{".yaml", ".yml", ".json"}, filepath.Ext(arg))
}

// notThere refuses to write where something is.
func notThere(path string) error {
	if _, err := os.Lstat(path); err == nil {
		return fmt.Errorf("%s is there already, and is kept as it is: want another name", path)
	}
	return nil
}

// crewFor is the crew for one plan.
func (a *app) crewFor(p *scenario.Plan, workers int) (campaign.Crew, error) {
	return a.crew(len(p.World.Fleet.Members), workers, time.Duration(p.Storm+p.Settle))
}

// stepText is a step of a plan for people.
func stepText(s scenario.PlanStep) string {
	f := sim.Fault{
		At: time.Duration(s.At), Do: s.Do, Whom: s.Members, Other: s.Others, For: time.Duration(s.For), Share: s.Share,
		Delay: time.Duration(s.Delay), Every: time.Duration(s.Every), Serve: s.Serve, Host: s.Host, Change: s.Change,
	}
	text := f.String()
	if s.On != nil {
		text = "after " + s.On.String() + ": " + text
	}
	for _, w := range s.Whom {
		text += " " + w.String()
	}
	return text
}
