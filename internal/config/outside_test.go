package config

import (
	"slices"
	"strings"
	"testing"

	"moonwatch/member"
)

func TestAPublicPoolThatTheFleetLacksIsNamed(t *testing.T) {
	a := DefaultAgent()
	a.Public.Listen, a.Public.Pools = ":8090", []string{"web", "apl", "billing"}
	fl := &member.Fleet{Pools: []member.Pool{{Name: "api"}, {Name: "web"}}}
	got := UnknownPublicPools(&a, fl)
	if len(got) != 2 || !strings.Contains(got[0], `"apl"`) || !strings.Contains(got[0], "did you mean api?") || !strings.Contains(got[1], "fleet.yaml has api and web") {
		t.Errorf("%q", got)
	}
	if got := UnknownPublicPools(&a, &member.Fleet{}); len(got) != 3 || !strings.HasSuffix(got[0], "fleet.yaml has no pool") {
		t.Errorf("%q", got)
	}
	a.Public.Pools = slices.DeleteFunc(a.Public.Pools, func(s string) bool { return s != "web" })
	if got := UnknownPublicPools(&a, fl); got != nil {
		t.Errorf("%q", got)
	}
	a.Public.Listen, a.Public.Pools = "", []string{"billing"}
	if got := UnknownPublicPools(&a, fl); got != nil {
		t.Errorf("nobody sees that page: %q", got)
	}
}
