package main

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"moonwatch/consensus"
	"moonwatch/internal/pki"
	"moonwatch/internal/strict"
	"moonwatch/member"
	"moonwatch/status"
)

// revocation is one run of 'moonwatch cert revoke'.
type revocation struct {
	*order
	operator           string
	force, yes, dryRun bool
}

func (a *app) certRevokeCommand() *cobra.Command {
	x := &revocation{}
	c := &cobra.Command{
		Use:   "revoke [MEMBER|CERTIFICATE]",
		Short: "Withdraw a member's certificate, or an operator's key",
		Long: `Withdraw the key of a member's certificate, or of an operator, for ever. An operator
signs it, the council commits it, and from then on every agent that has the fact

  * cuts its connections with the holder, and makes none;
  * takes none of its votes, roll calls, leases, holds and commands;
  * observes the member as if it were silent, whatever its service answers.

So a member is voted on, drained and replaced as any that fails: verdict, brake, budget,
holds and fences bind that as ever. An operator's orders that stand go on standing.

A member is named by its name, for the key with which the agent has met it, or by its
certificate's file. It comes back with a certificate that has another key ('moonwatch
cert issue', not 'cert renew', which keeps it) and a start of its agent.

Refused where without the member the council would lose its quorum: nothing could be
decided then, not even that the slot moves. --force does it all the same.

What it does not do: it stops nothing on the machine, whose service goes on for whoever
asks it straight; it takes the gossip key from nobody, with which datagrams are sealed
and unsigned ones can be made up (shut the machine out of the network, then rotate it:
'moonwatch gossip key rotate --without-missing'); it is not known to an agent that is cut
off or has not caught up; it takes nothing back that was signed before: see 'moonwatch
holds' and 'moonwatch approvals'. The CA's key cannot be withdrawn.

Exit codes: 0 it stands, 1 error, 2 usage, 4 no council quorum, 5 refused.`,
		Example: `  moonwatch cert revoke web-3 --reason 'its disk was stolen' --dry-run
  moonwatch cert revoke web-3 --reason 'its disk was stolen'
  moonwatch cert revoke old/web-3.crt --reason 'the backup was copied' --yes
  moonwatch cert revoke --operator bob.key.pub --reason 'bob has left' --yes`,
		Args: atMost("MEMBER"),
	}
	x.order = a.order(c)
	f := c.Flags()
	f.StringVar(&x.operator, "operator", "", "withdraw an operator's key instead: the .pub file that stands beside it")
	f.BoolVar(&x.force, "force", false, "although the council loses its quorum by it")
	f.BoolVarP(&x.yes, "yes", "y", false, "do not ask")
	f.BoolVar(&x.dryRun, "dry-run", false, "say what would happen, and end")
	c.RunE = func(c *cobra.Command, args []string) error {
		switch {
		case (len(args) == 1) == (x.operator != ""):
			return usage("want a MEMBER or its CERTIFICATE, or --operator FILE.pub, one of them")
		case strings.TrimSpace(x.reason) == "":
			return usage("--reason is missing: whoever meets it has to know why")
		}
		return x.run(c.Context(), args)
	}
	return c
}

func (x *revocation) run(ctx context.Context, args []string) error {
	agent, err := x.ask()
	if err != nil {
		return err
	}
	defer agent.Close()
	page, err := x.look(ctx, agent)
	if err != nil {
		return err
	}
	r := consensus.Revoke{Reason: strings.TrimSpace(x.reason), Force: x.force}
	if x.operator != "" {
		r.Operator, r.Key, err = readPublicKey(x.operator)
	} else {
		r.Member, r.Key, err = keyToRevoke(page, args[0])
	}
	if err != nil {
		return err
	}
	for _, w := range page.Withdrawn {
		if w.Key == base64.StdEncoding.EncodeToString(r.Key) {
			return withCode(exitRefused, fmt.Errorf("this key of %s was withdrawn in fact %d already, by %s: %s", w.Whose(), w.Fact, w.By, w.Reason))
		}
	}
	lines, refused := consequences(page, r)
	out := x.app.errw // standard output has the answer alone
	if x.dryRun {
		out = x.app.out
	}
	for _, l := range lines {
		fmt.Fprintln(out, clean(l))
	}
	switch {
	case x.dryRun && refused:
		return &exit{code: exitRefused}
	case x.dryRun:
		return nil
	case r.Member == page.Self.Name && r.Member != "":
		return usage("this is the agent of %s itself, which is not to be asked to expel it: name another member's with --agent", r.Member)
	}
	if err := x.app.confirm(ctx, "Withdraw it, for ever?", x.yes, "nothing was withdrawn"); err != nil {
		return err
	}
	outcome, err := x.send(ctx, agent, page, consensus.KindRevoked, r)
	if err != nil {
		return err
	}
	next := "the operator's key signs nothing any more"
	if r.Member != "" {
		next = fmt.Sprintf("nothing is taken from %s any more; 'moonwatch explain %s' follows what becomes of it", r.Member, r.Member)
	}
	return x.tell(outcome, fmt.Sprintf("Withdrawn in fact %d: %s.", outcome.Fact, next))
}

