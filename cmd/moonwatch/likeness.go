package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"moonwatch/internal/config"
	"moonwatch/internal/pki"
	"moonwatch/member"
)

// likeness makes the agent.yaml of a further member out of another member's,
// and brings the files along that all members share. Without a path it does
// nothing.
type likeness struct {
	path   string // of the agent.yaml to follow
	domain string

	agent *config.Agent
	ca    []byte
	key   []byte
}

// check reads everything and refuses what cannot be, before anything is
// written.
func (l *likeness) check(name, address, out string) error {
	if l.path == "" {
		if l.domain != "" {
			return usage("--failure-domain goes with --like: a certificate holds none")
		}
		return nil
	}
	ip, err := netip.ParseAddr(address)
	if err != nil {
		return usage("the first --address is %q, want an IP address for the agent.yaml of %s", address, name)
	}
	if l.domain != "" && pki.CheckName(l.domain) != nil {
		return usage("--failure-domain is %q, want the name of what fails together with %s: a host, a rack, a zone", l.domain, name)
	}
	if l.agent, err = config.LoadAgent(l.path, nil, nil); err != nil {
		return err
	}
	if l.ca, err = os.ReadFile(l.agent.TLS.CA); err != nil {
		return fmt.Errorf("copy the CA certificate: %w", err)
	}
	if l.key, err = os.ReadFile(l.agent.GossipKeyFile); err != nil {
		return fmt.Errorf("copy the gossip key: %w", err)
	}
	if string(l.agent.Name) == name {
		return usage("%s is of %s itself, want the agent.yaml of another member", l.path, name)
	}
	for _, file := range []string{"agent.yaml", "ca.crt", "gossip.key"} {
		if _, err := os.Lstat(filepath.Join(out, file)); !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("%s is there already, and is kept as it is: want another folder in --out", filepath.Join(out, file))
		}
	}
	l.turn(member.ID(name), ip)
	return nil
}

// turn makes the loaded agent.yaml that of another member. Paths in its folder stay relative, those outside of it stay as they are.
func (l *likeness) turn(name member.ID, ip netip.Addr) {
	a := l.agent
	old := a.Advertise
	if !old.IsValid() {
		old = a.Bind.Addr()
	}
	first := netip.AddrPortFrom(old, a.Bind.Port()).String()
	if !slices.Contains(a.Join, first) {
		a.Join = append(a.Join, first)
	}
	if a.Bind.Addr() == old {
		a.Bind = netip.AddrPortFrom(ip, a.Bind.Port())
	}
	for _, door := range []*string{&a.Link, &a.HTTP, &a.Debug, &a.Gateway} {
		if at, err := netip.ParseAddrPort(*door); err == nil && at.Addr() == old {
			*door = netip.AddrPortFrom(ip, at.Port()).String()
		}
	}
	a.Name, a.Advertise = name, ip
	if l.domain != "" {
		a.FailureDomain = member.FailureDomain(l.domain)
	}
	a.TLS = config.TLS{Cert: string(name) + ".crt", Key: string(name) + ".key", CA: "ca.crt"}
	a.GossipKeyFile = "gossip.key"
	here, err := filepath.Abs(filepath.Dir(l.path))
	if err != nil {
		return // the paths stay absolute, and right
	}
	for _, path := range []*string{&a.DataDir, &a.ActionsDir, &a.ChecksDir, &a.Socket, &a.KeeperSocket} {
		if rel, err := filepath.Rel(here, *path); err == nil && *path != "" && !strings.HasPrefix(rel, "..") {
			*path = rel
		}
	}
}

// write puts agent.yaml, CA certificate and gossip key into folder out. What
// stands there already is kept.
func (l *likeness) write(out string, say io.Writer) error {
	if l.path == "" {
		return nil
	}
	a := l.agent
	if err := writeNew(filepath.Join(out, "agent.yaml"), config.RenderAgent(*a), 0o644); err != nil {
		return err
	}
	if err := writeNew(filepath.Join(out, "ca.crt"), l.ca, 0o644); err != nil {
		return err
	}
	if err := writeNew(filepath.Join(out, "gossip.key"), l.key, 0o600); err != nil {
		return err
	}
	council := ""
	if slices.Contains(a.ExpectCouncillors, a.Name) {
		council = ", council: allowed"
	}
	fmt.Fprintf(say, "%s, ca.crt, gossip.key: copy all of %s to that machine\nin fleet.yaml: %s: {failure_domain: %s, pool: web%s}\n",
		filepath.Join(out, "agent.yaml"), out, a.Name, a.FailureDomain, council)
	return nil
}
