package sim

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"moonwatch/member"
)

// README and the simulator's manual say how many there are.
func TestDocumentsCountTheKinds(t *testing.T) {
	orders := 0
	for _, r := range Kinds() {
		if r.Kind.isOrder() {
			orders++
		}
	}
	faults := len(Kinds()) - orders
	for file, says := range map[string]string{
		"../README.md":          fmt.Sprintf("%d kinds of faults and %d orders of people", faults, orders),
		"../docs/simulation.md": fmt.Sprintf("%d kinds, and %d orders of people", faults, orders),
	} {
		text, err := os.ReadFile(filepath.FromSlash(file))
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(text), says) {
			t.Errorf("%s does not say %q", file, says)
		}
	}
}

func TestEveryKindHasARuleAndAWord(t *testing.T) {
	seen := map[FaultKind]bool{}
	for _, r := range Kinds() {
		if seen[r.Kind] {
			t.Errorf("%s has two rules", r.Kind)
		}
		seen[r.Kind] = true
		if r.What == "" {
			t.Errorf("%s says nothing", r.Kind)
		}
		if r.Has(FieldShare) != (r.Share != Range{}) {
			t.Errorf("%s: share %v, range %v", r.Kind, r.Has(FieldShare), r.Share)
		}
	}
}

func TestNonsenseIsRefused(t *testing.T) {
	a := []member.ID{"a"}
	for _, x := range []struct {
		fault Fault
		want  string
	}{
		{Fault{Do: "crush", Whom: a}, `fault "crush": unknown kind`},
		{Fault{Do: Crash}, "fault crash: whom is missing"},
		{Fault{Do: Crash, Whom: a, Share: 0.5}, "fault crash: has no share"},
		{Fault{Do: Weather, Whom: a, Share: 0.5}, "fault weather: has no whom"},
		{Fault{Do: Lossy, Whom: a, Share: 1.5}, "fault lossy: share is 1.5, want 0.001 to 1"},
		{Fault{Do: KillService, Whom: a, For: time.Second}, "fault kill-service: does not end: for is 1s, want 0"},
		{Fault{Do: Reorder, Whom: a, Share: 0.1, Delay: -1}, "fault reorder: a negative time"},
		{Fault{Do: ClockJump, Whom: a, Delay: -time.Second}, ""},
		{Fault{Do: Flood, Share: 3}, "fault flood: host is missing"},
	} {
		got := ""
		if err := x.fault.Check(); err != nil {
			got = err.Error()
		}
		if got != x.want {
			t.Errorf("%+v\n got %s\nwant %s", x.fault, got, x.want)
		}
	}
	if err := (Fault{Do: Defame, Serve: true}).Check(); err == nil || strings.Count(err.Error(), "fault defame") != 3 {
		t.Errorf("three mistakes: %v", err)
	}
}
