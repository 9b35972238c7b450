package main

import (
	"crypto/rand"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"moonwatch/internal/client"
	"moonwatch/sim"
	"moonwatch/sim/whatif"
	"moonwatch/status"
)

// handsOut is an agent that hands out a ledger which was the present one so
// long ago.
func handsOut(t *testing.T, age time.Duration) string {
	t.Helper()
	l := simLedger(t, age)
	s := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/api/v1/ledger" {
			http.NotFound(rw, r)
			return
		}
		rw.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(rw).Encode(l)
	}))
	t.Cleanup(s.Close)
	return strings.TrimPrefix(s.URL, "http://")
}

// simLedger is the ledger of a fleet that ran for ten seconds, as an agent hands it out.
func simLedger(t *testing.T, age time.Duration) client.Ledger {
	t.Helper()
	b, err := simWorld(t).State().Ledger().Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now().UTC()
	return client.Ledger{
		Schema: status.Schema, Cluster: "sim", Taken: now, Ledger: b,
		Knowledge: status.Knowledge{Head: 7, Current: age == 0, AsOf: now.Add(-age)},
	}
}

// simWorld is the demo's fleet, ten seconds old.
func simWorld(t *testing.T) *sim.World {
	t.Helper()
	chance := rand.Reader // which a world replaces
	t.Cleanup(func() { rand.Reader = chance })
	cfg := sim.Demo()
	cfg.Seed = 1
	w, err := sim.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Run(10 * time.Second); err != nil {
		t.Fatal(err)
	}
	return w
}

func TestWhatIfAsksTheLivingFleet(t *testing.T) {
	r := call(t, "sim", "whatif", "kill web-2", "--agent", handsOut(t, 0), "--for", "1m")
	r.wants(t, exitOK)
	for _, want := range []string{"slot web-2: served again by spare-", "spares: spare-", "brake: holds nothing"} {
		if !strings.Contains(r.out, want) {
			t.Errorf("the answer has no %q:\n%s", want, r.out)
		}
	}
	if r.err != "" {
		t.Errorf("it notes %q", r.err)
	}
}

func TestWhatIfSaysHowOldItsLedgerIs(t *testing.T) {
	r := call(t, "sim", "whatif", "kill web-2", "--agent", handsOut(t, time.Hour), "--for", "1m", "--json")
	r.wants(t, exitOK)
	if !strings.Contains(r.err, "as it stood 1h") {
		t.Errorf("it notes %q, want the age", r.err)
	}
	var a whatif.Answer
	if err := json.Unmarshal([]byte(r.out), &a); err != nil || !a.OK || len(a.Spares) != 1 || !strings.Contains(strings.Join(a.Assumed, "\n"), "1h0m0s old") {
		t.Errorf("%v in %s", err, r.out)
	}
}

func TestWhatIfAsksAFile(t *testing.T) {
	b, err := os.ReadFile("../../configs/fleet.yaml")
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "fleet.yaml")
	if err := os.WriteFile(file, b, 0o600); err != nil {
		t.Fatal(err)
	}
	call(t, "sim", "whatif", "--fleet", file, "kill web-3", "--for", "1m").wants(t, exitOK)
	call(t, "sim", "whatif", "--fleet", file, "lose failure domain b", "--for", "1m").wants(t, exitDegraded)
	call(t, "sim", "whatif", "--fleet", file, "kill wbe-3").wants(t, exitUsage, "is it web-3?")
	call(t, "sim", "whatif", "--fleet", file).wants(t, exitUsage, "say what breaks")
	call(t, "sim", "whatif", "--fleet", file, "kill web-3", "--for", "0s").wants(t, exitUsage, "want 1s to 24h0m0s")
	call(t, "sim", "whatif", "--fleet", file, "kill api-1", "--for", "1m").wants(t, exitDegraded, "would replace api-1, but the pool is not armed")
	call(t, "sim", "whatif", "--fleet", file, "kill api-1", "--for", "1m", "--armed").wants(t, exitOK, "served again by api-3")
	call(t, "sim", "whatif", "kill api-1", "--armed").wants(t, exitUsage, "--armed goes with --fleet")
	call(t, "sim", "whatif", "--fleet", file, "kill web-3", "--for", "25h").wants(t, exitUsage, "want 1s to 24h0m0s")
	call(t, "sim", "whatif", "--fleet", file, "kill web-3", "--rps", "NaN").wants(t, exitUsage, "want more than 0 and at most")
	call(t, "sim", "whatif", "--fleet", file, "--agent", "127.0.0.1:1", "kill web-3").wants(t, exitUsage, "two fleets")
	call(t, "sim", "whatif", "--fleet", "nowhere.yaml", "kill web-3").wants(t, exitError, "nowhere.yaml")
	call(t, "sim", "whatif", "--agent", "127.0.0.1:1", "kill web-3").wants(t, exitError, "--fleet fleet.yaml")
}
