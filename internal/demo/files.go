package demo

import (
	"embed"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/template"
	"time"

	"moonwatch/agent/gossip"
	"moonwatch/consensus"
	"moonwatch/internal/client"
	"moonwatch/internal/config"
	"moonwatch/internal/pki"
	"moonwatch/member"
)

//go:embed files
var files embed.FS

// templates are the two files that people write in production.
var templates = template.Must(template.ParseFS(files, "files/*.tmpl"))

// cluster is what the demo's cluster is called in certificates and facts.
const cluster = "demo"

// maxSocket is what the kernel takes as the path of a unix socket, in bytes.
const maxSocket = 107

// operatorName signs the demo's fleet.yaml.
const operatorName = "demo-operator"

// kit is what the launcher wrote and needs again.
type kit struct {
	folder   *folder
	layout   layout
	profile  string
	level    string
	operator *pki.OperatorKey
	shield   string // the policy in fleet.yaml; empty: the default
}

// memberDir is the folder of one member: its machine, so to speak.
func (f *folder) memberDir(id member.ID) string { return filepath.Join(f.path, "members", string(id)) }

// furnish writes everything that the agents need: the CA, a certificate each,
// the gossip key, agent.yaml and installed actions.
func furnish(f *folder, l layout, profile, level string, now time.Time) (*kit, error) {
	k := &kit{folder: f, layout: l, profile: profile, level: level}
	ca, err := pki.NewCA(cluster, now)
	if err != nil {
		return nil, err
	}
	if err := ca.Save(filepath.Join(f.path, "ca.crt"), filepath.Join(f.path, "ca.key")); err != nil {
		return nil, err
	}
	if _, err := gossip.WriteKey(filepath.Join(f.path, "gossip.key")); err != nil {
		return nil, err
	}
	if k.operator, err = pki.NewOperatorKey(operatorName); err != nil {
		return nil, err
	}
	k.operator.Grant = ca.Sign(consensus.GrantText(cluster, operatorName, k.operator.PublicKey()))
	if err := k.operator.Save(filepath.Join(f.path, "operator.key")); err != nil {
		return nil, err
	}
	for _, p := range l.everybody() {
		if err := k.machine(ca, p, now); err != nil {
			return nil, fmt.Errorf("files of %s: %w", p.Name, err)
		}
	}
	return k, nil
}

// machine writes one member's folder.
func (k *kit) machine(ca *pki.CA, p place, now time.Time) error {
	dir := k.folder.memberDir(p.Name)
	for _, sub := range []string{"data", "actions", "checks"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o700); err != nil {
			return err
		}
	}
	issued, err := ca.Issue(p.Name, []string{p.Addr.String()}, now)
	if err != nil {
		return err
	}
	if err := issued.Save(filepath.Join(dir, "member.crt"), filepath.Join(dir, "member.key")); err != nil {
		return err
	}
	if err := k.agentYAML(p); err != nil {
		return err
	}
	if p.Domain == "" {
		return nil // the launcher runs no service
	}
	return k.actions(p)
}

// agentYAML writes the agent's configuration. Besides the launcher's agent those of
// the doors open a gateway, at a port of its own: on a member 8080 is the service's.
func (k *kit) agentYAML(p place) error {
	type ports struct{ Gossip, Link, HTTP, Debug int }
	in := struct {
		place
		Cluster, Profile, Level, Gateway, Socket string
		Join                                     []netip.AddrPort
		Council                                  []member.ID
		Ports                                    ports
	}{
		place: p, Cluster: cluster, Profile: k.profile, Level: k.level,
		Ports: ports{portGossip, portLink, portHTTP, portDebug},
	}
	if path := k.socket(p.Name); len(path) <= maxSocket {
		in.Socket = path // else no socket: the pages are there all the same
	}
	if p.Domain == "" {
		in.Gateway = netip.AddrPortFrom(p.Addr, portService).String()
	} else {
		in.Council = k.layout.council()
		if slices.ContainsFunc(k.layout.shielded(), func(d place) bool { return d.Name == p.Name }) {
			in.Gateway = netip.AddrPortFrom(p.Addr, portDoor).String()
		}
	}
	for _, other := range k.layout.places {
		if other.Name != p.Name {
			in.Join = append(in.Join, netip.AddrPortFrom(other.Addr, portGossip))
		}
	}
	return k.fill("agent.yaml.tmpl", k.config(p.Name), in)
}

