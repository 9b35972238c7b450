package main

import (
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

func TestUsageErrorsExitWithTwoAndNameWhatWasMeant(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, c := range []struct{ args, say string }{
		{"membres", `unknown command "membres", did you mean members?`},
		{"verdicks", "did you mean verdicts?"},
		{"xyzzy", `unknown command "xyzzy"`},
		{"cert issu x", "did you mean issue?"},
		{"config chek", "did you mean check?"},
		{"demo kil vm-1", "did you mean kill?"},
		{"help aply", "did you mean apply?"},
		{"members --agnet x", "unknown flag --agnet, did you mean --agent?"},
		{"apply f.yaml --dryrun", "did you mean --dry-run?"},
		{"agent --data-dri x", "did you mean --data-dir?"},
		{"members --zzz", "unknown flag --zzz"},
		{"members -z", "unknown shorthand flag"},
		{"members -o tabel", "want one of table, wide, json, yaml"},
		{"members extra", `unexpected argument "extra"`},
		{"members --agent nonsense", "want unix:PATH, HOST:PORT or http://HOST:PORT"},
		{"explain", "ID is missing"},
		{"apply", "FILE is missing"},
		{"cert issue", "NAME is missing"},
		{"cert issue web-2", "want --address"},
		{"cert issue Web_2 --address 10.0.0.2", "want only a-z"},
		{"agent", "there is no agent.yaml here"},
		{"config check", "neither agent.yaml nor fleet.yaml"},
		{"demo --fault kill", "go with --once"},
		{"demo --once --fault fire", "want one of kill, stop"},
		{"demo kill", "MEMBER is missing"},
		{"init --name UPPER --address 10.0.0.1 --dir x", "want only a-z"},
		{"init --address nowhere --dir x --name a", "want an IP address"},
		{"init --address 0.0.0.0 --dir x --name a", "want an IP address"},
		{"init --address 10.0.0.1 --dir x --name " + strings.Repeat("a", 33), "want at most 32"},
		{"init --address 10.0.0.1 --dir x --name a --councillors a,b", "want 1, 3, 5 or 7"},
		{"init --address 10.0.0.1 --dir x --name a --councillors a,b,b", "names b twice"},
		{"init --address 10.0.0.1 --dir x --name a --councillors a,B,c", "want only a-z"},
		{"council recover aply", "did you mean apply?"},
		{"council recover plan", "SURVIVOR is missing"},
		{"council recover sign", "PLAN is missing"},
		{"council recover apply one.signed", "SIGNED is missing"},
		{"council recover survey", "there is no agent.yaml here"},
		{"operator grant", "NAME is missing"},
		{"completion powershell", "want bash, zsh or fish"},
		{"", "Usage:"},
		{"cert", "Usage:"},
		{"config", "Usage:"},
	} {
		t.Run(c.args, func(t *testing.T) {
			r := call(t, strings.Fields(c.args)...)
			r.wants(t, exitUsage, c.say)
			if r.out != "" {
				t.Errorf("standard output has %q, want nothing", r.out)
			}
		})
	}
}

func TestErrorsThatAreNoUsageExitWithOne(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, c := range []struct{ args, say string }{
		{"members", "no agent answers: there is no such socket. Start the agent"},
		{"members --agent 127.0.0.1:1", "nobody listens there"},
		{"agent --config missing.yaml", "no such file"},
		{"apply missing.yaml", "read fleet"},
		{"config check missing.yaml", "no such file"},
		{"cert issue web-2 --address 10.0.0.2", "--ca-cert and --ca-key"},
	} {
		t.Run(c.args, func(t *testing.T) {
			if c.args == "members" {
				t.Setenv("MOONWATCH_SOCKET", "no/such.sock")
			}
			call(t, strings.Fields(c.args)...).wants(t, exitError, c.say)
		})
	}
}

func TestEveryHelpHasAnExample(t *testing.T) {
	var walk func(c *cobra.Command)
	walk = func(c *cobra.Command) {
		if c.Short == "" || c.Example == "" {
			t.Errorf("%s: short %q, example %q: want both", c.CommandPath(), c.Short, c.Example)
		}
		if c.Example != "" && !strings.Contains(c.Example, c.CommandPath()) {
			t.Errorf("%s: its example does not show it: %s", c.CommandPath(), c.Example)
		}
		for _, sub := range c.Commands() {
			walk(sub)
		}
	}
	walk(newApp(t).root())
}

func TestHelpGoesToStandardOutput(t *testing.T) {
	for _, args := range [][]string{{"--help"}, {"help"}, {"help", "cert", "issue"}, {"apply", "--help"}, {"help", "help"}} {
		r := call(t, args...)
		r.wants(t, exitOK)
		if !strings.Contains(r.out, "Examples:") || r.err != "" {
			t.Errorf("%v: out %q, err %q", args, r.out, r.err)
		}
	}
}

func TestVersionAndCompletionAnswer(t *testing.T) {
	call(t, "version").wants(t, exitOK, "moonwatch 1.2.3")
	for _, shell := range []string{"bash", "zsh", "fish"} {
		call(t, "completion", shell).wants(t, exitOK, "moonwatch")
	}
}
