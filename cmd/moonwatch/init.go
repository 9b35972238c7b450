package main

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"moonwatch/internal/pki"
	"moonwatch/member"
)

// birth is what a new cluster is made of.
type birth struct {
	dir      string
	cluster  string
	name     string
	address  string
	operator string
	council  []string
}

func (a *app) initCommand() *cobra.Command {
	var b birth
	c := &cobra.Command{
		Use:   "init",
		Short: "Make a new cluster: its CA, keys, first certificate and configuration",
		Long: `Make a new cluster in an empty folder, or in the one that --dir names: the CA,
the gossip key, an operator's key with the CA's grant, the certificate of the
first member, and commented agent.yaml and fleet.yaml. Nothing is overwritten
and nothing is started.

The founding council is named with --councillors: 3 members, 5 from 7 members on.
It is founded once; its size cannot be changed yet.

Whoever holds ca.key can make members and operators: move it off the fleet.`,
		Example: `  moonwatch init --dir cluster
  moonwatch init --dir cluster --cluster shop --name web-1 --address 10.0.0.1 --councillors web-1,web-2,web-3`,
		Args: exactly(),
		RunE: func(*cobra.Command, []string) error {
			if err := b.complete(); err != nil {
				return err
			}
			if err := b.write(time.Now()); err != nil {
				return err
			}
			fmt.Fprint(a.out, b.nextSteps())
			return nil
		},
	}
	f := c.Flags()
	f.StringVar(&b.dir, "dir", "", "folder to write to, made if it is missing (default: this one, if it is empty)")
	f.StringVar(&b.cluster, "cluster", "", "the cluster id (default: a random one)")
	f.StringVar(&b.name, "name", "", "name of the first member (default: this machine's host name)")
	f.StringVar(&b.address, "address", "", "IP address under which others reach it (default: this machine's, if it has one)")
	f.StringSliceVar(&b.council, "councillors", nil, "names of the founding council, with commas (default: the first member alone)")
	f.StringVar(&b.operator, "operator", "operator", "name of the first operator, as it stands in the ledger")
	return c
}

// complete fills in what was left out and refuses what cannot be.
func (b *birth) complete() error {
	if b.dir == "" {
		entries, err := os.ReadDir(".")
		if err != nil {
			return fmt.Errorf("look at this folder: %w", err)
		}
		if len(entries) > 0 {
			return usage("this folder is not empty: name one with --dir (--dir . takes this one)")
		}
		b.dir = "."
	}
	if b.cluster == "" {
		id := make([]byte, 4)
		_, _ = rand.Read(id) // it crashes the process rather than fail
		b.cluster = "cluster-" + hex.EncodeToString(id)
	}
	if b.name == "" {
		host, err := os.Hostname()
		if err != nil {
			return usage("this machine does not tell its name (%v): want --name", err)
		}
		b.name, _, _ = strings.Cut(strings.ToLower(host), ".")
	}
	if b.address == "" {
		var err error
		if b.address, err = ownAddress(); err != nil {
			return err
		}
	}
	ip, err := netip.ParseAddr(b.address)
	if err != nil || ip.Zone() != "" || ip.IsUnspecified() || ip.IsMulticast() {
		return usage("--address is %q, want an IP address of this member, such as 10.0.0.1", b.address)
	}
	for _, x := range []struct{ flag, value string }{{"cluster", b.cluster}, {"name", b.name}, {"operator", b.operator}} {
		if err := pki.CheckName(x.value); err != nil {
			return usage("--%s: %w", x.flag, err)
		}
	}
	if len(b.name) > member.MaxNameLength {
		return usage("--name: name %q has %d characters, want at most %d", b.name, len(b.name), member.MaxNameLength)
	}
	return b.seat()
}

// seat checks the founding council. The first member alone is one that its
// failure ends, good for trying things out.
func (b *birth) seat() error {
	if len(b.council) == 0 {
		b.council = []string{b.name}
	}
	for i, name := range b.council {
		if err := pki.CheckName(name); err != nil {
			return usage("--councillors: %w", err)
		}
		if slices.Contains(b.council[:i], name) {
			return usage("--councillors names %s twice", name)
		}
	}
	if n := len(b.council); n%2 == 0 || n > 7 {
		return usage("--councillors has %d names, want 1, 3, 5 or 7", n)
	}
	return nil
}

// ownAddress is the one address of this machine that others can reach. Where
// there are several, choosing is not ours.
func ownAddress() (string, error) {
	all, err := net.InterfaceAddrs()
	if err != nil {
		return "", usage("this machine does not tell its addresses (%v): want --address", err)
	}
	var found []string
	for _, a := range all {
		if n, ok := a.(*net.IPNet); ok && n.IP.IsGlobalUnicast() && n.IP.To4() != nil {
			found = append(found, n.IP.String())
		}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return "", usage("this machine has no IPv4 address but loopback: want --address (127.0.0.1 to try things out)")
	default:
		return "", usage("this machine has the addresses %s: want one of them as --address", strings.Join(found, ", "))
	}
}

func (b *birth) nextSteps() string {
	return fmt.Sprintf(`Cluster %[1]s is made in %[2]s:
  agent.yaml     of the first member, %[3]s at %[4]s
  fleet.yaml     members, pools and slots: an example to edit
  ca.crt ca.key  the CA: every agent reads ca.crt, none needs ca.key
  %[3]s.crt .key, gossip.key
                 certificate of %[3]s, and the gossip key of all members
  operator.key   signs your commands as %[5]q; it stays with you

MOVE %[6]s AWAY, to where no member can read it: whoever
has it can make members and operators. You need it for 'moonwatch cert issue'.

Next:
  1. Make the folder of each further member, and copy it there:
       moonwatch cert issue NAME --address IP --failure-domain DOMAIN \
         --like %[8]s --ca-cert %[7]s --ca-key PATH/ca.key --out NAME
  2. Install the programs that start and stop your service on each member:
     web-start, web-stop and web-restart in %[11]s
  3. Start the agent on each. The founding council is %[12]s:
     nothing is decided before most of it runs.
       moonwatch agent --config %[8]s
  4. Describe the fleet in fleet.yaml, and hand it to the ledger, here:
       moonwatch apply %[9]s --operator-key %[10]s
`, b.cluster, b.dir, b.name, b.address, b.operator, b.file("ca.key"), b.file("ca.crt"), b.file("agent.yaml"), b.file("fleet.yaml"), b.file("operator.key"),
		b.file("actions.d"), strings.Join(b.council, ", "))
}
