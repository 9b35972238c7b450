package main

import (
	"fmt"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"moonwatch/consensus"
	"moonwatch/internal/pki"
)

func (a *app) operatorCommand() *cobra.Command {
	c := &cobra.Command{
		Use:     "operator",
		Short:   "Make the keys of further operators",
		Example: "  moonwatch operator grant bob --ca-key /media/key/ca.key",
	}
	c.AddCommand(a.operatorGrantCommand())
	return group(c)
}

func (a *app) operatorGrantCommand() *cobra.Command {
	var caCert, caKey, out string
	c := &cobra.Command{
		Use:   "grant NAME",
		Short: "Make an operator's key, with the CA's grant",
		Long: `Make the key with which a further operator signs commands: NAME.key with the CA's
grant, and NAME.key.pub. What two people have to stand behind takes two operators,
each with a key of their own. Files that are there are kept.

A granted key is good until it is withdrawn: 'moonwatch cert revoke --operator'.`,
		Example: `  moonwatch operator grant bob
  moonwatch operator grant bob --ca-key /media/key/ca.key --out /media/bob`,
		Args: exactly("NAME"),
		RunE: func(_ *cobra.Command, args []string) error {
			ca, err := pki.LoadCA(caCert, caKey, time.Now())
			if err != nil {
				return fmt.Errorf("%w\nthe CA's files are named with --ca-cert and --ca-key", err)
			}
			if err := pki.CheckName(args[0]); err != nil {
				return withCode(exitUsage, err)
			}
			key, err := pki.NewOperatorKey(args[0])
			if err != nil {
				return err
			}
			key.Grant = ca.Sign(consensus.GrantText(ca.ClusterID, key.Name, key.PublicKey()))
			path := filepath.Join(out, key.Name+".key")
			if err := key.Save(path); err != nil {
				return err
			}
			fmt.Fprintf(a.out, "%s: signs commands of %s in cluster %s; it stays with its owner\n", path, key.Name, ca.ClusterID)
			return nil
		},
	}
	f := c.Flags()
	f.StringVar(&out, "out", ".", "folder to write to")
	f.StringVar(&caCert, "ca-cert", "ca.crt", "the CA's certificate")
	f.StringVar(&caKey, "ca-key", "ca.key", "the CA's key")
	return c
}
