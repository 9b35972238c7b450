package config

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"moonwatch/internal/strict"
	"moonwatch/member"
)

const small = `
name: web-1
cluster: harvest-7f3a
bind: 10.0.0.1:7946
data_dir: data
tls: {cert: tls/web-1.crt, key: tls/web-1.key, ca: /etc/ca.crt}
gossip_key_file: gossip.key
http: ""
`

func TestDefaultsFillWhatIsNotWritten(t *testing.T) {
	a, err := ParseAgent("/etc/moonwatch/agent.yaml", []byte(small), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := DefaultAgent()
	want.Name, want.Cluster, want.Bind, want.HTTP = "web-1", "harvest-7f3a", netip.MustParseAddrPort("10.0.0.1:7946"), ""
	want.DataDir, want.GossipKeyFile = "/etc/moonwatch/data", "/etc/moonwatch/gossip.key"
	want.TLS = TLS{"/etc/moonwatch/tls/web-1.crt", "/etc/moonwatch/tls/web-1.key", "/etc/ca.crt"}
	a.settings = nil
	if !reflect.DeepEqual(*a, want) {
		t.Errorf("got  %+v\nwant %+v", *a, want)
	}
}

func TestAFlagGoesBeforeAVariableBeforeTheFileBeforeTheDefault(t *testing.T) {
	work, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	a, err := ParseAgent("/etc/moonwatch/agent.yaml", []byte(small),
		[]string{
			"PATH=/bin", "MOONWATCH_NAME=web-2", "MOONWATCH_TLS_CERT=here.crt", "MOONWATCH_JOIN=10.0.0.2:7946, [::1]:7946",
			"MOONWATCH_DATA_DIR=/srv/data", "MOONWATCH_CASE=C-12", "MOONWATCH_HTTP=:0",
		},
		map[string]string{"name": "web-3", "log.level": "debug", "expect-councillors": "a,b,c", "gateway": ":8080"})
	if err != nil {
		t.Fatal(err)
	}
	var shown []string
	for _, s := range a.Settings() {
		if s.Source != FromDefault {
			shown = append(shown, fmt.Sprintf("%s = %s (%s %s)", s.Key, s.Value, s.Source, s.Where))
		}
	}
	want := []string{
		"name = web-3 (flag --name)",
		"cluster = harvest-7f3a (file /etc/moonwatch/agent.yaml:3)",
		"bind = 10.0.0.1:7946 (file /etc/moonwatch/agent.yaml:4)",
		"data_dir = /srv/data (environment MOONWATCH_DATA_DIR)",
		"tls.cert = " + filepath.Join(work, "here.crt") + " (environment MOONWATCH_TLS_CERT)",
		"tls.key = /etc/moonwatch/tls/web-1.key (file /etc/moonwatch/agent.yaml:6)",
		"tls.ca = /etc/ca.crt (file /etc/moonwatch/agent.yaml:6)",
		"gossip_key_file = /etc/moonwatch/gossip.key (file /etc/moonwatch/agent.yaml:7)",
		"join = 10.0.0.2:7946,[::1]:7946 (environment MOONWATCH_JOIN)",
		"expect_councillors = a,b,c (flag --expect-councillors)",
		"http = :0 (environment MOONWATCH_HTTP)",
		"gateway = :8080 (flag --gateway)",
		"log.level = debug (flag --log-level)",
	}
	if !slices.Equal(shown, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(shown, "\n"), strings.Join(want, "\n"))
	}
	if got := a.Origin("profile"); got != (Setting{Key: "profile", Value: "lan", Source: FromDefault}) {
		t.Errorf("profile: got %+v", got)
	}
	if len(a.Settings()) != len(agentKeys) {
		t.Errorf("%d settings, want all %d", len(a.Settings()), len(agentKeys))
	}
}

