//go:build real

package notify

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"moonwatch/status"
)

// onCall is what Alertmanager tells: each alert with its state, in order.
type onCall struct {
	mu   sync.Mutex
	told []string
}

func (o *onCall) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	var body struct {
		Alerts []struct {
			Status      string            `json:"status"`
			Labels      map[string]string `json:"labels"`
			Annotations map[string]string `json:"annotations"`
		} `json:"alerts"`
	}
	if json.NewDecoder(r.Body).Decode(&body) != nil {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, a := range body.Alerts {
		o.told = append(o.told, fmt.Sprintf("%s %s %s: %s", a.Status, a.Labels["alertname"], a.Labels["severity"], a.Annotations["summary"]))
	}
}

// has counts what begins so.
func (o *onCall) has(what string) (n int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, t := range o.told {
		if strings.HasPrefix(t, what) {
			n++
		}
	}
	return n
}

// startAlertmanager runs Debian's until stop is called, or the test ends.
func startAlertmanager(t *testing.T, dir, at, people string) (stop func()) {
	t.Helper()
	path, err := exec.LookPath("prometheus-alertmanager")
	if err != nil {
		t.Skip("prometheus-alertmanager is not installed")
	}
	config := fmt.Sprintf(`
route: {receiver: people, group_by: [matter], group_wait: 1s, group_interval: 1s, repeat_interval: 1h}
receivers: [{name: people, webhook_configs: [{url: %q, send_resolved: true}]}]
`, people)
	if err := os.WriteFile(filepath.Join(dir, "alertmanager.yml"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	cmd := exec.Command(path, "--config.file="+filepath.Join(dir, "alertmanager.yml"), "--storage.path="+filepath.Join(dir, "data"),
		"--web.listen-address="+at, "--cluster.listen-address=")
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var once sync.Once
	stop = func() {
		once.Do(func() {
			_ = cmd.Process.Signal(syscall.SIGKILL)
			_ = cmd.Wait() // ended by a signal
			if t.Failed() {
				t.Logf("alertmanager says:\n%s", log.String())
			}
		})
	}
	t.Cleanup(stop)
	until(t, "Alertmanager ready", func() bool {
		r, err := http.Get("http://" + at + "/-/ready")
		if err != nil {
			return false
		}
		r.Body.Close()
		return r.StatusCode == http.StatusOK
	})
	return stop
}

func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(90 * time.Second); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		if ok() {
			return
		}
	}
	t.Fatalf("%s: not within 90 s", what)
}

// TestARealAlertmanagerTellsWhatItIsTold from the first word of a matter to its end,
// through a kill -9 after which it knows of nothing.
func TestARealAlertmanagerTellsWhatItIsTold(t *testing.T) {
	people := &onCall{}
	hook := httptest.NewServer(people)
	t.Cleanup(hook.Close)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	at := l.Addr().String()
	l.Close()
	dir := t.TempDir()
	stop := startAlertmanager(t, dir, at, hook.URL)
	a, err := NewAlertmanager(AlertmanagerConfig{URLs: []string{"http://" + at}})
	if err != nil {
		t.Fatal(err)
	}
	// A notice of now: what ended an hour ago Alertmanager would take for old.
	message := func(says status.HeraldSays, severity, told status.Severity) status.Message {
		m := fall(says)
		m.Notice.Since, m.Notice.Severity, m.Told = time.Now().Add(-time.Minute).UTC().Truncate(time.Second), severity, told
		return m
	}
	send := func(m status.Message) {
		t.Helper()
		if err := a.Send(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
	hears := func(what string) {
		t.Helper()
		until(t, what, func() bool { return people.has(what) > 0 })
	}
	send(message(status.SaysBegun, status.Warning, ""))
	hears("firing MoonwatchVerdict warning: V-31: web-3 is down")
	send(message(status.SaysChanged, status.Critical, status.Warning))
	hears("firing MoonwatchVerdict critical: V-31")
	hears("resolved MoonwatchVerdict warning: V-31")

	stop()
	if err := a.Send(t.Context(), message(status.SaysBegun, status.Critical, status.Critical)); err == nil {
		t.Error("an Alertmanager that is gone has taken a message")
	}
	startAlertmanager(t, dir, at, hook.URL)
	if stands := alerts(t, at); strings.Contains(stands, "MoonwatchVerdict") {
		t.Logf("after a kill -9 it still knew: %s", stands)
	}
	send(message(status.SaysBegun, status.Critical, status.Critical)) // as the herald renews it
	until(t, "the renewed alert", func() bool { return strings.Contains(alerts(t, at), "MoonwatchVerdict") })

	until(t, "told after the kill", func() bool { return people.has("firing MoonwatchVerdict critical") > 1 })
	send(message(status.SaysEnded, status.Critical, status.Critical))
	hears("resolved MoonwatchVerdict critical: Over: V-31")

	// What was over before the receiver was back is told all the same.
	over := message(status.SaysEnded, status.Warning, "")
	over.Notice.ID = "cascade/fleet/1"
	send(over)
	hears("firing MoonwatchCascade warning: Over: V-31")
}

func alerts(t *testing.T, at string) string {
	t.Helper()
	r, err := http.Get("http://" + at + "/api/v2/alerts")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	var b bytes.Buffer
	if _, err := b.ReadFrom(r.Body); err != nil {
		t.Fatal(err)
	}
	return b.String()
}
