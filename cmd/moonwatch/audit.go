package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"moonwatch/internal/audit"
	"moonwatch/internal/backup"
	"moonwatch/internal/client"
	"moonwatch/member"
)

func (a *app) auditCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "audit",
		Short: "Verify and export the audit chain of the ledger",
		Long: `Each fact of the ledger has a hash that covers the one before, and every agent
remembers the heads that it has seen, also of facts that are no longer kept. So
whoever changes a fact has to change all that follow it, on every machine.`,
		Example: "  moonwatch audit verify\n  moonwatch audit export --to audit.jsonl",
	}
	c.AddCommand(a.auditVerifyCommand(), a.auditExportCommand())
	return group(c)
}

func (a *app) auditVerifyCommand() *cobra.Command {
	var witnesses []string
	c := &cobra.Command{
		Use:   "verify [FILE|DIR]",
		Short: "Verify the chain of a running agent, a data folder, a ledger.db or an export",
		Long: `Compute the hashes of all facts anew and hold them against each other and against
the heads that agents remember. What does not fit is named: which fact, the hash
that was expected, and who remembers it.

Without an argument, the ledger of the running agent is verified, and its word is
held against that of up to 16 other members. With a data folder, a ledger.db or
an export, that file is verified: alone, with the heads beside it, with those of
--witness, and, with --agent, with those of running agents.

Agents write down what stands every so often, as a whole, and drop old facts. That
whole ledger is folded anew from its facts, by this build's decisions, and held
against what is written: what differs is named, the slot, the member and the field.
It takes all facts from the first on. Where some were dropped, exports that were
made in time have them, and a backup or another agent's ledger.db has a whole ledger
of before to begin with: name those with --witness. It says which facts were folded
and onto what, or why none were. A difference is an edit, or comes of a build that
judged these facts otherwise: look whether another agent's ledger.db has it too.

A data folder that 'moonwatch ledger restore' has made holds a whole ledger and no
facts: it is good when somebody remembers the head that it ends with.

Exit codes: 0 the chain holds, 1 it could not be verified, 3 it is broken, somebody
remembers another head, or the whole ledger is not what its facts add up to.`,
		Example: `  moonwatch audit verify
  moonwatch audit verify /var/lib/moonwatch
  moonwatch audit verify audit.jsonl --agent 10.0.0.7:7980
  moonwatch audit verify copy/ledger.db --witness web-2/heads --witness older.jsonl -o json
  moonwatch audit verify /var/lib/moonwatch --witness shop.backup   # fold what came after the backup`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 {
				return usage("unexpected argument %q", args[1])
			}
			return nil
		},
	}
	r := a.readingOnce(c)
	c.Flags().StringArrayVar(&witnesses, "witness", nil, "a file that remembers heads: another agent's data folder or heads, a ledger.db, an export, a backup (may be repeated)")
	c.RunE = func(c *cobra.Command, args []string) error {
		v := auditor{reading: r}
		for _, w := range witnesses {
			x, err := witnessOf(w)
			if err != nil {
				return err
			}
			v.witnesses = append(v.witnesses, x)
		}
		if len(args) == 0 || r.agent != "" {
			agent, err := r.ask()
			if err != nil {
				return err
			}
			defer agent.Close()
			v.agent = agent
		}
		return v.verify(c.Context(), args)
	}
	return c
}

// witnessOf reads a file that remembers heads. A backup is a whole ledger.
func witnessOf(path string) (audit.Witness, error) {
	if !backup.Is(path) {
		return audit.WitnessOf(path)
	}
	b, err := backup.Read(path)
	if err != nil {
		return nil, fmt.Errorf("witness: %w", err)
	}
	whole, err := audit.WholeOf(path, b.Ledger)
	if err != nil {
		return nil, fmt.Errorf("witness: %w", err)
	}
	return whole.Witness(), nil
}

// auditor verifies one chain.
type auditor struct {
	*reading
	agent     *client.Client // nil: nobody is asked
	witnesses []audit.Witness
}

