package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"moonwatch/internal/config"
	"moonwatch/internal/strict"
	"moonwatch/member"
)

// agentFile is the --config flag with the flags that override single keys.
type agentFile struct{ path string }

// defaultAgentFile is where init writes it.
const defaultAgentFile = "agent.yaml"

func (o *agentFile) addTo(c *cobra.Command) {
	c.Flags().StringVar(&o.path, "config", defaultAgentFile, "the agent.yaml to read")
}

// overrides are the keys of agent.yaml that have a flag of their own, with what
// the flag's help says.
var overrides = []struct{ key, help string }{
	{"name", "this member's name"},
	{"cluster", "the cluster id"},
	{"failure_domain", "what fails together with this member"},
	{"bind", "address:port of gossip"},
	{"advertise", "IP address under which others reach this member"},
	{"link", "host:port of the links between agents"},
	{"data_dir", "folder of ledger and journal"},
	{"tls.cert", "file of this member's certificate"},
	{"tls.key", "file of the certificate's key"},
	{"tls.ca", "file of the cluster's CA certificate"},
	{"gossip_key_file", "file of the gossip keys"},
	{"join", "host:port of some members' gossip, with commas"},
	{"expect_councillors", "names of the founding council, with commas"},
	{"profile", profileHelp()},
	{"actions_dir", "folder of the programs that steps run"},
	{"checks_dir", "folder of the programs that checks run"},
	{"http", "host:port of page and API, \"\" for none"},
	{"debug", "host:port of metrics and profiles, \"\" for none"},
	{"gateway", "host:port of the front door, \"\" for none"},
	{"public.listen", "host:port of the page for people outside, \"\" for none"},
	{"public.title", "its title"},
	{"public.url", "where people find it"},
	{"public.pools", "the pools that it shows, with commas"},
	{"public.show", "pools or slots"},
	{"haproxy.socket", "path of the admin socket of a HAProxy that is the shield's door, \"\" for none"},
	{"haproxy.frontend", "its frontend"},
	{"haproxy.backends", "its backends, with commas"},
	{"haproxy.map", "path of its map"},
	{"door.address", "socket or host:port of an nginx or another program that is the shield's door, \"\" for none"},
	{"door.key_file", "file of the key that it wants to hear"},
	{"socket", "path of the operator's socket, \"\" for none"},
	{"keeper_socket", "path of the keeper's socket, \"\" for no keeper"},
	{"fences_file", "path of fences.yaml, \"\" for none"},
	{"fence_agents_dir", "folder of the fence agents"},
	{"log.level", "debug, info, warn or error"},
	{"log.format", "text or json"},
}

// profileHelp names the profiles that agent.yaml takes.
func profileHelp() string {
	return fmt.Sprintf("timing profile, as in fleet.yaml: %s (fast: own hardware, at most %d members)", strict.Words(member.Profiles(), "or"), member.FastMembers)
}

var flagName = strings.NewReplacer(".", "-", "_", "-")

func (o *agentFile) addOverridesTo(c *cobra.Command) {
	for _, k := range overrides {
		c.Flags().String(flagName.Replace(k.key), "", k.help)
	}
}

// load reads the file with its overrides: of the flags, those that were given.
func (o *agentFile) load(c *cobra.Command) (*config.Agent, error) {
	given := map[string]string{}
	for _, k := range overrides {
		if f := c.Flags().Lookup(flagName.Replace(k.key)); f != nil && f.Changed {
			given[k.key] = f.Value.String()
		}
	}
	cfg, err := config.LoadAgent(o.path, os.Environ(), given)
	if errors.Is(err, fs.ErrNotExist) && !c.Flags().Changed("config") {
		return nil, usage("there is no %s here: name one with --config, or make a cluster with 'moonwatch init'", o.path)
	}
	return cfg, err
}
