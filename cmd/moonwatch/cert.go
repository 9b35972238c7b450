package main

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"moonwatch/internal/pki"
	"moonwatch/member"
)

func (a *app) certCommand() *cobra.Command {
	c := &cobra.Command{
		Use:     "cert",
		Short:   "Issue the certificates of members",
		Example: "  moonwatch cert issue web-2 --address 10.0.0.2",
	}
	c.AddCommand(a.certIssueCommand())
	return group(c)
}

func (a *app) certIssueCommand() *cobra.Command {
	var caCert, caKey, out string
	var addresses []string
	var like likeness
	c := &cobra.Command{
		Use:   "issue NAME",
		Short: "Issue a member's certificate from the CA",
		Long: `Issue the certificate and key of a member, NAME.crt and NAME.key, good for 90
days. They are for that member alone; a certificate enrols nobody, fleet.yaml
does. Files that are there are kept.

With --like it writes all that the member's agent reads, so that the folder can
be copied there as a whole: an agent.yaml like the given one, under the member's
own name, address and failure domain, and the CA certificate and gossip key that
it names.`,
		Example: `  moonwatch cert issue web-2 --address 10.0.0.2
  moonwatch cert issue web-2 --address 10.0.0.2 --failure-domain b --like agent.yaml --out web-2
  moonwatch cert issue web-2 --address 10.0.0.2 --address web-2.example.com --ca-key /media/key/ca.key`,
		Args: exactly("NAME"),
		RunE: func(_ *cobra.Command, args []string) error {
			name := args[0]
			if err := pki.CheckName(name); err != nil {
				return withCode(exitUsage, err)
			}
			if len(name) > member.MaxNameLength {
				return usage("name %q has %d characters, want at most %d", name, len(name), member.MaxNameLength)
			}
			if len(addresses) == 0 {
				return usage("want --address, under which others reach %s", name)
			}
			if err := like.check(name, addresses[0], out); err != nil {
				return err
			}
			now := time.Now()
			ca, err := pki.LoadCA(caCert, caKey, now)
			if err != nil {
				return fmt.Errorf("%w\nthe CA's files are named with --ca-cert and --ca-key", err)
			}
			if err := os.MkdirAll(out, 0o755); err != nil {
				return fmt.Errorf("make the folder: %w", err)
			}
			if err := issue(ca, member.ID(name), addresses, out, now); err != nil {
				return err
			}
			fmt.Fprintf(a.out, "%s, %s: certificate of %s in cluster %s, until %s\n",
				filepath.Join(out, name+".crt"), filepath.Join(out, name+".key"), name, ca.ClusterID,
				now.Add(pki.MemberValidity).UTC().Format(time.DateOnly))
			return like.write(out, a.out)
		},
	}
	f := c.Flags()
	f.StringSliceVar(&addresses, "address", nil, "address or DNS name of the member; may be given again")
	f.StringVar(&out, "out", ".", "folder to write to, made if it is missing")
	f.StringVar(&like.path, "like", "", "write the member's agent.yaml too, like this one, with the files that it names")
	f.StringVar(&like.domain, "failure-domain", "", "what fails together with the member, with --like")
	f.StringVar(&caCert, "ca-cert", "ca.crt", "the CA's certificate")
	f.StringVar(&caKey, "ca-key", "ca.key", "the CA's key")
	return c
}
