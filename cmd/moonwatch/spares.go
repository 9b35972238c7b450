package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"moonwatch/failover"
	"moonwatch/internal/client"
	"moonwatch/internal/config"
	"moonwatch/member"
	"moonwatch/status"
)

func (a *app) sparesCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "spares",
		Short: "List the spares: what each is ready for, and what keeps it from it",
		Long: `List the members of pools that hold no slot: whether they have proven lately that
they are ready, and what they wait for. A spare tests itself once a minute (actions
installed, disk, clock) and its word is good for 15 minutes; its observers prove that it
can be reached, and drills ('moonwatch drill') that it can prepare. Only a ready one is
put into a slot.`,
		Example: `  moonwatch spares
  moonwatch spares -o json | jq '.members[] | select(.duty == "spare" and (.ready | not))'
  moonwatch spares advise fleet.yaml`,
		Args: listed,
	}
	r := a.reading(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		return r.show(c.Context(), client.PageDocument, printSpares)
	}
	c.AddCommand(a.adviseCommand(), a.clearCommand())
	return c
}

func printSpares(p *printer, page status.Page) {
	rows := slices.DeleteFunc(slices.Clone(page.Members), func(m status.Member) bool {
		return m.Duty == "" || m.Duty == failover.Occupant
	})
	table(p, "There are no spares: every member of a pool holds a slot.", rows, []column[status.Member]{
		{title: "MEMBER", of: func(m status.Member) cell { return word(m.ID) }},
		{title: "POOL", of: func(m status.Member) cell { return word(m.Pool) }},
		{title: "FAILURE DOMAIN", of: func(m status.Member) cell { return word(m.Domain) }},
		{title: "DUTY", of: func(m status.Member) cell {
			if page.Drill != nil && page.Drill.Member == m.ID {
				return cell{string(m.Duty) + ", in a drill", plain}
			}
			return word(m.Duty)
		}},
		{title: "READY", of: spareReady},
		{title: "PROVEN", of: func(m status.Member) cell { return since(page.Now, m.Proven) }},
		{title: "DRILLED", of: func(m status.Member) cell { return lastDrill(page.Now, m.Drilled) }},
		{title: "STRIKES", of: func(m status.Member) cell { return count(m.Strikes) }},
		{title: "USED", wide: true, of: func(m status.Member) cell { return since(page.Now, m.LastUsed) }},
		{title: "TO STOP", wide: true, of: func(m status.Member) cell { return word(join(m.Leftover)) }},
		{title: "WAITS FOR", of: func(m status.Member) cell { return cell{m.NotReady, warn} }},
	})
	for _, x := range page.Loans() {
		p.line("")
		p.line("%s.", x)
	}
	for _, x := range page.Pools {
		if x.Prepares != nil && x.Prepares.Of > 0 {
			p.line("")
			p.line("A spare of pool %s is prepared within %s (19 of 20, of the last %d times).", x.Name, span(x.Prepares.Likely), x.Prepares.Of)
		}
		if x.Short() {
			p.line("")
			p.line("Pool %s has %d free spares, fewer than its floor of %d.", x.Name, x.Free, x.Floor)
		}
	}
}

// lastDrill is when a member did its last drill, and how that ended.
func lastDrill(now time.Time, d *failover.Drilled) cell {
	switch {
	case d == nil:
		return cell{}
	case !d.Good:
		return cell{"failed " + since(now, d.At).text + " ago", bad}
	default:
		return text("%s ago, took %s", since(now, d.At).text, span(d.Took))
	}
}

func spareReady(m status.Member) cell {
	switch {
	case m.Verdict != "":
		return cell{string(m.Verdict), bad}
	case m.Duty != failover.Spare:
		return cell{"-", plain}
	case m.Ready:
		return cell{"yes", good}
	default:
		return cell{"no", bad}
	}
}

// The failure rate that is assumed where nobody says another one, and how long a
// repair may take: a working day later somebody has looked.
const (
	usualMTBF   = 3 * 365 * 24 * time.Hour
	usualRepair = 24 * time.Hour
	usualRisk   = 1e-3
)

