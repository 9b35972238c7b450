package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"moonwatch/member"
	"moonwatch/status"
)

func (a *app) shieldCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "shield",
		Short: "Show what a gateway sees of subdomains, and whom it holds",
		Long: `Show what one gateway sees and does about flooded subdomains. Ask an agent that opens
a gateway, at its socket. The gateways that fleet.yaml names as doors of the shield tell
each other what they count; each other one tells what it knows itself.

In mode shadow everything is decided and nothing done: whoever is listed would be held.`,
		Example: `  moonwatch shield top
  moonwatch shield list
  moonwatch shield explain www.example.com
  moonwatch shield pin www.example.com stop --for 1h --reason 'asked for by the tenant'
  moonwatch shield release www.example.com --reason 'it is their sale'
  moonwatch shield replay access.log --capacity 500`,
	}
	c.AddCommand(
		a.shieldRead("top", "List the subdomains that are asked for most", "", printShieldTop),
		a.shieldRead("list", "List who is held, why and until when", "", printShieldHeld),
		a.shieldRead("explain", "Say how a host is treated, why, by whose votes and until when", "HOST", printShieldHost),
		a.shieldPinCommand(),
		a.shieldReleaseCommand(),
		a.shieldUnpinCommand(),
		a.shieldReplayCommand(),
	)
	return group(c)
}

// shieldRead is one of the views of the shield; wants names its argument.
func (a *app) shieldRead(verb, short, wants string, show func(*printer, status.ShieldDocument)) *cobra.Command {
	use, args, example := verb, exactly(), "  moonwatch shield "+verb+" -o json"
	if wants != "" {
		use, args, example = verb+" "+wants, exactly(wants), "  moonwatch shield "+verb+" www.example.com"
	}
	c := &cobra.Command{Use: use, Short: short, Args: args, Example: example}
	r := a.reading(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		host := ""
		if len(args) > 0 {
			host = args[0]
		}
		return r.shield(c.Context(), host, show)
	}
	return c
}

func (r *reading) shield(ctx context.Context, host string, show func(*printer, status.ShieldDocument)) error {
	agent, err := r.ask()
	if err != nil {
		return err
	}
	defer agent.Close()
	ctx, cancel := context.WithTimeout(ctx, askPatience)
	defer cancel()
	doc, raw, err := agent.Shield(ctx, host)
	if err != nil {
		return err
	}
	return r.print(raw, func(p *printer) { show(p, doc) })
}

// shieldLine says how the whole door is.
func shieldLine(p *printer, d status.ShieldDocument) {
	capacity := "not known, so nobody is held"
	if d.Capacity > 0 {
		capacity = fmt.Sprintf("%.0f a second", d.Capacity)
		if d.Unit == member.ShieldTime {
			capacity = fmt.Sprintf("%.1f requests at once", d.Capacity)
		}
		if d.Learned {
			capacity += " (learned)"
		}
	}
	if d.Problem != "" {
		p.line("The door does not do as it is told, and its traffic passes: %s", clean(d.Problem))
	}
	p.line("Door %s, mode %s: %.0f requests a second asked, %.0f let in; capacity %s; pressure %.2f.", clean(string(d.Door)), clean(d.Mode), d.Asked, d.Admitted, capacity, d.Pressure)
	if len(d.AllDoors) > 1 {
		p.line("Doors: %d of %d are heard: %s.", len(d.Doors), len(d.AllDoors), clean(strings.Join(names(d.Doors), ", ")))
	}
	if d.Overload {
		p.line("Overload: too much is asked for, and nobody in particular is to blame. Nobody is held for it.")
	}
	if d.Full {
		p.line("There is no room for more subdomains: new ones are counted together.")
	}
}

func printShieldTop(p *printer, d status.ShieldDocument) {
	shieldLine(p, d)
	p.line("")
	table(p, "Nobody asks for anything.", d.Top, []column[status.ShieldLine]{
		{title: "SUBDOMAIN", of: func(x status.ShieldLine) cell { return named(x.Host) }},
		{title: "ASKED/S", of: func(x status.ShieldLine) cell { return text("%.1f", x.Asked) }},
		{title: "LET IN/S", of: func(x status.ShieldLine) cell { return text("%.1f", x.Admitted) }},
	})
}

