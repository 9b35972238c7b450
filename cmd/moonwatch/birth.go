package main

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"moonwatch/agent/gossip"
	"moonwatch/consensus"
	"moonwatch/internal/config"
	"moonwatch/internal/pki"
	"moonwatch/internal/whole"
	"moonwatch/member"
)

// file is the path of one of the cluster's files.
func (b *birth) file(name string) string { return filepath.Join(b.dir, name) }

// files are all that init writes, secrets last.
func (b *birth) files() []string {
	return []string{"agent.yaml", "fleet.yaml", "ca.crt", b.name + ".crt", "operator.key.pub", "operator.key", "gossip.key", b.name + ".key", "ca.key"}
}

// write makes everything or leaves nothing behind. What stands there already
// is never touched.
func (b *birth) write(now time.Time) (err error) {
	agentYAML, fleetYAML, err := b.configuration()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(b.dir, 0o755); err != nil {
		return fmt.Errorf("make the folder: %w", err)
	}
	for _, name := range b.files() {
		if _, err := os.Lstat(b.file(name)); err == nil {
			return fmt.Errorf("%s: %w: there is a cluster in this folder, and it is kept as it is", b.file(name), fs.ErrExist)
		} else if !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("look for %s: %w", name, err)
		}
	}
	defer func() {
		if err != nil { // half a cluster is of no use; all of these files are ours
			for _, name := range b.files() {
				_ = os.Remove(b.file(name))
			}
		}
	}()
	return b.make(now, agentYAML, fleetYAML)
}

func (b *birth) make(now time.Time, agentYAML, fleetYAML []byte) error {
	ca, err := pki.NewCA(b.cluster, now)
	if err != nil {
		return err
	}
	if err := ca.Save(b.file("ca.crt"), b.file("ca.key")); err != nil {
		return err
	}
	if err := issue(ca, member.ID(b.name), []string{b.address}, b.dir, now); err != nil {
		return err
	}
	if _, err := gossip.WriteKey(b.file("gossip.key")); err != nil {
		return err
	}
	operator, err := pki.NewOperatorKey(b.operator)
	if err != nil {
		return err
	}
	operator.Grant = ca.Sign(consensus.GrantText(b.cluster, operator.Name, operator.PublicKey()))
	if err := operator.Save(b.file("operator.key")); err != nil {
		return err
	}
	if err := writeNew(b.file("agent.yaml"), agentYAML, 0o644); err != nil {
		return err
	}
	return writeNew(b.file("fleet.yaml"), fleetYAML, 0o644)
}

// issue makes a member's certificate and key in a folder.
func issue(ca *pki.CA, name member.ID, hosts []string, dir string, now time.Time) error {
	i, err := ca.Issue(name, hosts, now)
	if err != nil {
		return err
	}
	return i.Save(filepath.Join(dir, string(name)+".crt"), filepath.Join(dir, string(name)+".key"))
}

// configuration makes both files and reads them back, before anything is
// written.
func (b *birth) configuration() (agentYAML, fleetYAML []byte, err error) {
	a := config.DefaultAgent()
	a.Name, a.Cluster, a.FailureDomain = member.ID(b.name), b.cluster, "a"
	a.Advertise = netip.MustParseAddr(b.address)
	a.Bind = netip.AddrPortFrom(netip.IPv4Unspecified(), a.Bind.Port())
	if a.Advertise.Is6() {
		a.Bind = netip.AddrPortFrom(netip.IPv6Unspecified(), a.Bind.Port())
	}
	a.TLS = config.TLS{Cert: b.name + ".crt", Key: b.name + ".key", CA: "ca.crt"}
	a.GossipKeyFile = "gossip.key"
	a.DataDir, a.Socket, a.ActionsDir, a.ChecksDir = "data", b.socket(), "actions.d", "checks.d"
	for _, name := range b.council {
		a.ExpectCouncillors = append(a.ExpectCouncillors, member.ID(name))
	}
	agentYAML = config.RenderAgent(a)
	if _, err := config.ParseAgent(b.file("agent.yaml"), agentYAML, nil, nil); err != nil {
		return nil, nil, err
	}
	fleetYAML = config.RenderFleet(firstFleet(a.Name))
	if _, _, err := config.ParseFleet(b.file("fleet.yaml"), fleetYAML); err != nil {
		return nil, nil, err
	}
	return agentYAML, fleetYAML, nil
}

// socket is beside the other files. That of the machine's own agent is where whoever may
// not read its agent.yaml looks for it: /etc/moonwatch is closed to the socket's group.
func (b *birth) socket() string {
	if dir, err := filepath.Abs(b.dir); err == nil && dir == filepath.Dir(machineAgentFile) {
		return config.DefaultAgent().Socket
	}
	return "agent.sock"
}

// firstFleet is an example to edit: one member, one pool. The pool is not
// armed, so that nothing is done about it before somebody says so.
func firstFleet(name member.ID) member.Fleet {
	return member.Fleet{
		Version: 1,
		Members: []member.Member{{ID: name, Domain: "a", Pool: "web", Council: true}},
		Pools: []member.Pool{{
			Name: "web", Hosts: []string{"www.example.com"}, Fence: []string{"none"},
			Slots:   []member.SlotID{"web-0"},
			Checks:  member.Checks{HTTP: &member.HTTPCheck{Port: 8080, Path: "/healthz", Interval: 2 * time.Second, Timeout: 500 * time.Millisecond}},
			Actions: member.Actions{Activate: "web-start", Stop: "web-stop", Restart: "web-restart"},
			Drivers: []member.Driver{{Kind: "gateway"}},
		}},
	}
}

// writeNew writes a file that was not there: a crash leaves all of it, or nothing.
func writeNew(path string, content []byte, mode fs.FileMode) error {
	if err := whole.Create(path, content, mode); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}
