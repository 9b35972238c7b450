package web

import (
	"strings"
	"testing"

	"moonwatch/status"
)

func TestOnlyAnAgentThatBelongsInTheRosterIsMissedThere(t *testing.T) {
	p := status.Page{Cluster: "demo", Knowledge: status.Knowledge{Current: true}, Self: status.Self{Name: "launcher"}}
	if got := strings.Join(alerts(p), "\n"); !strings.Contains(got, "not in the roster") {
		t.Errorf("an unlisted agent says %q", got)
	}
	p.Self.Console = true
	if got := strings.Join(alerts(p), "\n"); strings.Contains(got, "roster") {
		t.Errorf("a console says %q", got)
	}
}
