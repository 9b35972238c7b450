package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"testing"

	"moonwatch/consensus"
	"moonwatch/consensus/disk"
	"moonwatch/internal/audit"
	"moonwatch/internal/client"
)

// TestAuditVerifySaysWhatItFolded, and where a whole ledger is another one, in words.
func TestAuditVerifySaysWhatItFolded(t *testing.T) {
	w := simWorld(t)
	facts := w.Facts()
	n := len(facts)
	whole, err := w.State().Ledger().Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	edited := bytes.Replace(whole, []byte(`"occupant":"web-0"`), []byte(`"occupant":"spare-1"`), 1)
	good, bad := ledgerFolder(t, facts, whole), ledgerFolder(t, facts, edited)
	all := fmt.Sprintf("facts 1 to %d", n)
	call(t, "audit", "verify", good).wants(t, exitOK, fmt.Sprintf("The whole ledger as of fact %d is what %s add up to.", n, all), "The chain holds.")
	call(t, "audit", "verify", bad).wants(t, exitDegraded, fmt.Sprintf("DIFFERS: the whole ledger as of fact %d: slot web-0, occupant", n),
		`"spare-1"`, `"web-0"`, all, "is not what "+all+" add up to", "The facts hold, and the whole ledger is not what they add up to.")
	call(t, "audit", "verify", bad, "-o", "json").wants(t, exitDegraded, `"record": "slot web-0"`, `"field": "occupant"`, `"folded": [`)

	// The running agent hands out both.
	handed := whole
	answers := func(of func(r *http.Request) any) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_ = json.NewEncoder(w).Encode(of(r))
		}
	}
	agent := agentWith(t, fixture(t, "page-open.json"), map[string]http.HandlerFunc{
		"/api/v1/ledger":      answers(func(*http.Request) any { return client.Ledger{Schema: 1, Ledger: handed} }),
		"/api/v1/audit/heads": answers(func(*http.Request) any { return map[string]any{"heads": []audit.Heads{}} }),
		"/api/v1/audit/facts": answers(func(r *http.Request) any {
			from, err := strconv.Atoi(r.URL.Query().Get("from"))
			if err != nil {
				t.Error(err)
			}
			p := audit.Page{Schema: 1, Cluster: "sim", Member: "web-1", First: 1, Head: uint64(n)}
			for _, f := range facts[from-1 : min(n, from+2)] {
				p.Links = append(p.Links, audit.LinkOf(f))
			}
			return p
		}),
	})
	call(t, "audit", "verify", "--agent", agent).wants(t, exitOK, all+" add up to", "The chain holds.")
	handed = edited
	call(t, "audit", "verify", "--agent", agent).wants(t, exitDegraded, "DIFFERS", "slot web-0, occupant")
	handed = []byte(`{}`)
	call(t, "audit", "verify", "--agent", agent).wants(t, exitOK, "The whole ledger was not folded anew from its first fact on: ")
}

// ledgerFolder is that of a member that wrote the whole ledger down.
func ledgerFolder(t *testing.T, facts []consensus.Fact, whole []byte) string {
	t.Helper()
	dir := t.TempDir()
	s, err := disk.Open(disk.Config{Dir: dir, Cluster: "sim", Member: "web-1"})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Keep(facts); err != nil {
		t.Fatal(err)
	}
	if err := s.KeepSnapshot(uint64(len(facts)), whole, nil, 0, false); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return dir
}