func (v *auditor) verify(ctx context.Context, args []string) error {
	var s audit.Source
	var err error
	if len(args) == 0 {
		s, err = v.downloadAll(ctx)
	} else {
		s, err = audit.Open(args[0])
	}
	if err != nil {
		return err
	}
	first, last := s.Whole.Index, s.Whole.Index
	if len(s.Links) > 0 {
		first, last = s.Links[0].Index, s.Links[len(s.Links)-1].Index
	}
	if v.agent != nil && last > 0 {
		asked, err := v.remote(ctx, first, last)
		if err != nil {
			return err
		}
		v.witnesses = append(v.witnesses, asked...)
	}
	report := s.Check(v.witnesses...)
	raw, err := json.Marshal(struct {
		Schema  int       `json:"schema"`
		Source  string    `json:"source"`
		Cluster string    `json:"cluster"`
		Member  member.ID `json:"member"`
		audit.Report
	}{1, s.Name, s.Cluster, s.Member, report})
	if err != nil {
		return err
	}
	if err := v.print(raw, func(p *printer) { printAudit(p, s, report) }); err != nil {
		return err
	}
	switch {
	case report.OK:
		return nil
	case report.Whole != nil && len(report.Breaks) == 0:
		return &exit{code: exitError} // nobody could say anything
	default:
		return &exit{code: exitDegraded}
	}
}

// downloadAll reads the agent's ledger through its socket: what it says as a whole, and then
// the facts, page by page, which so reach at least as far.
func (v *auditor) downloadAll(ctx context.Context) (audit.Source, error) {
	asked, cancel := context.WithTimeout(ctx, pagePatience)
	defer cancel()
	l, failed := v.agent.Ledger(asked)
	s, err := download(ctx, v.agent, 1, func(audit.Page) error { return nil })
	if err != nil {
		return s, err
	}
	whole, err := audit.WholeOf(s.Name, l.Ledger)
	switch {
	case len(s.Links) == 0:
	case failed != nil:
		s.NotWhole = "the agent did not hand it out: " + failed.Error()
	case err != nil:
		s.NotWhole = err.Error()
	default:
		s.Whole, s.Content = whole.At, whole.Content
	}
	return s, nil
}

// pagePatience is how long an agent may take for one part of its ledger.
const pagePatience = 30 * time.Second

func download(ctx context.Context, agent *client.Client, from uint64, each func(audit.Page) error) (audit.Source, error) {
	s := audit.Source{Name: "the running agent's ledger"}
	for {
		part, cancel := context.WithTimeout(ctx, pagePatience)
		page, err := agent.AuditFacts(part, from)
		cancel()
		if err != nil {
			return s, err
		}
		s.Cluster, s.Member = page.Cluster, page.Member
		if len(page.Links) == 0 {
			return s, nil
		}
		if err := each(page); err != nil {
			return s, err
		}
		s.Links = append(s.Links, page.Links...)
		from = page.Links[len(page.Links)-1].Index + 1
		if from > page.Head {
			return s, nil
		}
	}
}

// remote makes a witness of the agent and of each member that it reaches.
func (v *auditor) remote(ctx context.Context, first, last uint64) ([]audit.Witness, error) {
	ask, cancel := context.WithTimeout(ctx, pagePatience)
	defer cancel()
	heads, err := v.agent.AuditHeads(ask, "", first, last)
	if err != nil {
		return nil, err
	}
	var all []audit.Witness
	for _, h := range heads {
		all = append(all, &agentWitness{ctx: ctx, agent: v.agent, of: h.Member, first: h, from: first, to: last})
	}
	return all, nil
}

// agentWitness is a running agent. What it said first is not asked for again.
type agentWitness struct {
	ctx      context.Context //nolint:containedctx // of the one command that it lives in
	agent    *client.Client
	of       member.ID
	first    audit.Heads
	from, to uint64
}

func (w *agentWitness) Name() string { return string(w.of) }

func (w *agentWitness) Heads(from, to uint64) ([]audit.Head, error) {
	h := w.first
	if from != w.from || to != w.to {
		ctx, cancel := context.WithTimeout(w.ctx, pagePatience)
		defer cancel()
		again, err := w.agent.AuditHeads(ctx, w.of, from, to)
		if err != nil {
			return nil, err
		}
		if len(again) == 0 {
			return nil, nil
		}
		h = again[0]
	}
	if h.Unheard != "" {
		return nil, errors.New(h.Unheard)
	}
	return h.Heads, nil
}

