package main

import (
	"encoding/base64"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"moonwatch/consensus"
	"moonwatch/internal/pki"
	"moonwatch/status"
)

func certKey(name string) string {
	return base64.StdEncoding.EncodeToString([]byte((name + strings.Repeat(".", 32))[:32]))
}

// certifiedPage is a page of an agent, spare-1's, that has met everybody.
func certifiedPage(t *testing.T) status.Page {
	t.Helper()
	page := fixture(t, "page-open.json")
	page.Cluster, page.Self.Name = "shop", "spare-1"
	for i := range page.Members {
		m := &page.Members[i]
		m.Cert = &status.Cert{Key: certKey(string(m.ID)), Until: page.Now.Add(60 * 24 * time.Hour)}
	}
	return page
}

func TestAMembersCertificateIsWithdrawnByItsName(t *testing.T) {
	c := &council{outcome: accepted}
	initialised(t)
	agent := agentWith(t, certifiedPage(t), c.routes())
	r := call(t, "cert", "revoke", "web-4", "--reason", " stolen ", "--yes", "--agent", agent)
	r.wants(t, exitOK, "Withdrawn in fact 12: nothing is taken from web-4 any more", "It holds slot slot-3 of pool web", "4 of 5 councillors are left, 3 are wanted")
	got := c.taken.Load()
	var p consensus.Revoke
	if err := json.Unmarshal(got.Payload, &p); err != nil || got.Kind != consensus.KindRevoked || got.Warrant == nil {
		t.Fatalf("%+v, %v", got, err)
	}
	if p.Member != "web-4" || base64.StdEncoding.EncodeToString(p.Key) != certKey("web-4") || p.Reason != "stolen" || p.Force || p.Operator != "" {
		t.Errorf("%+v", p)
	}
	call(t, "cert", "revoke", "web-4", "--reason", "stolen", "--yes", "-o", "json", "--agent", agent).wants(t, exitOK, `"state": "accepted"`)
}

func TestAFileNamesWhoseKeyIsWithdrawn(t *testing.T) {
	c := &council{outcome: accepted}
	initialised(t)
	agent := agentWith(t, certifiedPage(t), c.routes())
	call(t, "cert", "issue", "gone", "--address", "10.0.0.9").wants(t, exitOK)
	call(t, "cert", "revoke", "gone.crt", "--reason", "its disk was sold", "--yes", "--agent", agent).wants(t, exitOK, "It is in no roster")
	_, key, err := pki.CertificateKey("gone.crt")
	if err != nil {
		t.Fatal(err)
	}
	var p consensus.Revoke
	if err := json.Unmarshal(c.taken.Load().Payload, &p); err != nil || p.Member != "gone" || string(p.Key) != string(key) {
		t.Errorf("%+v: %v", p, err)
	}
	// A member's old certificate, which is not the one that it has now.
	call(t, "cert", "issue", "web-4", "--address", "10.0.0.9").wants(t, exitOK)
	call(t, "cert", "revoke", "web-4.crt", "--reason", "an old backup", "--dry-run", "--agent", agent).wants(t, exitOK, "It was met with another key")

	call(t, "operator", "grant", "bob").wants(t, exitOK)
	call(t, "cert", "revoke", "--operator", "bob.key.pub", "--reason", "he has left", "--yes", "--agent", agent).wants(t, exitOK, "signs nothing any more")
	p = consensus.Revoke{}
	if err := json.Unmarshal(c.taken.Load().Payload, &p); err != nil || p.Operator != "bob" || p.Member != "" || len(p.Key) != 32 {
		t.Errorf("%+v: %v", p, err)
	}
}

func TestNobodyWithdrawsTheCouncilsQuorumUnawares(t *testing.T) {
	page := certifiedPage(t)
	for i, m := range page.Members {
		if m.ID == "web-2" || m.ID == "web-5" {
			page.Members[i].Verdict = consensus.VerdictDown
		}
	}
	c := &council{outcome: `{"state":"refused","fact":13,"reason":"revoke: without web-4"}`}
	initialised(t)
	agent := agentWith(t, page, c.routes())
	call(t, "cert", "revoke", "web-4", "--reason", "r", "--dry-run", "--agent", agent).wants(t, exitRefused, "2 of 5 councillors would be left where 3 are wanted: the council will refuse it")
	call(t, "cert", "revoke", "web-4", "--reason", "r", "--yes", "--agent", agent).wants(t, exitRefused, "without web-4")
	call(t, "cert", "revoke", "web-4", "--reason", "r", "--force", "--dry-run", "--agent", agent).wants(t, exitOK, "NOTHING CAN BE DECIDED", "council recover")
	c.outcome = accepted
	call(t, "cert", "revoke", "web-4", "--reason", "r", "--force", "--yes", "--agent", agent).wants(t, exitOK)
	var p consensus.Revoke
	if err := json.Unmarshal(c.taken.Load().Payload, &p); err != nil || !p.Force {
		t.Errorf("%+v: %v", p, err)
	}
}

