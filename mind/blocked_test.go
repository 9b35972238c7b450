package mind

import (
	"strings"
	"testing"
	"time"

	"moonwatch/consensus"
)

func TestAnUnknownKindStopsDecisions(t *testing.T) {
	h := found(t, "web-1", "web-1")
	h.run(3 * time.Second)
	h.submit("levitation", "x", 1)
	h.run(100 * time.Millisecond)
	if h.mind.Ledger().Blocked() == "" {
		t.Fatal("not blocked")
	}
	h.submit(consensus.KindFleet, "fleet/1", webFleet("web-1", "web-2", "web-3", "web-4"))
	h.run(300 * time.Millisecond)
	if n := len(all[DoStep](h)); n != 0 {
		t.Errorf("%d steps begun by an agent that does not know the whole state", n)
	}
	if got := h.facts(); !strings.HasPrefix(got, "genesis levitation fleet") {
		t.Errorf("what it does not know is not kept: %s", got)
	}
}
