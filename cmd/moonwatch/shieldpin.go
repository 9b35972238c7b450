package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"moonwatch/consensus"
	"moonwatch/member"
	"moonwatch/shield"
)

// pinHelp is common to the commands that people give about a subdomain.
const pinHelp = `

HOST is a subdomain, or *.PARENT for all unknown names below PARENT. An operator's key
has to sign it; it stands in the ledger, and every door obeys it until its end, whatever
the doors vote, where shield.mode is enforce. Stop and drop refuse a subdomain that
never_stop names.

Exit codes: 0 it stands, 1 error, 4 no council quorum, 5 refused.`

func (a *app) shieldPinCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "pin HOST RUNG", Short: "Set a subdomain's rung: challenge, stop or drop", Args: exactly("HOST", "RUNG"),
		Long: "Set the rung on which a subdomain stays until the end of the pin. RUNG is challenge, stop or\n" +
			"drop, for which no door votes by itself; 'shield release' is the opposite." + pinHelp,
		Example: "  moonwatch shield pin www.example.com stop --for 1h --reason 'asked for by the tenant'\n" +
			"  moonwatch shield pin '*.example.com' challenge --for 30m --reason 'made-up names'",
	}
	x := a.order(c)
	lasts := c.Flags().Duration("for", time.Hour, "how long, at most 720h; it ends by itself")
	c.RunE = func(c *cobra.Command, args []string) error {
		rung, ok := shield.RungOf(args[1])
		if !ok || !rung.Voted() {
			return usage("RUNG is %q, want challenge, stop or drop", args[1])
		}
		return x.pin(c.Context(), args[0], rung, *lasts)
	}
	return c
}

func (a *app) shieldReleaseCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "release HOST", Short: "Let a subdomain in, and leave it alone for a while", Args: exactly("HOST"),
		Long:    "Release a subdomain at once, and leave it alone until the end: no door shapes it, and no vote\nputs it on a rung. Others may feel what it asks for." + pinHelp,
		Example: "  moonwatch shield release www.example.com --for 2h --reason 'it is their sale'",
	}
	x := a.order(c)
	lasts := c.Flags().Duration("for", 10*time.Minute, "how long it is left alone, at most 720h")
	c.RunE = func(c *cobra.Command, args []string) error {
		return x.pin(c.Context(), args[0], shield.Observe, *lasts)
	}
	return c
}

func (a *app) shieldUnpinCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "unpin HOST", Short: "Give a subdomain back to the doors' votes", Args: exactly("HOST"),
		Long:    "End a pin, or what 'shield release' began, before its time." + pinHelp,
		Example: "  moonwatch shield unpin www.example.com",
	}
	x := a.order(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		host, err := pinnedHost(args[0])
		if err != nil {
			return err
		}
		return x.ofShield(c.Context(), consensus.KindUnpin, shield.Unpin{Host: host, Reason: x.reason}, host+" is given back to the doors' votes")
	}
	return c
}

func (x *order) pin(ctx context.Context, name string, rung shield.Rung, lasts time.Duration) error {
	host, err := pinnedHost(name)
	if err != nil {
		return err
	}
	now := time.Now()
	p := shield.Pin{Host: host, Rung: rung, Until: now.Add(lasts).UTC().Truncate(time.Second), Reason: x.reason}
	switch {
	case strings.TrimSpace(x.reason) == "":
		return usage("--reason is missing: whoever meets it has to know what it is for")
	case p.Check(now) != nil:
		return usage("%v", p.Check(now))
	}
	text := fmt.Sprintf("%s is pinned to %s until %s", host, rung, moment(p.Until))
	if rung == shield.Observe {
		text = fmt.Sprintf("%s is left alone until %s", host, moment(p.Until))
	}
	return x.ofShield(ctx, consensus.KindPin, p, text)
}

// pinnedHost is a host as doors count it.
func pinnedHost(name string) (string, error) {
	rest, bucket := strings.CutPrefix(name, "*.")
	host, ok := shield.Normalise(make([]byte, 0, shield.HostRoom), rest)
	if !ok {
		return "", usage("HOST is %q, want a host name or *.PARENT", name)
	}
	if bucket {
		return "*." + string(host), nil
	}
	return string(host), nil
}

// ofShield hands in what people say of a subdomain.
func (x *order) ofShield(ctx context.Context, kind consensus.FactKind, payload any, text string) error {
	agent, err := x.ask()
	if err != nil {
		return err
	}
	defer agent.Close()
	page, err := x.look(ctx, agent)
	if err != nil {
		return err
	}
	o, err := x.send(ctx, agent, page, kind, payload)
	if err != nil {
		return err
	}
	text = fmt.Sprintf("%s (fact %d).", text, o.Fact)
	if f, err := agent.Fleet(ctx); err == nil && kind == consensus.KindPin {
		text += idleShield(f.Fleet)
	}
	return x.tell(o, text)
}

// idleShield warns of a shield that does nothing about a pin.
func idleShield(f *member.Fleet) string {
	mode := member.ShieldPolicy{}.Doing()
	if f != nil {
		mode = f.Shield.Doing()
	}
	if mode == member.ShieldEnforce {
		return ""
	}
	return fmt.Sprintf("\nBut shield.mode in fleet.yaml is %s: until it is %s, no door does anything about it.", mode, member.ShieldEnforce)
}
