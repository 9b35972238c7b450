package main

import (
	"crypto/ed25519"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"moonwatch/agent/gossip"
	"moonwatch/consensus"
	"moonwatch/internal/config"
	"moonwatch/internal/pki"
)

// initialised makes a cluster in a new folder and goes there.
func initialised(t *testing.T) {
	t.Helper()
	t.Chdir(t.TempDir())
	call(t, "init", "--cluster", "shop", "--name", "web-1", "--address", "10.0.0.1").wants(t, exitOK, "MOVE ca.key AWAY", "Next:")
}

func TestInitMakesAClusterThatLoads(t *testing.T) {
	initialised(t)
	a, err := config.LoadAgent("agent.yaml", nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if a.Name != "web-1" || a.Cluster != "shop" || a.Advertise.String() != "10.0.0.1" {
		t.Errorf("agent.yaml is of %s in %s at %s", a.Name, a.Cluster, a.Advertise)
	}
	pair, err := pki.LoadPair(pki.Files(a.TLS), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if pair.Name != "web-1" || pair.ClusterID != "shop" {
		t.Errorf("the certificate is of %v", pair.Identity)
	}
	if _, err := gossip.LoadKeys(a.GossipKeyFile); err != nil {
		t.Error(err)
	}
	if _, err := config.LoadFleet("fleet.yaml"); err != nil {
		t.Error(err)
	}
	operator, err := pki.LoadOperatorKey("operator.key")
	if err != nil {
		t.Fatal(err)
	}
	if !ed25519.Verify(pair.Root(), consensus.GrantText("shop", operator.Name, operator.PublicKey()), operator.Grant) {
		t.Error("the operator's key has no grant of the CA")
	}
	call(t, "config", "check").wants(t, exitOK, "agent.yaml is good", "fleet.yaml is good")
}

func TestInitKeepsSecretsForTheOwner(t *testing.T) {
	initialised(t)
	for _, name := range []string{"ca.key", "operator.key", "gossip.key", "web-1.key"} {
		info, err := os.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v", name, info.Mode())
		}
	}
}

func TestInitNeverOverwrites(t *testing.T) {
	initialised(t)
	before := contents(t, ".")
	call(t, "init", "--dir", ".", "--cluster", "other", "--name", "web-1", "--address", "10.0.0.1").
		wants(t, exitError, "it is kept as it is")
	call(t, "init", "--name", "web-1", "--address", "10.0.0.1").wants(t, exitUsage, "not empty")
	if after := contents(t, "."); !slices.Equal(before, after) {
		t.Error("the second init changed something")
	}
}

func TestInitThatFindsOneFileWritesNone(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "gossip.key"), []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	call(t, "init", "--dir", dir, "--name", "web-1", "--address", "10.0.0.1").wants(t, exitError, "gossip.key")
	if got := contents(t, dir); !slices.Equal(got, []string{"gossip.key mine"}) {
		t.Errorf("the folder holds %q", got)
	}
}

func contents(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, e := range entries {
		b, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, e.Name()+" "+string(b))
	}
	return all
}

