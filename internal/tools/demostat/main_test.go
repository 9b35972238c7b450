package main

import (
	"strings"
	"testing"
)

func TestWhatDidNotHappenIsNotCountedAsZero(t *testing.T) {
	runs, err := read(strings.NewReader(`
		{"fault":"kill","ok":true,"verdict_ms":1200,"drained_ms":1500,"serving_ms":null}
		{"fault":"kill","ok":false,"verdict_ms":1400,"drained_ms":1600,"serving_ms":5000}
		{"fault":"agent","ok":true,"verdict_ms":null}`))
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	for _, fault := range faults(runs) {
		summarise(&out, fault, runs)
	}
	text := strings.Join(strings.Fields(out.String()), " ")
	for _, want := range []string{
		"fault agent: 1 runs, 1 ok",
		"fault kill: 2 runs, 1 ok",
		"verdict_ms 2 1200 1400 1400",
		"verdict to drained, ms 2 200 300 300",
		"serving_ms 1 5000 5000 5000",
		"restarts 0 - - -",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in %q", want, text)
		}
	}
}

func TestOverlapsAreCountedForBothKindsOfReceivers(t *testing.T) {
	runs, err := read(strings.NewReader(`
		{"fault":"freeze","ok":true,"served_ms":12000,"vacant_ms":2000,"late_writes":3,"double_writes":0}
		{"fault":"freeze","ok":true,"served_ms":13000,"vacant_ms":2500,"late_writes":0,"double_writes":0}
		{"fault":"freeze","ok":false,"served_ms":14000,"vacant_ms":3000,"late_writes":0,"double_writes":1}`))
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	summarise(&out, "freeze", runs)
	text := strings.Join(strings.Fields(out.String()), " ")
	for _, want := range []string{
		"fault freeze: 3 runs, 2 ok",
		"served_ms 3 13000 14000 14000",
		"runs with an overlap: 1 at a receiver that looks at slot epochs, 2 at one that does not",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in %q", want, text)
		}
	}
}

func TestPercentilesAreMeasuredValues(t *testing.T) {
	for _, c := range []struct {
		percent int
		want    float64
	}{{1, 1}, {50, 2}, {75, 3}, {99, 4}, {100, 4}} {
		if got := at([]float64{1, 2, 3, 4}, c.percent); got != c.want {
			t.Errorf("percentile %d is %v, want %v", c.percent, got, c.want)
		}
	}
}

func TestBrokenOutputIsAnError(t *testing.T) {
	for _, in := range []string{"", "{", "panic: x"} {
		if _, err := read(strings.NewReader(in)); err == nil {
			t.Errorf("%q was read without an error", in)
		}
	}
}
