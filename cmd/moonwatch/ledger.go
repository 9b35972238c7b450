package main

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"moonwatch/internal/backup"
	"moonwatch/internal/client"
	"moonwatch/internal/pki"
	"moonwatch/member"
	"moonwatch/status"
)

// backupPatience is how long an agent may take to fold its ledger and hand it out.
const backupPatience = time.Minute

func (a *app) ledgerCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "ledger",
		Short: "Back up the ledger, verify a backup, and restore a lost one",
		Long: `Every agent keeps the ledger, so a lost disk needs no backup: its agent is fed by the
others. A backup is for the day on which all disks are lost. It holds what stands, and
no secret; keys and certificates are not in it. For the facts before, one by one, there
is 'moonwatch audit export'.`,
		Example: `  moonwatch ledger backup --to shop.backup
  moonwatch ledger verify shop.backup
  moonwatch ledger restore shop.backup --config /etc/moonwatch/agent.yaml`,
	}
	c.AddCommand(a.backupCommand(), a.verifyBackupCommand(), a.restoreCommand())
	return group(c)
}

func (a *app) backupCommand() *cobra.Command {
	var to string
	r := &reading{app: a}
	c := &cobra.Command{
		Use:   "backup",
		Short: "Write the running agent's ledger to a file",
		Long: `Ask the agent for its whole ledger, build it up here, and write it to a file with its
place in the audit chain. Any agent can be asked, at its socket; one that hears no
council says how old its ledger is.`,
		Example: `  moonwatch ledger backup --to shop.backup
  moonwatch ledger backup > "/backup/shop-$(date +%F).backup"`,
		Args: exactly(),
	}
	r.addAgentTo(c)
	c.Flags().StringVar(&to, "to", "", "the file to write; it must not exist (default: standard output)")
	c.RunE = func(c *cobra.Command, _ []string) error {
		agent, err := r.ask()
		if err != nil {
			return err
		}
		defer agent.Close()
		ctx, cancel := context.WithTimeout(c.Context(), backupPatience)
		defer cancel()
		page, err := agent.Get(ctx, client.PageDocument)
		if err != nil {
			return err
		}
		l, err := agent.Ledger(ctx)
		if err != nil {
			return err
		}
		r.noteAge(page.Page)
		b, err := backup.New(page.Page.Self.Name, l.Taken, l.Ledger)
		if err != nil {
			return err
		}
		text, err := b.Bytes()
		if err != nil {
			return err
		}
		out, done := a.out, func(err error) error { return err }
		if to != "" {
			if out, done, err = newFile(to); err != nil {
				return err
			}
		}
		_, err = out.Write(text)
		if err = done(err); err == nil {
			fmt.Fprintf(a.errw, "the ledger of cluster %s up to fact %d, head %s\n", b.Cluster, b.Head, b.Hash)
		}
		return err
	}
	return c
}

// verified is what 'ledger verify' prints.
type verified struct {
	Schema  int         `json:"schema"`
	File    string      `json:"file"`
	Cluster string      `json:"cluster"`
	From    member.ID   `json:"from"`
	Taken   time.Time   `json:"taken"`
	Head    uint64      `json:"head"`
	Hash    string      `json:"hash"`
	Members []member.ID `json:"members"`
	// Remember are members whose agents remember the same head; Contradict those that
	// remember another one.
	Remember   []member.ID `json:"remember,omitempty"`
	Contradict []member.ID `json:"contradict,omitempty"`
}

func (a *app) verifyBackupCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "verify FILE",
		Short: "Verify that a backup is what was written",
		Long: `Read a backup, compute its sum, build the ledger in it up, and compare its place in the
audit chain. With --agent, running agents are asked as well whether they remember that
head: a backup that somebody has edited with care contradicts them.

Running ledgers, data folders and exports are verified by 'moonwatch audit verify'.

Exit codes: 0 it is good, 1 it is not, or could not be read, 3 an agent remembers
another head.`,
		Example: `  moonwatch ledger verify shop.backup
  moonwatch ledger verify shop.backup --agent unix:/run/moonwatch/agent.sock -o json`,
		Args: exactly("FILE"),
	}
	r := a.readingOnce(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		b, err := backup.Read(args[0])
		if err != nil {
			return err
		}
		v := verified{
			Schema: status.Schema, File: args[0], Cluster: b.Cluster, From: b.From, Taken: b.Taken, Head: b.Head, Hash: b.Hash, Members: b.Members(),
		}
		if r.agent != "" {
			if err := r.remember(c.Context(), &v); err != nil {
				return err
			}
		}
		raw, err := json.Marshal(v)
		if err != nil {
			return err
		}
		if err := r.print(raw, func(p *printer) { printVerified(p, v, r.agent != "") }); err != nil {
			return err
		}
		if len(v.Contradict) > 0 {
			return &exit{code: exitDegraded}
		}
		return nil
	}
	return c
}