func TestCertIssueMakesAMemberOfTheSameCluster(t *testing.T) {
	initialised(t)
	if err := os.Mkdir("out", 0o755); err != nil {
		t.Fatal(err)
	}
	issue := []string{"cert", "issue", "web-2", "--address", "10.0.0.2,web-2.example.com", "--out", "out"}
	call(t, issue...).wants(t, exitOK, "certificate of web-2 in cluster shop")
	pair, err := pki.LoadPair(pki.Files{Cert: "out/web-2.crt", Key: "out/web-2.key", CA: "ca.crt"}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if pair.Name != "web-2" || !slices.Equal(pair.Leaf.DNSNames, []string{"web-2.example.com"}) || len(pair.Leaf.IPAddresses) != 1 {
		t.Errorf("certificate of %s for %v %v", pair.Name, pair.Leaf.DNSNames, pair.Leaf.IPAddresses)
	}
	call(t, issue...).wants(t, exitError, "kept as it is")
}

// TestCertRenewKeepsTheKey so that peers which know it go on, and says what it cannot do.
func TestCertRenewKeepsTheKey(t *testing.T) {
	initialised(t)
	files := pki.Files{Cert: "web-1.crt", Key: "web-1.key", CA: "ca.crt"}
	before, err := pki.LoadPair(files, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	call(t, "cert", "issue", "web-2", "--address", "10.0.0.2").wants(t, exitOK)
	call(t, "cert", "renew", "web-1.crt", "web-2.crt", "web-9.crt").wants(t, exitError,
		"web-1.crt: certificate of web-1 in cluster shop, until", "certificate of web-2", "web-9.crt")
	after, err := pki.LoadPair(files, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if after.Leaf.SerialNumber.Cmp(before.Leaf.SerialNumber) == 0 || !after.SigningKey().Equal(before.SigningKey()) ||
		len(after.Leaf.IPAddresses) != len(before.Leaf.IPAddresses) {
		t.Errorf("renewed: another serial number, the same key and addresses are wanted: %v, was %v", after.Leaf.Subject, before.Leaf.Subject)
	}
	call(t, "cert", "renew").wants(t, exitUsage, "CERTIFICATE is missing")
	call(t, "cert", "renew", "ca.crt").wants(t, exitError, "ca.crt")
	call(t, "cert", "renew", "web-1.crt", "--ca-key", "elsewhere/ca.key").wants(t, exitError, "--ca-cert and --ca-key")
}

func TestOverridesAreTheKeysOfAgentYAML(t *testing.T) {
	initialised(t)
	a, err := config.LoadAgent("agent.yaml", nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	var keys, flags []string
	for _, s := range a.Settings() {
		keys = append(keys, s.Key)
	}
	for _, o := range overrides {
		flags = append(flags, o.key)
	}
	slices.Sort(keys)
	slices.Sort(flags)
	if !slices.Equal(keys, flags) {
		t.Errorf("keys are\n%v, flags are\n%v", keys, flags)
	}
}

func TestConfigShowTellsWhereAValueCameFrom(t *testing.T) {
	initialised(t)
	t.Setenv("MOONWATCH_PROFILE", "wan")
	r := call(t, "config", "show", "--log-level", "debug")
	r.wants(t, exitOK)
	for _, want := range []string{"profile wan MOONWATCH_PROFILE", "log.level debug --log-level", "gateway - agent.yaml:"} {
		if !slices.ContainsFunc(strings.Split(r.out, "\n"), func(l string) bool {
			return strings.HasPrefix(strings.Join(strings.Fields(l), " "), want)
		}) {
			t.Errorf("no line %q in\n%s", want, r.out)
		}
	}
	call(t, "config", "show", "-o", "json").wants(t, exitOK, `"source": "environment"`)
}

func TestConfigCheckPrintsEveryMistakeWithItsPlace(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.WriteFile("agent.yaml", []byte("gatewy: x\nbind: nowhere\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile("shop.yaml", []byte("version: 1\nmembers: {a: {failure_domian: x}}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	call(t, "config", "check", "agent.yaml", "shop.yaml").wants(t, exitError,
		"agent.yaml:1:1: unknown key gatewy, did you mean gateway?", "agent.yaml:2:7: bind", "shop.yaml:2:15: unknown key members.a.failure_domian")
}

func TestAFurtherOperatorIsGrantedByTheCA(t *testing.T) {
	t.Chdir(t.TempDir())
	call(t, "init", "--dir", ".", "--cluster", "shop", "--name", "web-1", "--address", "10.0.0.1").wants(t, exitOK, "")
	call(t, "operator", "grant", "bob").wants(t, exitOK, "bob.key: signs commands of bob in cluster shop")
	key, err := pki.LoadOperatorKey("bob.key")
	if err != nil {
		t.Fatal(err)
	}
	ca, err := pki.LoadCA("ca.crt", "ca.key", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if !ed25519.Verify(ca.PublicKey(), consensus.GrantText("shop", "bob", key.PublicKey()), key.Grant) {
		t.Error("the grant is not the CA's")
	}
	call(t, "operator", "grant", "bob").wants(t, exitError, "bob.key")
	call(t, "operator", "grant", "Bob").wants(t, exitUsage, "want only a-z")
	call(t, "operator", "grant", "eve", "--ca-key", "nowhere").wants(t, exitError, "--ca-key")
}

// TestTheMachinesOwnAgentHasItsSocketWhereTheGroupGets: /etc/moonwatch is closed to whoever
// is not root, and a command that may not read agent.yaml there asks at the usual socket.
func TestTheMachinesOwnAgentHasItsSocketWhereTheGroupGets(t *testing.T) {
	for dir, want := range map[string]string{"/etc/moonwatch": "socket: /run/moonwatch/agent.sock\n", "/etc/moonwatch/": "socket: /run/moonwatch/agent.sock\n", "/srv/shop": "socket: agent.sock\n"} {
		b := birth{dir: dir, cluster: "prod", name: "web-1", address: "10.0.0.1", council: []string{"web-1"}}
		agentYAML, _, err := b.configuration()
		if err != nil || !strings.Contains(string(agentYAML), want) {
			t.Errorf("init --dir %s: %v, want %q in\n%s", dir, err, want, agentYAML)
		}
	}
}