// keyToRevoke is the key of a certificate file, or that of a member's name.
func keyToRevoke(page *status.Page, what string) (member.ID, []byte, error) {
	if info, err := os.Stat(what); err == nil && !info.IsDir() {
		id, key, err := pki.CertificateKey(what)
		switch {
		case err != nil:
			return "", nil, err
		case id.ClusterID != page.Cluster:
			return "", nil, fmt.Errorf("certificate %s: it is of cluster %s, this is %s", what, id.ClusterID, page.Cluster)
		}
		return id.Name, key, nil
	}
	var known []string
	for _, m := range page.Members {
		if known = append(known, string(m.ID)); string(m.ID) != what {
			continue
		}
		if m.Cert == nil {
			return "", nil, fmt.Errorf("%s has not met %s since it was started, so it does not know its key: name its certificate (cert revoke %s.crt), "+
				"or another agent with --agent", page.Self.Name, what, what)
		}
		key, err := base64.StdEncoding.DecodeString(m.Cert.Key)
		return m.ID, key, err
	}
	if near := strict.Nearest(what, known); near != "" {
		return "", nil, usage("there is neither a member %q nor such a file, did you mean %s?", what, near)
	}
	return "", nil, usage("there is neither a member %q nor such a file: 'moonwatch cert list' lists the members; for one that has left, name its certificate", what)
}

// readPublicKey reads what stands beside an operator's key.
func readPublicKey(path string) (name string, key []byte, err error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return "", nil, fmt.Errorf("read the operator's public key: %w", err)
	}
	words := bytes.Fields(b)
	if len(words) == 2 {
		key, err = base64.StdEncoding.DecodeString(string(words[0]))
	}
	if len(words) != 2 || err != nil || len(key) != ed25519.PublicKeySize {
		return "", nil, fmt.Errorf("%s is no operator's public key: want the .pub file that 'moonwatch operator grant' wrote, a key and a name in one line", path)
	}
	return string(words[1]), key, nil
}

// consequences says what a revocation leads to, and whether the council will refuse it.
func consequences(page *status.Page, r consensus.Revoke) (lines []string, refused bool) {
	add := func(format string, args ...any) { lines = append(lines, fmt.Sprintf(format, args...)) }
	if r.Operator != "" {
		add("The key of operator %s (%s) is withdrawn, for ever: what it signs from then on is refused.", r.Operator, shortKey(r.Key))
		add("Orders that stand go on standing: 'moonwatch holds', 'moonwatch approvals'.")
		return lines, false
	}
	add("The key of member %s (%s) is withdrawn, for ever: nothing is taken from it any more, and its connections are cut.", r.Member, shortKey(r.Key))
	i := slices.IndexFunc(page.Members, func(m status.Member) bool { return m.ID == r.Member })
	if i < 0 {
		add("It is in no roster: nothing else changes.")
		return lines, false
	}
	switch m := page.Members[i]; {
	case m.Cert != nil && m.Cert.Key != base64.StdEncoding.EncodeToString(r.Key):
		add("It was met with another key, so it goes on as it is.")
		return lines, false
	case m.Slot != "":
		add("It holds slot %s of pool %s: it will be voted on and drained, and the slot goes to a spare when brake, budget and holds allow it.", m.Slot, m.Pool)
	case m.Duty != "":
		add("It is a %s of pool %s, and will not be counted on.", m.Duty, m.Pool)
	}
	seats := page.Council.Councillors
	if !slices.Contains(seats, r.Member) {
		return lines, false
	}
	left := 0
	for _, m := range page.Members {
		gone := m.ID == r.Member || m.Expelled != "" || m.Verdict == consensus.VerdictDown || m.Verdict == consensus.VerdictAgentLost || m.Verdict == consensus.VerdictDomainCut
		if slices.Contains(seats, m.ID) && !gone {
			left++
		}
	}
	want := len(seats)/2 + 1
	switch {
	case left >= want:
		add("It sits in the council: %d of %d councillors are left, %d are wanted, and its seat is swapped after a minute.", left, len(seats), want)
	case r.Force:
		add("! It sits in the council, and %d of %d councillors would be left where %d are wanted: NOTHING CAN BE DECIDED from then on, no slot fails over, "+
			"and two operators have to found the council anew ('moonwatch council recover').", left, len(seats), want)
	default:
		add("! It sits in the council, and %d of %d councillors would be left where %d are wanted: the council will refuse it. Wait until lost seats are "+
			"swapped ('moonwatch council'), add members that may sit in the council, or add --force.", left, len(seats), want)
		refused = true
	}
	return lines, refused
}

func shortKey(key []byte) string { return base64.StdEncoding.EncodeToString(key)[:12] }