func printAudit(p *printer, s audit.Source, r audit.Report) {
	of := ""
	if s.Member != "" {
		of = fmt.Sprintf(" of %s, cluster %s", s.Member, s.Cluster)
	}
	p.line("%s%s", s.Name, of)
	switch {
	case r.Whole != nil:
		p.line("A whole ledger as of fact %d, head %s, without the facts before:", r.Head, r.Hash)
		p.line("restored from a backup, or fed at one stroke, and nothing was agreed on since.")
	case r.Facts == 0:
		p.line("It holds no fact: there is nothing to verify.")
	default:
		p.line("Facts %d to %d, head %s.", r.First, r.Head, r.Hash)
	}
	for _, b := range r.Breaks {
		p.line("")
		switch {
		case b.Fact == 0:
			p.line("%s: %s", strings.ToUpper(b.What), b.Detail)
			continue
		case b.Record != "":
			printDifference(p, s, b)
			continue
		case b.About != "":
			p.line("%s: fact %d (%s)", strings.ToUpper(b.What), b.Fact, b.About)
		default:
			p.line("%s: fact %d", strings.ToUpper(b.What), b.Fact)
		}
		if b.Found != "" {
			p.line("  its bytes have the hash  %s", b.Found)
		}
		if b.Expected != "" {
			p.line("  expected was             %s", b.Expected)
		}
		if len(b.Says) > 0 {
			p.line("  which is remembered by   %s", strings.Join(b.Says, ", "))
		}
		if b.Detail != "" {
			p.line("  %s", b.Detail)
		}
	}
	if len(r.Witnesses) > 0 {
		p.line("")
	}
	table(p, "Nobody else was asked.", r.Witnesses, []column[audit.Testimony]{
		{title: "WITNESS", of: func(t audit.Testimony) cell { return word(t.Member) }},
		{title: "REMEMBERS UP TO", of: func(t audit.Testimony) cell {
			if t.Head == 0 {
				return cell{}
			}
			return text("fact %d", t.Head)
		}},
		{title: "SAYS", of: func(t audit.Testimony) cell {
			switch {
			case t.Unheard != "":
				return cell{"not heard: " + t.Unheard, warn}
			case t.Head == 0:
				return cell{"nothing about these facts", warn}
			case t.Agrees:
				return cell{"the same", good}
			default:
				return cell{fmt.Sprintf("another head of fact %d: %s", t.Differs, t.Expected), bad}
			}
		}},
	})
	p.line("")
	for _, f := range r.Folded {
		p.line("%s", foldingLine(s, f))
	}
	if r.Facts > 0 && s.Content == nil && s.NotWhole == "" {
		p.line("It holds no whole ledger that could be held against what these facts add up to.")
	}
	switch {
	case r.OK && r.Whole != nil:
		p.line("It ends where it was agreed to end.")
	case r.OK:
		p.line("The chain holds.")
	case r.Whole != nil && len(r.Breaks) == 0:
		p.line("Nothing speaks against it, and nobody who was asked remembers its head: name agents or files that may, with --agent or --witness.")
	case r.Facts == 0 && len(r.Breaks) == 0:
		p.line("Nothing was verified.")
	case !slices.ContainsFunc(r.Breaks, func(b audit.Break) bool { return b.Record == "" }):
		p.line("The facts hold, and the whole ledger is not what they add up to.")
	default:
		p.line("The chain does not hold.")
	}
}

// printDifference tells in what a whole ledger is not what its facts add up to.
func printDifference(p *printer, s audit.Source, b audit.Break) {
	field := clean(b.Record)
	if b.Field != "" {
		field += ", " + clean(b.Field)
	}
	p.line("%s: %s: %s", strings.ToUpper(b.What), wholeLedger(s, b.About, b.Fact), field)
	p.line("  it says                  %s", b.Found)
	p.line("  expected was             %s", b.Expected)
	p.line("  which follows from       %s", strings.Join(b.Says, ", "))
	if b.More > 0 {
		p.line("  and %d more fields differ", b.More)
	}
	p.line("  %s", b.Detail)
}

// wholeLedger names a whole ledger; that of the source itself needs no name.
func wholeLedger(s audit.Source, of string, fact uint64) string {
	text := "the whole ledger"
	if fact > 0 {
		text += fmt.Sprintf(" as of fact %d", fact)
	}
	if of != s.Name {
		text += " of " + of
	}
	return text
}