func printShieldHeld(p *printer, d status.ShieldDocument) {
	shieldLine(p, d)
	p.line("")
	asked, share := "ASKED/S", "SHARE/S"
	if d.Unit == member.ShieldTime {
		asked, share = "ASKED AT ONCE", "SHARE"
	}
	table(p, "Nobody is held.", d.Held, []column[status.ShieldHeld]{
		{title: "SUBDOMAIN", of: func(x status.ShieldHeld) cell { return named(x.Host) }},
		{title: "RUNG", of: heldRung},
		{title: "LET IN", of: func(x status.ShieldHeld) cell { return text("%.1f%%", float64(x.Admit)/10) }},
		{title: asked, of: func(x status.ShieldHeld) cell { return text("%.1f", x.Demand) }},
		{title: share, of: func(x status.ShieldHeld) cell { return text("%.1f", x.Limit) }},
		{title: "HELD FOR", of: func(x status.ShieldHeld) cell { return text("%s", span(d.Now.Sub(x.Since))) }},
		{title: "WHY", of: func(x status.ShieldHeld) cell { return word(x.Why) }},
	})
	printShieldThrottles(p, d)
}

func printShieldThrottles(p *printer, d status.ShieldDocument) {
	if len(d.Throttles) == 0 {
		return
	}
	p.line("")
	p.line("In the ledger:")
	table(p, "", d.Throttles, []column[status.ShieldThrottle]{
		{title: "SUBDOMAIN", of: func(x status.ShieldThrottle) cell { return named(x.Host) }},
		{title: "RUNG", of: func(x status.ShieldThrottle) cell { return cell{x.Rung, warn} }},
		{title: "BY", of: func(x status.ShieldThrottle) cell { return word(throttledBy(x)) }},
		{title: "ENDS IN", of: func(x status.ShieldThrottle) cell { return text("%s", span(x.Until.Sub(d.Now))) }},
		{title: "WHY", of: func(x status.ShieldThrottle) cell { return word(x.Why) }},
	})
}

// throttledBy says by whose word it stands.
func throttledBy(x status.ShieldThrottle) string {
	if x.By != "" {
		return "operator " + x.By
	}
	return "votes of " + strings.Join(names(x.Doors), ", ")
}

func printShieldHost(p *printer, d status.ShieldDocument) {
	h := d.Host
	switch {
	case h == nil:
		p.line("The agent does not explain hosts.")
		return
	case h.Host == "":
		p.line("This is no host name. Requests for such names are counted together.")
	case h.Counted == "":
		p.line("%s is not known, nor is anybody beside it: it is counted with all such names.", clean(h.Host))
	case h.Counted != h.Host:
		p.line("%s is not known by itself: it is counted with all unknown names of %s.", clean(h.Host), clean(h.Counted))
	default:
		p.line("%s is counted by itself.", clean(h.Host))
	}
	unit := "a second"
	if d.Unit == member.ShieldTime {
		unit = "at once"
	}
	if h.Weight > 0 && h.Weight != 1 { // an agent of before says none
		p.line("In sharing out the capacity it weighs %v times as much as others (shield.weights).", h.Weight)
	}
	switch x := h.Held; {
	case x == nil:
		p.line("It is not held: all of its requests are let in.")
	case x.Shadow:
		p.line("It would be held (%s, %.1f%% let in), and is not: the shield is in shadow. %s.", x.Rung, float64(x.Admit)/10, clean(x.Why))
	default:
		p.line("It is held: %s, %.1f%% of its clients are let in, %.1f requests %s of %.1f. %s.", x.Rung, float64(x.Admit)/10, x.Limit, unit, x.Demand, clean(x.Why))
		p.line("Held for %s. It ends by itself when it is not renewed.", span(d.Now.Sub(x.Since)))
	}
	if t := h.Throttle; t != nil {
		p.line("In the ledger: %s, by %s, for %s, until %s unless renewed: %s.", t.Rung, clean(throttledBy(*t)), span(d.Now.Sub(t.Since)), moment(t.Until), clean(t.Why))
	}
	shieldLine(p, d)
}

func names(ids []member.ID) []string {
	out := make([]string, len(ids))
	for i, id := range ids {
		out[i] = string(id)
	}
	return out
}

func heldRung(x status.ShieldHeld) cell {
	if x.Shadow {
		return cell{"would: " + x.Rung, warn}
	}
	return cell{x.Rung, bad}
}

func named(host string) cell {
	if host == "" {
		return cell{"(not seen by name)", plain}
	}
	return word(host)
}
