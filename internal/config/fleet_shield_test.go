package config

import (
	"reflect"
	"strings"
	"testing"

	"moonwatch/member"
)

const shieldedFleet = `
version: 1
members:
  web-2: {failure_domain: b, pool: web}
  web-1: {failure_domain: a, pool: web}
pools:
  web: {slots: {web: 1}, checks: {http: {port: 80}}}
`

func TestAShieldIsReadAndWrittenBack(t *testing.T) {
	f, _, err := ParseFleet("fleet.yaml", []byte(shieldedFleet+
		"shield: {mode: enforce, unit: time, capacity: 1200, doors: [web-2, web-1], highest: stop, single_door: trust, weights: {shop.example.com: 4, \"*.example.com\": 0.5}}\n"))
	if err != nil {
		t.Fatal(err)
	}
	want := member.ShieldPolicy{
		Mode: "enforce", Unit: "time", Concurrency: 1200, Doors: []member.ID{"web-1", "web-2"}, Highest: "stop", TrustSingle: true,
		Weights: map[string]float64{"shop.example.com": 4, "*.example.com": 0.5},
	}
	if !reflect.DeepEqual(f.Shield, want) {
		t.Errorf("got %+v, want %+v", f.Shield, want)
	}
	if err := f.Validate(); err != nil {
		t.Error(err)
	}
	again, _, err := ParseFleet("again.yaml", RenderFleet(*f))
	if err != nil || !again.Shield.Equal(want) {
		t.Errorf("%v: written back it is %+v", err, again.Shield)
	}
}

// A build that knows no unit reads the same number of fleet.yaml as nothing, not as
// requests a second.
func TestACapacityIsInTheFieldOfItsUnit(t *testing.T) {
	for unit, want := range map[string]member.ShieldPolicy{
		"requests": {Capacity: 40},
		"time":     {Unit: member.ShieldTime, Concurrency: 40},
	} {
		f, _, err := ParseFleet("fleet.yaml", []byte(shieldedFleet+"shield: {capacity: 40, unit: "+unit+"}\n"))
		if err != nil || !reflect.DeepEqual(f.Shield, want) || f.Shield.Serves() != 40 {
			t.Errorf("unit %s: %v: %+v, want %+v", unit, err, f.Shield, want)
		}
	}
	for want, p := range map[string]member.ShieldPolicy{
		"want concurrency": {Unit: member.ShieldTime, Capacity: 40},
		"want capacity":    {Concurrency: 40},
		"want 1 to":        {Unit: member.ShieldTime, Concurrency: -1},
	} {
		f := member.Fleet{Version: 1, Shield: p}
		if err := f.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: the ledger's own look says %v, want %q", p, err, want)
		}
	}
}

func TestAShieldsMistakesAreNamed(t *testing.T) {
	for text, want := range map[string]string{
		"doors: [web-1, web-1]": "which stands in the list already",
		"doors: [web-9]":        "web-9 is no member",
		"unit: money":           "want requests or time",
		"capacity: 0":           "want a whole number from 1",
		"highest: shape-local":  "want shape, challenge, stop or drop",
		"single_door: maybe":    "want trust",
		"weights: [a]":          "want a mapping of DNS names to weights",
		"weights: {Shop: 2}":    "want a DNS name in lower case",
		"weights: {a.b: 0}":     "a.b is the number 0, want a number from 0.01 to 100",
		"weights: {a.b: 101}":   "want a number from 0.01 to 100",
		"weights: {a.b: much}":  "want a number from 0.01 to 100",
		"weights: {a.b: .nan}":  "want a number from 0.01 to 100",
	} {
		if _, _, err := ParseFleet("fleet.yaml", []byte(shieldedFleet+"shield: {"+text+"}\n")); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
	f := member.Fleet{Version: 1, Shield: member.ShieldPolicy{Doors: []member.ID{"b", "a"}, Highest: "all", Unit: "money", Weights: map[string]float64{"c": -1}}}
	if err := f.Validate(); err == nil || !strings.Contains(err.Error(), "sorted") || !strings.Contains(err.Error(), "b is no member") || !strings.Contains(err.Error(), `highest is "all"`) ||
		!strings.Contains(err.Error(), `"c" has -1`) || !strings.Contains(err.Error(), `unit is "money"`) {
		t.Errorf("the ledger's own look says %v", err)
	}
}
