package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"moonwatch/internal/config"
	"moonwatch/internal/pki"
	"moonwatch/member"
)

func TestAFolderMadeWithLikeIsAllThatAnAgentReads(t *testing.T) {
	t.Chdir(t.TempDir())
	call(t, "init", "--cluster", "shop", "--name", "web-1", "--address", "10.0.0.1", "--councillors", "web-1,web-2,web-3").wants(t, exitOK)
	issue := []string{"cert", "issue", "web-2", "--address", "10.0.0.2", "--failure-domain", "b", "--like", "agent.yaml", "--out", "web-2"}
	call(t, issue...).wants(t, exitOK, "copy all of web-2", "web-2: {failure_domain: b, pool: web, council: allowed}")

	moved := filepath.Join(t.TempDir(), "moved")
	if err := os.Rename("web-2", moved); err != nil {
		t.Fatal(err)
	}
	first, err := config.LoadAgent("agent.yaml", nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	a, err := config.LoadAgent(filepath.Join(moved, "agent.yaml"), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if a.Name != "web-2" || a.Advertise.String() != "10.0.0.2" || a.FailureDomain != "b" || a.Cluster != "shop" {
		t.Errorf("agent.yaml is of %s in %s at %s in domain %s", a.Name, a.Cluster, a.Advertise, a.FailureDomain)
	}
	if !slices.Equal(a.Join, []string{"10.0.0.1:7946"}) {
		t.Errorf("it joins %v", a.Join)
	}
	council := []member.ID{"web-1", "web-2", "web-3"}
	if !slices.Equal(a.ExpectCouncillors, council) || !slices.Equal(first.ExpectCouncillors, council) {
		t.Errorf("councils %v and %v, want the same three", first.ExpectCouncillors, a.ExpectCouncillors)
	}
	if a.DataDir != filepath.Join(moved, "data") || a.Socket != filepath.Join(moved, "agent.sock") {
		t.Errorf("its paths did not move along: %s, %s", a.DataDir, a.Socket)
	}
	if pair, err := pki.LoadPair(pki.Files(a.TLS), time.Now()); err != nil || pair.Name != "web-2" {
		t.Errorf("certificate: %v", err)
	}
	info, err := os.Stat(a.GossipKeyFile)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("gossip key: %v, %v", info, err)
	}
}

func TestDoorsOnTheFirstMembersAddressMoveToTheNewOne(t *testing.T) {
	initialised(t)
	b, err := os.ReadFile("agent.yaml")
	if err != nil {
		t.Fatal(err)
	}
	text := strings.NewReplacer("bind: 0.0.0.0:7946", "bind: 10.0.0.1:7000", "http: 127.0.0.1:7980", "http: 10.0.0.1:7980", "data_dir: data", "data_dir: /srv/moonwatch").Replace(string(b))
	if err := os.WriteFile("agent.yaml", []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	call(t, "cert", "issue", "web-2", "--address", "10.0.0.2", "--like", "agent.yaml", "--out", "web-2").wants(t, exitOK)
	a, err := config.LoadAgent("web-2/agent.yaml", nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if a.Bind.String() != "10.0.0.2:7000" || a.HTTP != "10.0.0.2:7980" || a.Debug != "127.0.0.1:7981" {
		t.Errorf("bind %s, http %s, debug %s", a.Bind, a.HTTP, a.Debug)
	}
	if a.DataDir != "/srv/moonwatch" || !slices.Equal(a.Join, []string{"10.0.0.1:7000"}) {
		t.Errorf("data_dir %s, join %v", a.DataDir, a.Join)
	}
}

func TestLikeRefusesBeforeItWritesAnything(t *testing.T) {
	initialised(t)
	if err := os.MkdirAll("there", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile("there/gossip.key", []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args string
		code int
		say  string
	}{
		{"web-2 --address 10.0.0.2 --failure-domain b", exitUsage, "--failure-domain goes with --like"},
		{"web-2 --address web-2.example.com --like agent.yaml --out new", exitUsage, "want an IP address"},
		{"web-2 --address 10.0.0.2 --failure-domain RACK --like agent.yaml --out new", exitUsage, "what fails together with web-2"},
		{"web-1 --address 10.0.0.2 --like agent.yaml --out new", exitUsage, "of web-1 itself"},
		{"web-2 --address 10.0.0.2 --like missing.yaml --out new", exitError, "no such file"},
		{"web-2 --address 10.0.0.2 --like agent.yaml --out there", exitError, "there/gossip.key is there already"},
	} {
		call(t, append([]string{"cert", "issue"}, strings.Fields(c.args)...)...).wants(t, c.code, c.say)
	}
	if _, err := os.Stat("new"); err == nil {
		t.Error("a refusal made the folder")
	}
	if got := contents(t, "there"); !slices.Equal(got, []string{"gossip.key mine"}) {
		t.Errorf("the folder holds %q", got)
	}
}
