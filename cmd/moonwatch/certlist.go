package main

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"moonwatch/internal/client"
	"moonwatch/member"
	"moonwatch/status"
)

func (a *app) certListCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "list",
		Short: "List when members' certificates end, and which keys are withdrawn",
		Long: `List the certificates with which the asked agent has met the members, those that end
first on top, and the keys of members and operators that were withdrawn.

Exit codes: 0 all is well, 3 one has ended or ends within 7 days, or a member of the
roster has a withdrawn one.`,
		Example: "  moonwatch cert list\n  moonwatch cert list -o json | jq .withdrawn",
		Args:    exactly(),
	}
	r := a.reading(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		answer, err := r.get(c.Context(), client.PageDocument)
		if err != nil {
			return err
		}
		r.noteAge(answer.Page)
		doc := certificatesOf(answer.Page)
		raw, err := json.Marshal(doc)
		if err != nil {
			return fmt.Errorf("print the certificates: %w", err)
		}
		if err := r.print(raw, func(p *printer) { printCertificates(p, doc) }); err != nil {
			return err
		}
		for _, m := range doc.Members {
			if m.Expelled != "" || m.Cert != nil && m.Cert.Until.Sub(doc.Now) < status.CertEndsTooSoon {
				return &exit{code: exitDegraded}
			}
		}
		return nil
	}
	return c
}

type certificates struct {
	Schema    int                `json:"schema"`
	Now       time.Time          `json:"now"`
	Members   []certified        `json:"members"`
	Withdrawn []status.Withdrawn `json:"withdrawn"`
}

type certified struct {
	Member   member.ID    `json:"member"`
	Cert     *status.Cert `json:"cert,omitempty"`
	Expelled string       `json:"expelled,omitempty"`
}

func certificatesOf(p status.Page) certificates {
	doc := certificates{Schema: status.Schema, Now: p.Now, Members: []certified{}, Withdrawn: append([]status.Withdrawn{}, p.Withdrawn...)}
	for _, m := range p.Members {
		doc.Members = append(doc.Members, certified{m.ID, m.Cert, m.Expelled})
	}
	slices.SortStableFunc(doc.Members, func(a, b certified) int { return a.ends().Compare(b.ends()) })
	return doc
}

// ends is when a certificate is of no use any more; who was not met comes last.
func (c certified) ends() time.Time {
	switch {
	case c.Expelled != "":
		return time.Time{}
	case c.Cert == nil:
		return time.Unix(math.MaxInt32, 0)
	default:
		return c.Cert.Until
	}
}

func printCertificates(p *printer, doc certificates) {
	table(p, noRoster, doc.Members, []column[certified]{
		{title: "MEMBER", of: func(m certified) cell { return word(m.Member) }},
		{title: "CERTIFICATE", of: func(m certified) cell { return certCell(m.Cert, m.Expelled, doc.Now) }},
		{title: "UNTIL", of: func(m certified) cell {
			if m.Cert == nil {
				return cell{}
			}
			return text("%s", moment(m.Cert.Until))
		}},
		{title: "KEY", of: func(m certified) cell {
			if m.Cert == nil {
				return cell{}
			}
			return text("%s", keyCell(m.Cert.Key, p.wide))
		}},
		{title: "WHY", wide: true, of: func(m certified) cell { return word(m.Expelled) }},
	})
	if len(doc.Withdrawn) == 0 {
		return
	}
	p.line("")
	table(p, "", doc.Withdrawn, []column[status.Withdrawn]{
		{title: "WITHDRAWN", of: func(w status.Withdrawn) cell { return text("%s", w.Whose()) }},
		{title: "KEY", of: func(w status.Withdrawn) cell { return text("%s", keyCell(w.Key, p.wide)) }},
		{title: "AT", of: func(w status.Withdrawn) cell { return text("%s", moment(w.At)) }},
		{title: "FACT", of: func(w status.Withdrawn) cell { return text("%d", w.Fact) }},
		{title: "BY", of: func(w status.Withdrawn) cell { return word(w.By) }},
		{title: "REASON", of: func(w status.Withdrawn) cell { return word(w.Reason) }},
	})
}

func keyCell(key string, whole bool) string {
	if whole {
		return key
	}
	return key[:min(len(key), 12)]
}

// certCell is one word for how a certificate is.
func certCell(c *status.Cert, expelled string, now time.Time) cell {
	switch {
	case expelled != "":
		return cell{"withdrawn", bad}
	case c == nil:
		return cell{"not met", warn}
	}
	switch left := c.Until.Sub(now); {
	case left <= 0:
		return cell{"ended", bad}
	case left < status.CertEndsTooSoon:
		return cell{"ends in " + span(left), bad}
	case left < status.CertEndsSoon:
		return cell{"ends in " + span(left), warn}
	default:
		return cell{"good for " + span(left), good}
	}
}
