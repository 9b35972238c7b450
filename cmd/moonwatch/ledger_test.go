package main

import (
	"encoding/hex"
	"encoding/json"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"moonwatch/internal/audit"
	"moonwatch/internal/backup"
	"moonwatch/status"
)

// TestALedgerIsBackedUpVerifiedAndRestored on a new disk of another member than the one
// that was asked.
func TestALedgerIsBackedUpVerifiedAndRestored(t *testing.T) {
	t.Chdir(t.TempDir())
	l := simLedger(t, 0)
	var heads []audit.Heads
	asJSON := func(v func() any) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_ = json.NewEncoder(w).Encode(v())
		}
	}
	page := status.Page{Schema: 1, Now: time.Now().UTC(), Self: status.Self{Name: "web-2"}, Knowledge: status.Knowledge{Head: 7, AsOf: time.Now().Add(-time.Hour)}}
	agent := agentWith(t, page, map[string]http.HandlerFunc{
		"/api/v1/ledger":      asJSON(func() any { return l }),
		"/api/v1/audit/heads": asJSON(func() any { return map[string]any{"heads": heads} }),
	})
	call(t, "ledger", "backup", "--to", "sim.backup", "--agent", agent).wants(t, exitOK, "up to fact", "hears of no council quorum")
	call(t, "ledger", "backup", "--to", "sim.backup", "--agent", agent).wants(t, exitError, "file exists")
	if info, err := os.Stat("sim.backup"); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v: %v, want 0600", err, info.Mode())
	}
	if r := call(t, "ledger", "backup", "--agent", agent); !strings.HasPrefix(r.out, `{"schema":1,"kind":"moonwatch ledger backup"`) {
		t.Errorf("on standard output: %.80s", r.out)
	}
	b, err := backup.Read("sim.backup")
	if err != nil || b.From != "web-2" {
		t.Fatalf("%v: %+v", err, b)
	}
	call(t, "ledger", "verify", "sim.backup").wants(t, exitOK, "is what was written", "--agent")
	call(t, "ledger", "verify", "sim.backup", "--agent", agent).wants(t, exitOK, "No agent remembers fact")
	var same, other audit.Hash
	if _, err := hex.Decode(same[:], []byte(b.Hash)); err != nil {
		t.Fatal(err)
	}
	heads = []audit.Heads{{Member: "web-1", Heads: []audit.Head{{Index: b.Head, Hash: same}}}}
	call(t, "ledger", "verify", "sim.backup", "--agent", agent).wants(t, exitOK, "web-1 remember that head")
	heads = append(heads, audit.Heads{Member: "web-3", Heads: []audit.Head{{Index: b.Head, Hash: other}}})
	call(t, "ledger", "verify", "sim.backup", "--agent", agent, "-o", "json").wants(t, exitDegraded, `"contradict": [`, "web-3")

	call(t, "init", "--dir", "m", "--cluster", b.Cluster, "--name", "web-1", "--address", "10.0.0.1").wants(t, exitOK)
	call(t, "ledger", "restore", "sim.backup", "--config", "m/agent.yaml").wants(t, exitOK, "for web-1", "council recover")
	call(t, "ledger", "restore", "sim.backup", "--config", "m/agent.yaml").wants(t, exitError, "there is a ledger in")
	// What was restored is no broken chain: it has none, and who remembers its head says whether it is right.
	const restored = "restored from a backup"
	call(t, "audit", "verify", "m/data").wants(t, exitError, restored, "nobody who was asked remembers its head")
	call(t, "audit", "verify", "m/data", "--agent", agent).wants(t, exitDegraded, restored, "REWRITTEN", "web-3")
	heads = heads[:1]
	call(t, "audit", "verify", "m/data", "--agent", agent).wants(t, exitOK, restored, "It ends where it was agreed to end", "was not folded anew from its first fact on: facts 1 to")
	call(t, "audit", "verify", "m/data", "--witness", "sim.backup").wants(t, exitOK, "is the same as the whole ledger as of fact")
	call(t, "council", "recover", "survey", "--config", "m/agent.yaml", "--to", "web-1.survivor").wants(t, exitOK, "the ledger of web-1")

	call(t, "init", "--dir", "n", "--cluster", "bank", "--name", "web-1", "--address", "10.0.0.1").wants(t, exitOK)
	call(t, "ledger", "restore", "sim.backup", "--config", "n/agent.yaml").wants(t, exitError, "is of cluster "+b.Cluster+", this agent is of bank")
	call(t, "ledger", "verify", "n/agent.yaml").wants(t, exitError, "want a file that 'moonwatch ledger backup' wrote")
	call(t, "ledger", "verify", "missing").wants(t, exitError, "missing: no such file")
	call(t, "ledger", "verify").wants(t, exitUsage, "FILE is missing")
}
