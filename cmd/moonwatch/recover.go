package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"moonwatch/consensus"
	"moonwatch/internal/config"
	"moonwatch/internal/refound"
	"moonwatch/member"
)

func (a *app) recoverCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "recover",
		Short: "Found a new council when most councillors are lost for good",
		Long: `Found a new council from the ledger of a survivor, when most of the old one is lost
for good and nothing brings it back: its machines burnt, its disks are gone. While
most of it can still come back, wait or start its agents.

Nobody votes on this, so two operators sign it, each after looking at the plan:

  1. On survivors that may sit in the council, stop the agent and survey its disk:
       moonwatch council recover survey --config agent.yaml --to web-3.survivor
  2. Anywhere, make the plan. It goes on from the freshest ledger and says what may
     be lost:
       moonwatch council recover plan *.survivor --to plan.json
  3. Both operators look at plan.json and sign it:
       moonwatch council recover sign plan.json --operator-key alice.key --to alice.signed
  4. On the member that the plan names as bearer, with its agent stopped:
       moonwatch council recover apply alice.signed bob.signed --config agent.yaml
  5. Start its agent, then the others. They follow, take their seats, and elect.

Make sure before that the lost councillors cannot run with their old disks. One that
comes back all the same leaves its seat as soon as it hears of the new council; but
most of them together, cut off from everybody else, would go on deciding.`,
		Example: "  moonwatch council recover survey --data-dir /var/lib/moonwatch --to web-3.survivor",
	}
	c.AddCommand(a.recoverSurveyCommand(), a.recoverPlanCommand(), a.recoverSignCommand(), a.recoverApplyCommand())
	return group(c)
}

// dataFolder is where an agent that does not run keeps its ledger.
type dataFolder struct {
	dir  string
	file agentFile
}

func (x *dataFolder) addTo(c *cobra.Command) {
	x.file.addTo(c)
	c.Flags().StringVar(&x.dir, "data-dir", "", "the agent's data folder (default: the one that agent.yaml names)")
}

func (x *dataFolder) find(c *cobra.Command) (string, error) {
	if x.dir != "" {
		return x.dir, nil
	}
	var cfg *config.Agent
	cfg, err := x.file.load(c)
	if err != nil {
		return "", err
	}
	return cfg.DataDir, nil
}

func (a *app) recoverSurveyCommand() *cobra.Command {
	var from dataFolder
	out := jsonFile{app: a}
	c := &cobra.Command{
		Use:   "survey",
		Short: "Tell what the disk of a survivor holds",
		Long: `Read the ledger of an agent that does not run, and tell what a plan needs to know of
it: whose disk it is, how far it reaches, what its raft log has beyond it, which heads
of the audit chain it remembers. Nothing is changed, and no secret is in it.`,
		Example: `  moonwatch council recover survey --to web-3.survivor
  moonwatch council recover survey --data-dir /var/lib/moonwatch --to web-3.survivor`,
		Args: exactly(),
	}
	from.addTo(c)
	out.addTo(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		dir, err := from.find(c)
		if err != nil {
			return err
		}
		s, err := refound.Survey(dir)
		if err != nil {
			return err
		}
		fmt.Fprintf(a.errw, "%s: the ledger of %s in cluster %s ends with fact %d, head %s\n", dir, s.Member, s.Cluster, s.Log.Index, headWord(s.Log.Hash))
		return out.write(s)
	}
	return c
}

func (a *app) recoverPlanCommand() *cobra.Command {
	var council []string
	out := jsonFile{app: a}
	c := &cobra.Command{
		Use:   "plan SURVIVOR...",
		Short: "Make the plan that two operators sign",
		Long: `Choose the ledger that goes on, and the new council: as many as before, or the most
that survived, spread over failure domains. Name them with --councillors to choose
otherwise. What is lost, or may be, is said in warnings.

It is refused while the survivors are a quorum of the old council.`,
		Example: `  moonwatch council recover plan *.survivor --to plan.json
  moonwatch council recover plan web-3.survivor web-4.survivor web-5.survivor --councillors web-3,web-4,web-5 --to plan.json`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usage("SURVIVOR is missing: want the files that 'moonwatch council recover survey' wrote")
			}
			return nil
		},
		RunE: func(_ *cobra.Command, args []string) error {
			var survivors []consensus.Survivor
			var mistakes []error
			for _, path := range args {
				s, err := refound.ReadSurvivor(path)
				survivors, mistakes = append(survivors, s), append(mistakes, err)
			}
			if err := errors.Join(mistakes...); err != nil {
				return err
			}
			var ids []member.ID
			for _, n := range council {
				ids = append(ids, member.ID(n))
			}
			p, warnings, err := consensus.PlanRefounding(survivors, ids, time.Now())
			if err != nil {
				return fmt.Errorf("plan: %w", err)
			}
			tellPlan(a.errw, p)
			for _, w := range warnings {
				fmt.Fprintf(a.errw, "warning: %s\n", w)
			}
			return out.write(p)
		},
	}
	out.addTo(c)
	c.Flags().StringSliceVar(&council, "councillors", nil, "who sits in the new council, with commas")
	return c
}