func (a *app) adviseCommand() *cobra.Command {
	s := failover.Sizing{MTBF: usualMTBF, Repair: usualRepair, Risk: usualRisk}
	c := &cobra.Command{
		Use:   "advise [fleet.yaml]",
		Short: "Say how many spares each pool needs",
		Long: `Say how many spares each pool needs: for members that fail one by one, as many that
with --risk at most more of them are in repair than there are spares; and for the
largest failure domain that is replaced without people (a fifth of the fleet at most),
as many as it may hold slots. Without a file the fleet in force is asked about.

Repairing faster is cheaper than buying spares: from 72 h to 4 h, nine become two.`,
		Example: `  moonwatch spares advise
  moonwatch spares advise fleet.yaml --repair 4h
  moonwatch spares advise fleet.yaml --mtbf 8760h --risk 0.0001 -o json`,
		Args: cobra.MaximumNArgs(1),
	}
	r := a.readingOnce(c)
	c.Flags().DurationVar(&s.MTBF, "mtbf", s.MTBF, "how long a member runs between two failures, on average")
	c.Flags().DurationVar(&s.Repair, "repair", s.Repair, "from a failure until the member is a spare again, burn-in included")
	c.Flags().Float64Var(&s.Risk, "risk", s.Risk, "the share of the time in which spares may be too few")
	c.RunE = func(c *cobra.Command, args []string) error {
		f, likely, err := r.fleetToSize(c, args)
		if err != nil {
			return err
		}
		advice, err := failover.Advise(f, s)
		if err != nil {
			return usage("%w", err)
		}
		for i, x := range advice {
			advice[i].Prepares = likely[x.Pool]
		}
		raw, err := json.Marshal(struct {
			Schema int               `json:"schema"`
			Pools  []failover.Advice `json:"pools"`
		}{status.Schema, append([]failover.Advice{}, advice...)})
		if err != nil {
			return fmt.Errorf("print the advice: %w", err)
		}
		return r.print(raw, func(p *printer) { printAdvice(p, advice) })
	}
	return c
}

// fleetToSize is the fleet of a file, or the one in force, and how long its spares take
// to prepare.
func (r *reading) fleetToSize(c *cobra.Command, args []string) (*member.Fleet, map[string]*failover.Estimate, error) {
	if len(args) == 1 {
		f, err := config.LoadFleet(args[0])
		return f, nil, err
	}
	cl, err := r.ask()
	if err != nil {
		return nil, nil, err
	}
	defer cl.Close()
	f, err := cl.Fleet(c.Context())
	switch {
	case err != nil:
		return nil, nil, err
	case f.Fleet == nil:
		return nil, nil, fmt.Errorf("size the spares: there is no fleet yet: name a fleet.yaml")
	}
	a, err := cl.Get(c.Context(), client.PageDocument)
	if err != nil {
		return nil, nil, err
	}
	likely := map[string]*failover.Estimate{}
	for _, p := range a.Page.Pools {
		likely[p.Name] = p.Prepares
	}
	return f.Fleet, likely, nil
}

func printAdvice(p *printer, advice []failover.Advice) {
	table(p, "There are no pools.", advice, []column[failover.Advice]{
		{title: "POOL", of: func(x failover.Advice) cell { return word(x.Pool) }},
		{title: "MEMBERS", of: func(x failover.Advice) cell { return count(x.Members) }},
		{title: "SLOTS", of: func(x failover.Advice) cell { return count(x.Slots) }},
		{title: "SPARES", of: func(x failover.Advice) cell { return text("%d", x.Have) }},
		{title: "BY CHANCE", of: func(x failover.Advice) cell { return text("%d", x.Chance) }},
		{title: "FAILURE DOMAIN", of: func(x failover.Advice) cell {
			if x.Lost == 0 {
				return cell{"none is small enough", plain}
			}
			return text("%d (%s)", x.Lost, x.Largest)
		}},
		{title: "PREPARED WITHIN", of: func(x failover.Advice) cell {
			if x.Prepares == nil {
				return cell{}
			}
			if x.Prepares.Of == 0 {
				return text("%s, a guess", span(x.Prepares.Likely))
			}
			return text("%s", span(x.Prepares.Likely))
		}},
		{title: "WANT", of: func(x failover.Advice) cell {
			if x.Missing() > 0 {
				return cell{text("%d, %d more", x.Want, x.Missing()).text, warn}
			}
			return cell{text("%d", x.Want).text, good}
		}},
	})
}