// foldingLine tells what was folded, from where on, or why nothing was.
func foldingLine(s audit.Source, f audit.Folding) string {
	what := strings.Replace(wholeLedger(s, f.Whole, f.At), "the", "The", 1)
	onto := ""
	if f.Onto != "" {
		onto = wholeLedger(s, f.Onto, f.OntoAt)
	}
	is := map[bool]string{true: "is", false: "is not"}[f.Agrees]
	switch {
	case f.Not != "" && onto != "":
		return fmt.Sprintf("%s was not held against %s: %s.", what, onto, f.Not)
	case f.Not != "":
		return fmt.Sprintf("%s was not folded anew from its first fact on: %s.", what, f.Not)
	case f.First > f.At:
		return fmt.Sprintf("%s %s the same as %s.", what, is, onto)
	case onto != "":
		return fmt.Sprintf("%s %s what facts %d to %d make of %s.", what, is, f.First, f.At, onto)
	default:
		return fmt.Sprintf("%s %s what facts %d to %d add up to.", what, is, f.First, f.At)
	}
}

func (a *app) auditExportCommand() *cobra.Command {
	var to string
	var from uint64
	c := &cobra.Command{
		Use:   "export [DIR|FILE]",
		Short: "Write all facts as JSON lines that can be verified alone",
		Long: `Write every fact that is kept, one JSON object a line, with its hash and the one
that it follows. The same facts give the same bytes, whoever exports them but for
the member's name in the first line. 'moonwatch audit verify FILE' verifies it
anywhere, without an agent.

Agents keep 30 days or 256 MiB of facts: what an audit needs for longer has to be
exported in time. An export begins where the last one ended with --from, and the
two fit together by the hash in the title.`,
		Example: `  moonwatch audit export --to audit.jsonl
  moonwatch audit export --from 4711 --to july.jsonl
  moonwatch audit export /var/lib/moonwatch --to audit.jsonl   # of an agent that does not run`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 {
				return usage("unexpected argument %q", args[1])
			}
			return nil
		},
	}
	r := &reading{app: a}
	r.addAgentTo(c)
	c.Flags().StringVar(&to, "to", "", "the file to write; it must not exist (default: standard output)")
	c.Flags().Uint64Var(&from, "from", 1, "the first fact")
	c.RunE = func(c *cobra.Command, args []string) (err error) {
		out, done := a.out, func(err error) error { return err }
		if to != "" {
			if out, done, err = newFile(to); err != nil {
				return err
			}
		}
		return done(r.export(c.Context(), args, from, out))
	}
	return c
}

// newFile makes a file that was not there; done closes it, or takes it away if err
// says that it is not whole.
func newFile(path string) (io.Writer, func(error) error, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, nil, fmt.Errorf("write: %w", err)
	}
	return f, func(err error) error {
		err = errors.Join(err, f.Sync(), f.Close())
		if err != nil {
			err = errors.Join(err, os.Remove(path))
		}
		return err
	}, nil
}

func (r *reading) export(ctx context.Context, args []string, from uint64, out io.Writer) error {
	var w *audit.Writer
	first := true
	add := func(cluster string, id member.ID, links []audit.Link) error {
		for _, l := range links {
			if l.Index < from {
				continue
			}
			if first {
				first = false
				if l.Index > from {
					fmt.Fprintf(r.app.errw, "note: facts before %d are no longer kept there; the first line holds their head\n", l.Index)
				}
				var err error
				if w, err = audit.NewWriter(out, cluster, id, l); err != nil {
					return err
				}
			}
			if err := w.Add(l); err != nil {
				return fmt.Errorf("export fact %d: %w", l.Index, err)
			}
		}
		return nil
	}
	if len(args) == 1 {
		s, err := audit.Open(args[0])
		if err != nil {
			return err
		}
		if report := s.Check(); !report.OK {
			return withCode(exitDegraded, fmt.Errorf("export %s: its chain does not hold: see 'moonwatch audit verify %s'", args[0], args[0]))
		}
		if err := add(s.Cluster, s.Member, s.Links); err != nil {
			return err
		}
	} else {
		agent, err := r.ask()
		if err != nil {
			return err
		}
		defer agent.Close()
		if _, err := download(ctx, agent, from, func(p audit.Page) error { return add(p.Cluster, p.Member, p.Links) }); err != nil {
			return err
		}
	}
	if w == nil {
		return fmt.Errorf("export: there is no fact from %d on", from)
	}
	return w.Close()
}