// socket is the path of an agent's socket.
func (k *kit) socket(id member.ID) string { return filepath.Join(k.folder.memberDir(id), "agent.sock") }

// agent asks a member's agent at its socket, which tells more than its page does.
func (k *kit) agent(id member.ID) (*client.Client, error) {
	path := k.socket(id)
	if len(path) > maxSocket {
		return nil, fmt.Errorf("socket %s: %d bytes, want at most %d: name a shorter folder with --dir", path, len(path), maxSocket)
	}
	return client.New("unix:" + path)
}

// config is the path of an agent's configuration.
func (k *kit) config(id member.ID) string {
	return filepath.Join(k.folder.memberDir(id), "agent.yaml")
}

// actions installs the three scripts and what they share.
func (k *kit) actions(p place) error {
	dir := k.folder.memberDir(p.Name)
	if err := k.service(p, 0); err != nil {
		return err
	}
	if err := install("service.sh", filepath.Join(dir, "service.sh"), 0o600); err != nil {
		return err
	}
	for _, name := range []string{"web-start", "web-stop", "web-restart"} {
		if err := install(name, filepath.Join(dir, "actions", name), 0o700); err != nil {
			return err
		}
	}
	return nil
}

// service writes what the actions have to know about the service: which program it
// is, where it listens, and how long it takes to start.
func (k *kit) service(p place, takes time.Duration) error {
	env := fmt.Sprintf("exe=%s\nlisten=%s\ntakes=%.1f\n", quote(k.folder.record.Exe), netip.AddrPortFrom(p.Addr, portService), takes.Seconds())
	return writeWhole(filepath.Join(k.folder.memberDir(p.Name), "service.env"), env)
}

// slowDown makes every start of the service take a while from now on.
func (k *kit) slowDown(takes time.Duration) (err error) {
	for _, p := range k.layout.places {
		err = errors.Join(err, k.service(p, takes))
	}
	return err
}

func install(name, path string, mode os.FileMode) error {
	text, err := files.ReadFile("files/" + name)
	if err != nil {
		return err
	}
	return os.WriteFile(path, text, mode)
}

// quote makes one word of the shell out of any path.
func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

func (k *kit) fill(name, path string, in any) error {
	out, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	return errors.Join(templates.ExecuteTemplate(out, name, in), out.Close())
}

// fleet writes fleet.yaml so that the present leader holds a slot, and reads it
// back as `moonwatch apply` would.
func (k *kit) fleet(leader member.ID) (*member.Fleet, error) {
	path := filepath.Join(k.folder.path, "fleet.yaml")
	err := k.fill("fleet.yaml.tmpl", path, struct {
		Profile             string
		Members             []place
		Slots, Spares, Port int
		Shield              string
	}{k.profile, k.layout.inOrder(leader), slots, spares, portService, k.shield})
	if err != nil {
		return nil, err
	}
	return config.LoadFleet(path)
}

// signed puts a fleet into a command of the operator.
func (k *kit) signed(f *member.Fleet, now time.Time) ([]byte, error) {
	c, err := consensus.NewCommand(consensus.KindFleet, "demo/fleet", operatorName, now, f)
	if err != nil {
		return nil, err
	}
	c.Warrant = &consensus.Warrant{
		Operator: operatorName, Key: k.operator.PublicKey(), Grant: k.operator.Grant,
		Signature: k.operator.Sign(consensus.SignedText(cluster, c)),
	}
	return c.Encode()
}