func TestWrongOverridesAreNamedByVariableAndFlag(t *testing.T) {
	_, err := ParseAgent("agent.yaml", []byte(small+"profile: faster\n"),
		[]string{"MOONWATCH_DATADIR=/srv", "MOONWATCH_BIND=web-1", "MOONWATCH_EXPECT_COUNCILLORS=a,b,a"},
		map[string]string{"profil": "lan", "gossip_key_file": strings.Repeat("0f", 32), "colour": "red"})
	var mistakes strict.Mistakes
	if !errors.As(err, &mistakes) {
		t.Fatalf("got %v", err)
	}
	want := strings.Join([]string{
		`agent.yaml:9:10: profile is "faster", want lan, fast, cloud, wan or demo`,
		`MOONWATCH_BIND: bind is "web-1", want address:port of gossip, such as 0.0.0.0:7946`,
		`MOONWATCH_DATADIR: unknown variable, did you mean MOONWATCH_DATA_DIR?`,
		`--colour: unknown flag, want one of name, cluster, failure-domain, bind, advertise, link, data-dir, tls-cert, tls-key, tls-ca, gossip-key-file, join, expect-councillors, profile, actions-dir, checks-dir, http, debug, gateway, public-listen, public-title, public-url, public-pools, public-show, haproxy-socket, haproxy-frontend, haproxy-backends, haproxy-map, door-address, door-key-file, socket, fences-file, fence-agents-dir, keeper-socket, log-level or log-format`,
		`--gossip-key-file: gossip_key_file is a secret, want the path of the file that init wrote, not the key itself`,
		`--profil: unknown flag, did you mean --profile?`,
		`MOONWATCH_EXPECT_COUNCILLORS: expect_councillors names somebody twice`,
	}, "\n")
	if err.Error() != want {
		t.Errorf("got\n%v\nwant\n%s", err, want)
	}
}

func TestAnOverrideCuresNothingInTheFile(t *testing.T) {
	_, err := ParseAgent("agent.yaml", []byte(strings.Replace(small, "web-1", "Web", 1)), nil, map[string]string{"name": "web-1"})
	if err == nil || !strings.Contains(err.Error(), `agent.yaml:2:7: name is "Web"`) {
		t.Errorf("got %v", err)
	}
}

func TestAFileThatIsNotThereIsNamed(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "agent.yaml")
	if _, err := LoadAgent(missing, nil, nil); !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), missing) {
		t.Errorf("got %v", err)
	}
	if _, err := LoadFleet(filepath.Dir(missing)); err == nil || !strings.Contains(err.Error(), "no regular file") {
		t.Errorf("a folder: got %v", err)
	}
	large := filepath.Join(t.TempDir(), "large")
	if err := os.WriteFile(large, make([]byte, strict.MaxFile+1), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadFleet(large); err == nil || !strings.Contains(err.Error(), "want at most 1048576") {
		t.Errorf("a large file: got %v", err)
	}
}

func TestDoorsMayShareAPortOnDifferentAddresses(t *testing.T) {
	for doors, good := range map[[2]string]bool{
		{"127.0.0.1:80", "127.0.0.2:80"}: true,
		{"127.0.0.1:80", "127.0.0.1:81"}: true,
		{"127.0.0.1:0", "127.0.0.1:0"}:   true,
		{":80", "127.0.0.1:80"}:          false,
		{"[::]:80", "127.0.0.1:80"}:      false,
		{"127.0.0.1:80", "127.0.0.1:80"}: false,
		{"", ""}:                         true,
	} {
		_, err := ParseAgent("agent.yaml", []byte(small), nil, map[string]string{"gateway": doors[0], "debug": doors[1]})
		if (err == nil) != good {
			t.Errorf("%v: got %v", doors, err)
		}
	}
}

// sampleAgent is what configs/agent.yaml shows.
func sampleAgent() Agent {
	a := DefaultAgent()
	a.Name, a.Cluster, a.FailureDomain = "web-1", "harvest-7f3a", "a"
	a.Advertise = netip.MustParseAddr("10.0.0.1")
	a.TLS = TLS{Cert: "tls/web-1.crt", Key: "tls/web-1.key", CA: "tls/ca.crt"}
	a.GossipKeyFile, a.KeeperSocket = "gossip.key", "/run/moonwatch/keeper.sock"
	a.Join = []string{"10.0.0.1:7946", "10.0.0.2:7946", "10.0.0.3:7946"}
	a.ExpectCouncillors = []member.ID{"web-1", "web-3", "web-5", "api-3", "witness-1"}
	return a
}

