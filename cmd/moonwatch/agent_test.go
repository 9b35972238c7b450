package main

import (
	"context"
	"errors"
	"strings"
	"testing"

	"go.uber.org/zap"

	"moonwatch/internal/config"
	"moonwatch/internal/demo"
	"moonwatch/member"
)

func TestAgentRunsWithItsFileAndFlags(t *testing.T) {
	initialised(t)
	a := newApp(t)
	var got *config.Agent
	a.parts.agent = func(_ context.Context, cfg *config.Agent, log *zap.Logger) error {
		got = cfg
		log.Debug("seen")
		return context.Canceled // an ordered stop
	}
	r := a.call("agent", "--config", "agent.yaml", "--profile", "wan", "--log-level", "debug", "--log-format", "json")
	r.wants(t, exitOK, `"msg":"agent starts"`, `"msg":"seen"`, `"msg":"agent stopped"`, `"member":"web-1"`)
	if got.Profile != "wan" {
		t.Errorf("profile %s", got.Profile)
	}
	if r.out != "" {
		t.Errorf("standard output has %q", r.out)
	}
}

func TestAgentThatFailsExitsWithOne(t *testing.T) {
	initialised(t)
	a := newApp(t)
	a.parts.agent = func(context.Context, *config.Agent, *zap.Logger) error {
		return errors.New("agent web-1: open http: in use")
	}
	a.call("agent").wants(t, exitError, "moonwatch agent: agent web-1: open http: in use")
	a.call("agent", "--bind", "nowhere").wants(t, exitError, `--bind: bind is "nowhere"`)
}

func TestDemoPassesOnWhatWasAskedAndHowItEnded(t *testing.T) {
	a := newApp(t)
	var got demo.Options
	a.parts.demo = func(_ context.Context, o demo.Options) int {
		got = o
		return exitDegraded
	}
	a.call("demo", "--once", "--fault", "half", "--json", "--full").wants(t, exitDegraded)
	if !got.Once || got.Fault != "half" || !got.JSON || !got.Full {
		t.Errorf("options %+v", got)
	}
	a.call("demo").wants(t, exitDegraded)
	if got.Once || got.Fault != "" {
		t.Errorf("options of a demo that stays up: %+v", got)
	}
}

func TestHelpNamesEveryFaultOfTheDemo(t *testing.T) {
	r := call(t, "demo", "--help")
	for _, f := range demo.Faults() {
		if !strings.Contains(r.out, "\n  "+f+" ") {
			t.Errorf("no line about fault %s", f)
		}
	}
}

// TestHelpNamesEveryProfileThatAgentYAMLTakes, and none as one of a later version.
func TestHelpNamesEveryProfileThatAgentYAMLTakes(t *testing.T) {
	for _, command := range [][]string{{"agent", "--help"}, {"config", "show", "--help"}} {
		r := call(t, command...)
		r.wants(t, exitOK, append(member.Profiles(), "at most 32 members")...)
		if strings.Contains(r.out, "later version") {
			t.Errorf("%v speaks of a later version:\n%s", command, r.out)
		}
	}
}
