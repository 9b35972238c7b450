package gateway

import (
	"bytes"
	"strings"
	"testing"
)

func TestNamesAreFolded(t *testing.T) {
	tests := []struct{ host, want string }{
		{"example.com", "example.com"},
		{"EXAMPLE.Com.", "example.com"},
		{"example.com:8080", "example.com"},
		{"example.com.:8080", "example.com"},
		{"example.com:", "example.com"},
		{"a_b-c.example", "a_b-c.example"},
		{"127.0.0.1:80", "127.0.0.1"},
		{"[::1]:8080", "::1"},
		{"[2001:DB8:0::1]", "2001:db8::1"},
		{"2001:db8::1", "2001:db8::1"},
		{"[fe80::1%eth0]:1", "fe80::1"},
		{"", ""},
		{".", ""},
		{"..", ""},
		{"a..b", ""},
		{".a", ""},
		{"a.", "a"},
		{"a..", ""},
		{"*.example.com", ""},
		{"a b", ""},
		{"a/b", ""},
		{"a\x00", ""},
		{"bücher.example", ""},
		{"example.com:http", ""},
		{"example.com:123456", ""},
		{"[::1", ""},
		{"[::1]x", ""},
		{"[::1]:x", ""},
		{"[127.0.0.1]", ""},
		{"a:b:c", ""},
		{strings.Repeat("a.", 126) + "a", strings.Repeat("a.", 126) + "a"},
		{strings.Repeat("a.", 127) + "a", ""},
	}
	for _, test := range tests {
		got, ok := fold(nil, test.host)
		if string(got) != test.want && ok || ok != (test.want != "") {
			t.Errorf("%q: %q %v, want %q", test.host, got, ok, test.want)
		}
	}
}

func table4(t testing.TB) names[int] {
	t.Helper()
	table := Table{Pools: []Pool{
		{Name: "web", Hosts: []string{"www.Example.com", "*.example.com.", "[::1]"}},
		{Name: "api", Hosts: []string{"*.api.example.com", "api.example.com"}},
		{Name: "rest"},
	}}
	if err := table.Validate(); err != nil {
		t.Fatal(err)
	}
	n, _ := table.names()
	return n
}

func TestExactBeforeLongestWildcardBeforeCatchAll(t *testing.T) {
	const web, api, rest = 1, 2, 3
	n := table4(t)
	for host, want := range map[string]int{
		"www.example.com":        web,
		"WWW.example.com:443":    web,
		"shop.example.com":       web,
		"a.b.example.com.":       web,
		"[0:0::1]:80":            web,
		"api.example.com":        api,
		"v1.api.example.com":     api,
		"x.y.v1.api.example.com": api,
		"example.com":            rest, // a wildcard is for what is below it
		"notexample.com":         rest,
		"example.org":            rest,
		"192.0.2.1":              rest,
		"":                       rest, // HTTP/1.0
		"a..b":                   0,
		"[::1":                   0,
	} {
		if got := n.find(host); got != want {
			t.Errorf("%q finds pool %d, want %d", host, got, want)
		}
	}
	var none names[int]
	if got := none.find("www.example.com"); got != 0 {
		t.Errorf("an empty table finds %d", got)
	}
}

func TestFindingANameAllocatesNothing(t *testing.T) {
	n := table4(t)
	for _, host := range []string{"WWW.Example.com:443", "x.y.v1.api.example.com", "example.org", "[2001:db8::1]:80"} {
		if got := testing.AllocsPerRun(100, func() { n.find(host) }); got != 0 {
			t.Errorf("%s: %v allocations", host, got)
		}
	}
}

func FuzzFold(f *testing.F) {
	for _, s := range []string{"www.Example.com:80", "[::1]:80", "a..b", "::", "x:", "[fe80::1%a]", "."} {
		f.Add(s)
	}
	n := table4(f)
	f.Fuzz(func(t *testing.T, host string) {
		n.find(host) // must not panic
		once, ok := fold(nil, host)
		if !ok {
			return
		}
		if len(once) == 0 || len(once) > maxName || !bytes.Equal(once, bytes.ToLower(once)) || bytes.ContainsAny(once, "[]%* ") {
			t.Fatalf("%q folds to %q", host, once)
		}
		twice, ok := fold(nil, string(once))
		if !ok || !bytes.Equal(once, twice) {
			t.Fatalf("%q folds to %q, and that to %q", host, once, twice)
		}
		if n.find(host) != n.find(string(once)) {
			t.Fatalf("%q and its normal form find different pools", host)
		}
	})
}