func TestTheSampleAgentLoads(t *testing.T) {
	const path = "../../configs/agent.yaml"
	golden(t, path, string(RenderAgent(sampleAgent())))
	a, err := LoadAgent(path, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if a.Name != "web-1" || !filepath.IsAbs(a.TLS.CA) {
		t.Errorf("got %+v", a)
	}
	for _, s := range a.Settings() {
		if s.Source != FromFile {
			t.Errorf("%s comes from %s: the sample does not show it", s.Key, s.Source)
		}
	}
}

func TestARenderedAgentComesBack(t *testing.T) {
	path := rapid.StringMatching(`/[ -~月]{1,20}`)
	name := rapid.StringMatching(`[a-z0-9]([a-z0-9.-]{0,9}[a-z0-9])?`)
	rapid.Check(t, func(t *rapid.T) {
		a := sampleAgent()
		a.Name, a.Cluster = member.ID(name.Draw(t, "name")), name.Draw(t, "cluster")
		a.FailureDomain = member.FailureDomain(name.Draw(t, "domain"))
		for _, p := range []*string{&a.DataDir, &a.TLS.Cert, &a.TLS.Key, &a.TLS.CA, &a.GossipKeyFile, &a.ActionsDir, &a.ChecksDir, &a.Socket, &a.KeeperSocket, &a.FencesFile, &a.FenceAgentsDir} {
			*p = filepath.Clean(path.Filter(func(s string) bool { return !strict.Secret(s) && !rawKey(s) }).Draw(t, "path"))
		}
		a.Gateway = rapid.SampledFrom([]string{"", ":8080", "[::1]:0", "localhost:80"}).Draw(t, "gateway")
		a.Join = rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"[::1]:1", "a:2", "10.0.0.1:7946"}), 0, 3, rapid.ID[string]).Draw(t, "join")
		if len(a.Join) == 0 {
			a.Join = nil
		}
		text := RenderAgent(a)
		got, err := ParseAgent("agent.yaml", text, nil, nil)
		if err != nil {
			t.Fatalf("%v in\n%s", err, text)
		}
		got.settings = nil
		if !reflect.DeepEqual(*got, a) {
			t.Fatalf("got  %+v\nwant %+v", *got, a)
		}
	})
}

func FuzzParseAgent(f *testing.F) {
	seed(f, "agent", RenderAgent(sampleAgent()))
	f.Fuzz(func(t *testing.T, b []byte) {
		a, err := ParseAgent("agent.yaml", b, nil, nil)
		wellFormed(t, err, b)
		if err != nil {
			return
		}
		// What was read can be written, and reads the same again.
		text := RenderAgent(*a)
		again, err := ParseAgent("agent.yaml", text, nil, nil)
		if err != nil {
			t.Fatalf("%v in\n%s", err, text)
		}
		a.settings, again.settings = nil, nil
		if !reflect.DeepEqual(a, again) {
			t.Fatalf("got  %+v\nwant %+v", again, a)
		}
	})
}

// seed adds the mistakes of testdata, and what is right.
func seed(f *testing.F, kind string, right []byte) {
	f.Add(right)
	files, err := filepath.Glob(filepath.Join("testdata", kind, "*.yaml"))
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
}

// wellFormed holds every error to the promise: a list of mistakes, each with a
// place that exists in the text.
func wellFormed(t *testing.T, err error, b []byte) {
	t.Helper()
	if err == nil {
		return
	}
	var mistakes strict.Mistakes
	if !errors.As(err, &mistakes) || len(mistakes) == 0 {
		t.Fatalf("got %T: %v", err, err)
	}
	lines := strings.Count(strings.ReplaceAll(string(b), "\r", "\n"), "\n") + 1
	for _, m := range mistakes {
		if m.Line < 1 || m.Line > lines+1 || m.Column < 1 || m.Text == "" {
			t.Fatalf("mistake without a place in %d lines: %+v", lines, m)
		}
	}
}

// TestReadmeListsThePortsOfAnAgent, for those who keep firewalls.
func TestReadmeListsThePortsOfAnAgent(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	a := DefaultAgent()
	for key, addr := range map[string]string{"bind": a.Bind.String(), "link": a.Link, "http": a.HTTP, "debug": a.Debug} {
		_, port, err := net.SplitHostPort(addr)
		if err != nil {
			t.Fatal(err)
		}
		row := regexp.MustCompile(`(?m)^\| ` + port + ` .*` + "`" + key + ":`")
		if !row.Match(readme) {
			t.Errorf("README lists no port %s of %s", port, key)
		}
	}
}
