package strict

import (
	"strings"
	"testing"
	"time"
)

func read(t *testing.T, text string) (*Reader, *Value) {
	t.Helper()
	r := &Reader{File: "x.yaml"}
	v := r.Read([]byte(text))
	if v == nil {
		t.Fatal(r.Err())
	}
	return r, v
}

func TestAWordWithAColonIsNoMapping(t *testing.T) {
	for text, want := range map[string]Shape{
		"a: [b:c]":         Text,
		"a: {b: [c:d]}":    Text,
		"a: {b: [c:1]}":    Text,
		"a:\n  - b:c":      Text,
		"a: [{b: c}]":      Mapping,
		"a: [b: c]":        Mapping,
		"a:\n  - b: c":     Mapping,
		"a:\n  - b:\n    ": Mapping,
		"a: {b: [{c:d}]}":  Mapping, // its braces say so
	} {
		_, v := read(t, text)
		if v = v.Pairs[0].Value; v.Shape == Mapping {
			v = v.Pairs[0].Value
		}
		if got := v.Items[0]; got.Shape != want {
			t.Errorf("%q: an entry is %s", text, got.Found())
		}
	}
}

func TestMistakesComeInTheOrderOfTheFile(t *testing.T) {
	r, v := read(t, "first: 0\nsecnd: 5s\nthird: no\n")
	o := r.Object("", v, "first", "second", "third")
	o.Truth("third")
	o.Duration("second", time.Second, 0, time.Hour, time.Minute)
	o.Integer("first", 1, 1, 9)
	o.Missing("second", "a time")
	want := strings.Join([]string{
		"x.yaml:1:1: second is missing, want a time",
		"x.yaml:1:8: first is the number 0, want a whole number from 1 to 9",
		"x.yaml:2:1: unknown key secnd, did you mean second?",
		`x.yaml:3:8: third is "no", want true or false`,
	}, "\n")
	if err := r.Err(); err == nil || err.Error() != want {
		t.Errorf("got\n%v\nwant\n%s", err, want)
	}
}

func TestWhoKnowsMoreOfAKeySpeaksOfItAlone(t *testing.T) {
	r, v := read(t, "password: x\ncolour: red\n")
	r.Leave = func(key string) bool { return key == "password" }
	r.Object("", v, "name")
	if err := r.Err(); err == nil || err.Error() != "x.yaml:2:1: unknown key colour, want name" {
		t.Errorf("got %v", err)
	}
}

func TestASecretIsNotShown(t *testing.T) {
	for _, text := range []string{"https://somebody:word@example.com", "-----BEGIN RSA PRIVATE KEY-----"} {
		r, v := read(t, "a: '"+text+"'")
		r.Object("", v, "a").Integer("a", 1, 1, 2)
		if err := r.Err(); err == nil || err.Error() != "x.yaml:1:4: a is a secret, want a whole number from 1 to 2" {
			t.Errorf("got %v", err)
		}
	}
}
