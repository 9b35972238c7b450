package main

import (
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"moonwatch/status"
)

// askers are all commands that ask an agent, with arguments that are right, and want an
// answer at once.
var askers = map[string]string{
	"status": "", "top": "", "members": "", "slots": "", "spares": "", "verdicts": "", "failovers": "", "incidents": "", "facts": "",
	"holds": "", "approvals": "", "report": "", "explain": "web-3", "council": "", "tune": "", "observers": "web-3",
	"shield top": "", "shield list": "", "shield explain": "www.example.com", "notify list": "", "notify test": "",
	"audit verify": "", "audit export": "", "cert list": "", "spares advise": "",
	"cert revoke": "web-4 --reason r --yes", "apply": "fleet.yaml --yes", "hold": "fleet --reason r", "freeze": "fleet --reason r",
	"disarm": "fleet --reason r", "maintenance": "fleet --reason r --for 1h", "dry-run": "fleet --reason r", "resume": "fleet",
	"drain": "web-3 --reason r", "undrain": "web-3 --reason r", "switchover": "web-3 --reason r", "vacate": "web-3 --reason r", "fill": "web-3 --reason r", "drill": "spare-1 --reason r", "spares clear": "spare-1 --reason r",
	"shield pin": "www.example.com stop --reason r", "shield release": "www.example.com --reason r", "shield unpin": "www.example.com --reason r",
	"request override": "web-3 --reason r", "request fenced": "web-3 --reason r", "request reserve": "web-3 --reason r",
	"request failover": "web-3 --reason r", "approve": "R-4", "reject": "R-4 --reason r",
	"gossip key rotate": "", "ledger backup": "", "sim whatif": "kill_web-3", "members retire": "web-3 --yes", "members forget": "web-3 --yes",
}

// sweptElsewhere may ask an agent, and need none.
var sweptElsewhere = []string{"ledger verify"}

func TestEveryCommandThatAsksAnAgentIsSwept(t *testing.T) {
	var walk func(c *cobra.Command)
	left := maps.Clone(askers)
	walk = func(c *cobra.Command) {
		name := strings.TrimPrefix(c.CommandPath(), "moonwatch ")
		if c.Flags().Lookup("agent") != nil && !slices.Contains(sweptElsewhere, name) {
			if _, ok := askers[name]; !ok {
				t.Errorf("%s asks an agent, and is not swept", name)
			}
			delete(left, name)
		}
		for _, sub := range c.Commands() {
			walk(sub)
		}
	}
	walk(newApp(t).root())
	for name := range left {
		t.Errorf("%s is swept, and does not ask an agent", name)
	}
}

// sweep calls each command that asks an agent.
func sweep(t *testing.T, agent string, judge func(t *testing.T, name string, r result)) {
	for name, args := range askers {
		t.Run(name, func(t *testing.T) {
			initialised(t)
			if err := os.WriteFile("fleet.yaml", []byte(sweptFleet), 0o644); err != nil {
				t.Fatal(err)
			}
			words := append(strings.Fields(name), strings.Fields(args)...)
			for i, w := range words {
				words[i] = strings.ReplaceAll(w, "_", " ") // of one argument
			}
			judge(t, name, call(t, append(words, "--agent", agent)...))
		})
	}
}

const sweptFleet = "version: 1\nmembers:\n  web-1: {failure_domain: a}\n  web-2: {failure_domain: b}\n  web-3: {failure_domain: c}\n"

// TestWithoutAnAgentEveryCommandSaysWhatToDo and ends with 1, and standard output is empty.
func TestWithoutAnAgentEveryCommandSaysWhatToDo(t *testing.T) {
	sweep(t, "127.0.0.1:1", func(t *testing.T, _ string, r result) {
		r.wants(t, exitError, "Start the agent (moonwatch agent --config FILE), or name another one with --agent")
		if r.out != "" {
			t.Errorf("standard output has %q", r.out)
		}
	})
}

// TestWithoutACouncilNothingIsOrdered: what changes the fleet ends with 4 and says why; what
// looks tells how old it is. The agent has nothing but its page, and no socket.
func TestWithoutACouncilNothingIsOrdered(t *testing.T) {
	page := isolated(certifiedPage(t))
	page.Cluster = "shop"
	agent := withPast(t, page, status.Outage{Slot: "slot-2", Pool: "web", From: page.Now, Fact: 3})
	notOfPages := map[string]string{ // what only the socket of an agent tells or takes
		"council": "", "tune": "", "shield top": "", "shield list": "", "shield explain": "", "notify list": "", "notify test": "", "audit verify": "", "audit export": "",
		"spares advise": "", "gossip key rotate": "", "ledger backup": "", "request override": "", "request fenced": "",
		"request reserve": "", "request failover": "", "approve": "", "reject": "", "resume": "", "sim whatif": "", "members retire": "", "members forget": "",
	}
	looks := []string{"status", "top", "members", "observers", "slots", "spares", "verdicts", "failovers", "incidents", "facts", "holds", "approvals", "report", "explain", "cert list"}
	sweep(t, agent, func(t *testing.T, name string, r result) {
		_, elsewhere := notOfPages[name]
		switch {
		case elsewhere:
			if r.code == exitOK || r.err == "" {
				t.Errorf("exit %d: %s%s", r.code, r.out, r.err)
			}
		case slices.Contains(looks, name):
			if r.code == exitError || r.code == exitUsage || !strings.Contains(r.err, "hears of no council quorum: this is fact 4 and what it knew") {
				t.Errorf("exit %d, it does not say how old its knowledge is: %s", r.code, r.err)
			}
		default:
			if r.code != exitNoQuorum || !strings.Contains(r.err, "'moonwatch status' shows who is missing") {
				t.Errorf("exit %d, want %d and what to look at: %s", r.code, exitNoQuorum, r.err)
			}
		}
	})
}

// TestAnExportThatFailsIsNoGoodOne, also where it goes to standard output.
func TestAnExportThatFailsIsNoGoodOne(t *testing.T) {
	t.Chdir(t.TempDir())
	call(t, "audit", "export", "no-such-folder").wants(t, exitError, "no-such-folder")
	call(t, "audit", "export", "--to", "out", "--agent", "127.0.0.1:1").wants(t, exitError, "nobody listens there")
	if _, err := os.Stat("out"); err == nil {
		t.Error("a file without facts is left behind")
	}
}

// TestAnAgentThatMayNotBeAskedIsToldApart from one that is not there.
func TestAnAgentThatMayNotBeAskedIsToldApart(t *testing.T) {
	agent := agentWith(t, fixture(t, "page-open.json"), map[string]http.HandlerFunc{})
	for name := range askers {
		if strings.HasPrefix(name, "ledger") || strings.HasPrefix(name, "gossip") || strings.HasPrefix(name, "audit") {
			r := call(t, append(append(strings.Fields(name), strings.Fields(askers[name])...), "--agent", agent)...)
			r.wants(t, exitError, "socket")
		}
	}
}
