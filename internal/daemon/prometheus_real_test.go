//go:build real

package daemon

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"moonwatch/member"
	"moonwatch/status"
)

// debians finds a program of Debian's prometheus, or skips the test.
func debians(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("%s is not installed", name)
	}
	return path
}

// TestPromtoolFindsNoFaultInWhatAnAgentExports asks a running agent for its metrics, as
// Prometheus does.
func TestPromtoolFindsNoFaultInWhatAnAgentExports(t *testing.T) {
	promtool := debians(t, "promtool")
	f := newFleet(t, []member.ID{"m1", "m2", "m3", "m4"})
	f.until("m4", "a leader", 60*time.Second, func(p status.Page) bool { return p.Council.Leader != "" })
	f.apply(testFleet(f, 3))
	f.until("m4", "the fleet", 60*time.Second, func(p status.Page) bool { return len(p.Slots) == 3 })
	text := fetch(t, "http://"+f.agents["m4"].Addresses().Debug.String()+"/metrics")
	if !bytes.Contains(text, []byte(`moonwatch_daemon_members{verdict="none"} 4`)) {
		t.Errorf("the agent does not export its four members:\n%s", text)
	}
	cmd := exec.Command(promtool, "check", "metrics")
	cmd.Stdin = bytes.NewReader(text)
	if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("promtool check metrics: %v\n%s", err, out)
	}
}

// TestTheRulesDoWhatTheirTestsSay plays configs/prometheus/moonwatch-tests.yml.
func TestTheRulesDoWhatTheirTestsSay(t *testing.T) {
	promtool := debians(t, "promtool")
	for _, args := range [][]string{
		{"check", "config", "prometheus.yml"},
		{"check", "rules", "moonwatch-rules.yml", "moonwatch-alerts.yml"},
		{"test", "rules", "moonwatch-tests.yml"},
	} {
		cmd := exec.Command(promtool, args...)
		cmd.Dir = prometheusDir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
}

// TestAPrometheusTellsOfALostMember: Debian's Prometheus with the shipped rules scrapes
// four agents, and an alert fires when one of them is lost.
func TestAPrometheusTellsOfALostMember(t *testing.T) {
	f := newFleet(t, []member.ID{"m1", "m2", "m3", "m4"})
	p := scrape(t, debians(t, "prometheus"), f)
	f.until("m4", "a leader", 60*time.Second, func(p status.Page) bool { return p.Council.Leader != "" })
	f.apply(testFleet(f, 3))
	f.until("m4", "all slots serve", 60*time.Second, func(p status.Page) bool {
		n := 0
		for _, s := range p.Slots {
			if s.State == status.SlotServing {
				n++
			}
		}
		return n == 3
	})
	p.until("four targets up", func() bool { return p.value(`sum(up{job="moonwatch"})`) == "4" })
	p.until("no member condemned, by the recorded word of all", func() bool {
		return p.value(`cluster_verdict:moonwatch_daemon_members:max{verdict="none"}`) == "4" &&
			p.value(`cluster:moonwatch_current:agents`) == "4"
	})
	var loaded struct {
		Data struct {
			Groups []struct{ Rules []struct{ Name, Type string } }
		}
	}
	p.ask("/api/v1/rules?type=alert", &loaded)
	alerts := 0
	for _, g := range loaded.Data.Groups {
		alerts += len(g.Rules)
	}
	want := 0
	for _, g := range rules(t, "moonwatch-alerts.yml").Groups {
		want += len(g.Rules)
	}
	if alerts != want {
		t.Errorf("%d alerts are loaded, want %d", alerts, want)
	}
	if got := p.firing(); got["MoonwatchMemberDown"] != "" {
		t.Errorf("it fires although everybody is well: %v", got)
	}

	f.unserve("m2")
	f.stop("m2")
	p.until("the alert", func() bool { return p.firing()["MoonwatchMemberDown"] != "" })
	if got, want := p.firing()["MoonwatchMemberDown"], "docs/runbooks/MoonwatchMemberDown.md"; got != want {
		t.Errorf("the alert links to %q, want %q", got, want)
	}
	p.until("the spare in the slot", func() bool {
		return p.value(`cluster_state:moonwatch_daemon_slots:max{state="serving"}`) == "3"
	})
}

// server is a running Prometheus.
type server struct {
	t    *testing.T
	base string
}

// scrape starts Prometheus with configs/prometheus on the agents of a fleet. Only
// addresses and intervals are not those of the sample.
func scrape(t *testing.T, path string, f *fleet) *server {
	t.Helper()
	dir := t.TempDir()
	var targets []string
	for _, n := range f.names {
		targets = append(targets, fmt.Sprintf("%q", f.agents[n].Addresses().Debug))
	}
	for _, name := range []string{"prometheus.yml", "moonwatch-rules.yml", "moonwatch-alerts.yml"} {
		b, err := os.ReadFile(filepath.Join(prometheusDir, name))
		if err != nil {
			t.Fatal(err)
		}
		text := regexp.MustCompile(`targets: \[.*\]`).ReplaceAllString(string(b), "targets: ["+strings.Join(targets, ", ")+"]")
		text = regexp.MustCompile(`(scrape|evaluation)_interval: 5s`).ReplaceAllString(text, "${1}_interval: 1s")
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	at := l.Addr().String()
	l.Close()
	var log bytes.Buffer
	cmd := exec.Command(path, "--config.file="+filepath.Join(dir, "prometheus.yml"), "--storage.tsdb.path="+filepath.Join(dir, "data"),
		"--web.listen-address="+at)
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait() // ended by a signal
		if t.Failed() {
			t.Logf("prometheus says:\n%s", log.String())
		}
	})
	s := &server{t: t, base: "http://" + at}
	s.until("Prometheus ready", func() bool {
		r, err := http.Get(s.base + "/-/ready")
		if err != nil {
			return false
		}
		r.Body.Close()
		return r.StatusCode == http.StatusOK
	})
	return s
}

func (s *server) until(what string, ok func() bool) {
	s.t.Helper()
	for end := time.Now().Add(90 * time.Second); time.Now().Before(end); time.Sleep(200 * time.Millisecond) {
		if ok() {
			return
		}
	}
	s.t.Fatalf("%s: not within 90 s", what)
}

func (s *server) ask(path string, answer any) {
	s.t.Helper()
	if err := json.Unmarshal(fetch(s.t, s.base+path), answer); err != nil {
		s.t.Fatal(err)
	}
}

// value is the only sample of a query, empty without one.
func (s *server) value(query string) string {
	s.t.Helper()
	var a struct {
		Data struct{ Result []struct{ Value [2]any } }
	}
	s.ask("/api/v1/query?query="+url.QueryEscape(query), &a)
	if len(a.Data.Result) != 1 {
		return ""
	}
	return fmt.Sprint(a.Data.Result[0].Value[1])
}

// firing are the alerts that fire, with the page that each links to.
func (s *server) firing() map[string]string {
	s.t.Helper()
	var a struct {
		Data struct {
			Alerts []struct {
				State               string
				Labels, Annotations map[string]string
			}
		}
	}
	s.ask("/api/v1/alerts", &a)
	out := map[string]string{}
	for _, x := range a.Data.Alerts {
		if x.State == "firing" {
			out[x.Labels["alertname"]] = x.Annotations["runbook"]
		}
	}
	return out
}

func fetch(t *testing.T, address string) []byte {
	t.Helper()
	r, err := http.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	if err != nil || r.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s %v\n%s", address, r.Status, err, b)
	}
	return b
}
