package scenario

import (
	"os"
	"strings"
	"testing"
	"time"

	"moonwatch/member"
	"moonwatch/sim"
)

func TestEveryFaultIsToldInWords(t *testing.T) {
	g := demo()
	for _, rule := range sim.Kinds() {
		f := sim.Fault{Do: rule.Kind, Whom: []member.ID{"web-3"}, Share: 0.5, Delay: time.Second, Every: 5 * time.Second, Host: "www.example.com"}
		begin, end := faultWords(g, &f)
		if _, ok := faultTexts[rule.Kind]; !ok || strings.ContainsAny(begin+end, "{}") || (end == "") == rule.Ends {
			t.Errorf("%s: %q, %q", rule.Kind, begin, end)
		}
	}
}

func TestManyMembersAreNamedShortly(t *testing.T) {
	g := demo()
	for want, ids := range map[string][]member.ID{
		"web-1":                    {"web-1"},
		"web-1 and web-2":          {"web-1", "web-2"},
		"failure domain c":         {"spare-1", "web-2"},
		"everybody":                g.ids(),
		"a, b, c, d, e and 2 more": {"a", "b", "c", "d", "e", "f", "g"},
		"spare-0, web-0 and web-1": {"spare-0", "web-0", "web-1"},
	} {
		if got := demoOrMore(g, ids).names(ids); got != want {
			t.Errorf("%v: %q, want %q", ids, got, want)
		}
	}
}

// demoOrMore keeps a list of strangers from being as long as the whole fleet.
func demoOrMore(g *ground, ids []member.ID) *ground {
	if !g.has(ids[0]) {
		return newGround(sim.Fleet(30).Fleet, nil)
	}
	return g
}

// The manual is written by hand and stands beside the library.
func TestTheManualNamesAllThatAScenarioMayUse(t *testing.T) {
	b, err := os.ReadFile("../testdata/README.md")
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, rule := range sim.Kinds() {
		all = append(all, "| `"+string(rule.Kind)+"` | "+rule.What)
	}
	for _, k := range append(topKeys[2:], expectKeys...) {
		all = append(all, "`"+k)
	}
	for _, s := range single {
		all = append(all, "`"+string(s)+"`")
	}
	for _, want := range all {
		if !strings.Contains(string(b), want) {
			t.Errorf("README.md lacks %s", want)
		}
	}
}
