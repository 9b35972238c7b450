package main

import (
	"errors"
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
		Short:   "Issue, renew, list and withdraw the certificates of members",
		Example: "  moonwatch cert issue web-2 --address 10.0.0.2\n  moonwatch cert renew /etc/moonwatch/web-1.crt --ca-key /media/key/ca.key\n  moonwatch cert list\n  moonwatch cert revoke web-3 --reason 'its disk was stolen'",
	}
	c.AddCommand(a.certIssueCommand(), a.certRenewCommand(), a.certListCommand(), a.certRevokeCommand())
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

func (a *app) certRenewCommand() *cobra.Command {
	var caCert, caKey string
	c := &cobra.Command{
		Use:   "renew CERTIFICATE...",
		Short: "Renew members' certificates, whose keys stay",
		Long: `Replace certificates, expired or not, by ones of the same member, addresses and key,
good for 90 days from now on. The key stays where it is: only the .crt file is needed
here, and nothing secret travels. Each file changes at one stroke.

A running agent takes its file up with its next connection, without a restart. Where the
CA key is kept on another machine, copy the .crt file there, renew it, and copy it back.`,
		Example: `  moonwatch cert renew /etc/moonwatch/web-1.crt --ca-key /media/key/ca.key
  moonwatch cert renew web-1.crt web-2.crt web-3.crt`,
		Args: cobra.ArbitraryArgs,
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usage("CERTIFICATE is missing")
			}
			now := time.Now()
			ca, err := pki.LoadCA(caCert, caKey, now)
			if err != nil {
				return fmt.Errorf("%w\nthe CA's files are named with --ca-cert and --ca-key", err)
			}
			var failed []error
			for _, path := range args {
				r, err := ca.Renew(path, now)
				if err != nil {
					failed = append(failed, err)
					continue
				}
				fmt.Fprintf(a.out, "%s: certificate of %s in cluster %s, until %s (was %s)\n", path, r.Name, r.ClusterID,
					r.Until.UTC().Format(time.DateOnly), r.Was.UTC().Format(time.DateOnly))
			}
			return errors.Join(failed...)
		},
	}
	f := c.Flags()
	f.StringVar(&caCert, "ca-cert", "ca.crt", "the CA's certificate")
	f.StringVar(&caKey, "ca-key", "ca.key", "the CA's key")
	return c
}