func TestRevocationsThatAreMistakes(t *testing.T) {
	c := &council{outcome: accepted}
	initialised(t)
	page := certifiedPage(t)
	page.Members[0].Cert = nil
	page.Withdrawn = []status.Withdrawn{{Member: "web-5", Key: certKey("web-5"), Reason: "stolen", By: "alice", Fact: 7}}
	agent := agentWith(t, page, c.routes())
	if err := os.WriteFile("nonsense.pub", []byte("nonsense\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, x := range []struct {
		code int
		say  string
		args []string
	}{
		{exitUsage, "want a MEMBER or its CERTIFICATE, or --operator FILE.pub", nil},
		{exitUsage, "one of them", []string{"web-4", "--operator", "x.pub"}},
		{exitUsage, "did you mean web-4?", []string{"web-44"}},
		{exitUsage, "'moonwatch cert list' lists the members", []string{"xyzzy"}},
		{exitUsage, "nobody to ask", []string{"web-4"}},
		{exitUsage, "is not to be asked to expel it", []string{"spare-1", "--yes"}},
		{exitError, "has not met " + string(page.Members[0].ID), []string{string(page.Members[0].ID), "--yes"}},
		{exitRefused, "was withdrawn in fact 7 already, by alice: stolen", []string{"web-5", "--yes"}},
		{exitError, "is no operator's public key", []string{"--operator", "nonsense.pub"}},
		{exitError, "no such file", []string{"--operator", "missing.pub"}},
		{exitError, "certificate ca.crt: is the CA's, want a member's", []string{"ca.crt"}},
	} {
		call(t, append([]string{"cert", "revoke", "--reason", "r", "--agent", agent}, x.args...)...).wants(t, x.code, x.say)
	}
	call(t, "cert", "revoke", "web-4", "--agent", agent).wants(t, exitUsage, "--reason is missing")
	page.Council.Quorum = false
	call(t, "cert", "revoke", "web-4", "--reason", "r", "--yes", "--agent", agentWith(t, page, c.routes())).wants(t, exitNoQuorum, "no council quorum")
	if c.taken.Load() != nil {
		t.Error("something was handed in")
	}
	dir := t.TempDir()
	t.Chdir(dir)
	if err := os.MkdirAll(filepath.Join(dir, "web-4"), 0o755); err != nil { // a folder of that name is no certificate
		t.Fatal(err)
	}
	call(t, "cert", "revoke", "web-4", "--reason", "r", "--yes", "--agent", agent).wants(t, exitUsage, "who signs this?")
}

func TestCertificatesAreListedByTheirEnd(t *testing.T) {
	page := certifiedPage(t)
	set := func(id string, do func(*status.Member)) {
		for i := range page.Members {
			if string(page.Members[i].ID) == id {
				do(&page.Members[i])
			}
		}
	}
	set("web-1", func(m *status.Member) { m.Cert.Until = page.Now.Add(5 * 24 * time.Hour) })
	set("web-2", func(m *status.Member) { m.Cert.Until = page.Now.Add(20 * 24 * time.Hour) })
	set("web-4", func(m *status.Member) { m.Cert = nil })
	set("web-5", func(m *status.Member) { m.Cert.Until = page.Now.Add(-time.Hour) })
	set("web-3", func(m *status.Member) {
		m.Cert.Revoked, m.Expelled = 9, "its certificate was withdrawn in fact 9 by alice: stolen"
	})
	page.Withdrawn = []status.Withdrawn{
		{Operator: "bob", Key: certKey("bob"), Reason: "has left\x1b[2J", By: "alice", At: page.Now, Fact: 10},
		{Member: "web-3", Key: certKey("web-3"), Reason: "stolen", By: "alice", At: page.Now.Add(-time.Minute), Fact: 9},
	}
	agent := agentWith(t, page, nil)
	r := call(t, "cert", "list", "--agent", agent)
	r.wants(t, exitDegraded)
	golden(t, "cert-list.txt", r.out+"\n$ members -o wide\n"+call(t, "members", "-o", "wide", "--agent", agent).out)
	call(t, "cert", "list", "-o", "json", "--agent", agent).wants(t, exitDegraded, `"operator": "bob"`)
	call(t, "cert", "list", "--agent", agentWith(t, certifiedPage(t), nil)).wants(t, exitOK, "good for 60d0h")
	call(t, "explain", "web-3", "--agent", agent).wants(t, exitOK, "Nothing is taken from it: its certificate was withdrawn in fact 9 by alice: stolen.")
}
