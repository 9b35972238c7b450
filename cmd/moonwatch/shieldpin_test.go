package main

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"moonwatch/consensus"
	"moonwatch/member"
	"moonwatch/shield"
)

func TestPeoplePinReleaseAndUnpinASubdomain(t *testing.T) {
	for _, c := range []struct {
		args []string
		host string
		rung shield.Rung
		long time.Duration
		say  string
	}{
		{[]string{"pin", "WWW.example.com.", "stop", "--for", "30m"}, "www.example.com", shield.Stop, 30 * time.Minute, "www.example.com is pinned to stop"},
		{[]string{"pin", "*.example.com", "challenge"}, "*.example.com", shield.Challenge, time.Hour, "is pinned to challenge"},
		{[]string{"release", "www.example.com"}, "www.example.com", shield.Observe, 10 * time.Minute, "www.example.com is left alone"},
	} {
		co := &council{outcome: accepted}
		args := append([]string{"shield"}, c.args...)
		call(t, append(args, "--reason", "they asked", "--agent", ordering(t, co))...).wants(t, exitOK, c.say)
		got := co.taken.Load()
		var p shield.Pin
		if err := json.Unmarshal(got.Payload, &p); err != nil {
			t.Fatal(err)
		}
		if lasts := time.Until(p.Until); got.Kind != consensus.KindPin || got.Warrant == nil || p.Host != c.host || p.Rung != c.rung || p.Reason != "they asked" ||
			lasts > c.long+time.Minute || lasts < c.long-time.Minute {
			t.Errorf("%v: %+v", c.args, p)
		}
	}
	co := &council{outcome: accepted}
	call(t, "shield", "unpin", "www.example.com", "--agent", ordering(t, co)).wants(t, exitOK, "given back to the doors' votes")
	if got := co.taken.Load(); got.Kind != consensus.KindUnpin || got.Warrant == nil {
		t.Errorf("%+v", got)
	}
}

func TestPinsThatAreMistakes(t *testing.T) {
	agent := ordering(t, &council{outcome: `{"state":"refused","fact":13,"reason":"never stopped"}`})
	for _, c := range []struct {
		code int
		say  string
		args []string
	}{
		{exitUsage, "--reason is missing", []string{"pin", "www.example.com", "stop"}},
		{exitUsage, "want challenge, stop or drop", []string{"pin", "www.example.com", "observe", "--reason", "r"}},
		{exitUsage, "RUNG is missing", []string{"pin", "www.example.com"}},
		{exitUsage, "want a host name", []string{"release", "a b", "--reason", "r"}},
		{exitUsage, "at most", []string{"pin", "www.example.com", "stop", "--for", "1000h", "--reason", "r"}},
		{exitRefused, "never stopped", []string{"pin", "www.example.com", "stop", "--reason", "r"}},
	} {
		call(t, append(append([]string{"shield"}, c.args...), "--agent", agent)...).wants(t, c.code, c.say)
	}
}

func TestAPinThatNoDoorObeysSaysSo(t *testing.T) {
	pin := []string{"shield", "pin", "www.example.com", "stop", "--reason", "they asked", "--agent"}
	for mode, want := range map[string]bool{"": true, member.ShieldShadow: true, member.ShieldOff: true, member.ShieldEnforce: false} {
		fleet := demoFleet(func(f *member.Fleet) { f.Shield.Mode = mode })
		r := call(t, append(pin, ordering(t, &council{outcome: accepted, live: &fleet}))...)
		r.wants(t, exitOK, "is pinned to stop")
		if said := strings.Contains(r.out, "no door does anything about it"); said != want {
			t.Errorf("mode %q: %s", mode, r.out)
		}
	}
}