func (a *app) recoverSignCommand() *cobra.Command {
	var key string
	out := jsonFile{app: a}
	c := &cobra.Command{
		Use:     "sign PLAN",
		Short:   "Sign a plan as one of two operators",
		Long:    "Show a plan and sign it with an operator's key. Both operators sign the same file.",
		Example: "  moonwatch council recover sign plan.json --operator-key alice.key --to alice.signed",
		Args:    exactly("PLAN"),
		RunE: func(_ *cobra.Command, args []string) error {
			p, err := refound.ReadPlan(args[0])
			if err != nil {
				return err
			}
			k, err := loadOperatorKey(key, ".")
			if err != nil {
				return err
			}
			if k == nil {
				return errNoKey
			}
			s, err := refound.Sign(p, k)
			if err != nil {
				return err
			}
			tellPlan(a.errw, p)
			fmt.Fprintf(a.errw, "signed by %s\n", k.Name)
			return out.write(s)
		},
	}
	out.addTo(c)
	c.Flags().StringVar(&key, "operator-key", "", "file of the operator's key (default: MOONWATCH_OPERATOR_KEY, else ./operator.key)")
	return c
}

func (a *app) recoverApplyCommand() *cobra.Command {
	var from dataFolder
	c := &cobra.Command{
		Use:   "apply SIGNED SIGNED",
		Short: "Carry out a plan that two operators have signed",
		Long: `Write the new council to the data folder of the plan's bearer, whose agent does not
run. Nothing is changed unless all fits: both signatures, one and the same plan, this
member, this ledger. After a crash in the middle, give the command again.

Exit codes: 0 done, 1 nothing was changed.`,
		Example: "  moonwatch council recover apply alice.signed bob.signed --data-dir /var/lib/moonwatch",
		Args:    exactly("SIGNED", "SIGNED"),
	}
	from.addTo(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		r, err := refound.Join(args[0], args[1])
		if err != nil {
			return err
		}
		dir, err := from.find(c)
		if err != nil {
			return err
		}
		p, err := refound.CarryOut(dir, r)
		if err != nil {
			return err
		}
		tellPlan(a.out, p)
		fmt.Fprintf(a.out, "Done: %s goes on after fact %d. Start its agent, then the others.\n", p.Bearer, p.Head)
		return nil
	}
	return c
}

// tellPlan shows a plan to whoever is to stand behind it.
func tellPlan(w io.Writer, p consensus.RefoundPlan) {
	var council []string
	for _, s := range p.Council {
		council = append(council, string(s.Member))
	}
	lost := make([]string, 0, len(p.Lost))
	for _, id := range p.Lost {
		lost = append(lost, string(id))
	}
	fmt.Fprintf(w, `Refounding %d of cluster %s, %s:
  the ledger of %s goes on after fact %d, head %s
  new council  %s
  lost for good, and never to run again with their old disks  %s
`, p.Number, p.Cluster, p.Time.UTC().Format(time.RFC3339), p.Bearer, p.Head, headWord(p.Hash), strings.Join(council, ", "), strings.Join(lost, ", "))
}

// headWord is a head of the audit chain as people compare it.
func headWord(b []byte) string {
	var h consensus.Hash
	copy(h[:], b)
	return h.String()
}

// jsonFile is where a command writes what it made: a file that was not there, or
// standard output.
type jsonFile struct {
	app *app
	to  string
}

func (x *jsonFile) addTo(c *cobra.Command) {
	c.Flags().StringVar(&x.to, "to", "", "the file to write; it must not exist (default: standard output)")
}

func (x *jsonFile) write(v any) error {
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	out, done := x.app.out, func(err error) error { return err }
	if x.to != "" {
		if out, done, err = newFile(x.to); err != nil {
			return err
		}
	}
	_, err = out.Write(append(b, '\n'))
	return done(err)
}