// remember asks agents which head they remember where the backup ends.
func (r *reading) remember(ctx context.Context, v *verified) error {
	agent, err := r.ask()
	if err != nil {
		return err
	}
	defer agent.Close()
	ctx, cancel := context.WithTimeout(ctx, backupPatience)
	defer cancel()
	all, err := agent.AuditHeads(ctx, "", v.Head, v.Head)
	if err != nil {
		return err
	}
	for _, x := range all {
		for _, h := range x.Heads {
			switch {
			case h.Index != v.Head:
			case hex.EncodeToString(h.Hash[:]) == v.Hash:
				v.Remember = append(v.Remember, x.Member)
			default:
				v.Contradict = append(v.Contradict, x.Member)
			}
		}
	}
	slices.Sort(v.Remember)
	slices.Sort(v.Contradict)
	return nil
}

func printVerified(p *printer, v verified, asked bool) {
	p.line("%s is what was written: the ledger of cluster %s up to fact %d, with %d members, taken at %s from %s.",
		clean(v.File), clean(v.Cluster), v.Head, len(v.Members), moment(v.Taken), clean(string(v.From)))
	p.line("Head %s.", v.Hash)
	switch {
	case len(v.Contradict) > 0:
		p.line("It contradicts what %s remember of fact %d: it was edited, or is of another cluster of that name.", clean(join(v.Contradict)), v.Head)
	case len(v.Remember) > 0:
		p.line("%s remember that head.", clean(join(v.Remember)))
	case asked:
		p.line("No agent remembers fact %d: whether it was edited with care is not known.", v.Head)
	default:
		p.line("Whether it was edited with care, agents can say that remember the head: --agent.")
	}
}

func (a *app) restoreCommand() *cobra.Command {
	var from dataFolder
	c := &cobra.Command{
		Use:   "restore FILE",
		Short: "Make a member's ledger from a backup, when all disks are lost",
		Long: `Make the ledger of the member that agent.yaml names, in its data folder, from a backup.
It refuses where a ledger is, and a backup of another cluster: of another name, or founded
under a CA that tls.ca does not have. A ledger without any fact or vote, of an agent that
was started on an empty disk, gives way. The agent has to be stopped.

While anybody has the ledger, there is nothing to restore: start the agent, and it is
fed. When all disks are lost:

  1. On three members that may sit in the council (or as many as there are), with
     their agents stopped: moonwatch ledger restore shop.backup
  2. A restored ledger is a new disk that sits in no council. Two operators found one:
     moonwatch council recover --help
  3. What was decided after the backup is not known any more: who occupies a slot may
     be another one than the backup says, and slot epochs that were given since are
     given again. So stop the services of exclusive slots on all members now.
  4. Start all agents, and look at every slot ('moonwatch slots').`,
		Example: `  moonwatch ledger restore shop.backup
  moonwatch ledger restore shop.backup --config /etc/moonwatch/agent.yaml`,
		Args: exactly("FILE"),
	}
	from.addTo(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		cfg, err := from.file.load(c)
		if err != nil {
			return err
		}
		dir := cfg.DataDir
		if from.dir != "" {
			dir = from.dir
		}
		b, err := backup.Read(args[0])
		if err != nil {
			return err
		}
		roots, err := pki.CAKeys(cfg.TLS.CA)
		if err != nil {
			return err
		}
		if err := b.Restore(dir, cfg.Cluster, roots, cfg.Name); err != nil {
			return err
		}
		fmt.Fprintf(a.out, "%s: the ledger of cluster %s up to fact %d, for %s. It sits in no council: 'moonwatch council recover' founds one, if none is left\n",
			filepath.Join(dir, "ledger.db"), b.Cluster, b.Head, cfg.Name)
		return nil
	}
	return c
}
