package consensus

import (
	"testing"
	"time"

	"moonwatch/member"
)

// TestBeforeTheFirstFleetNoFounderIsLost: nobody is in the roster yet, and people would
// read about all of their councillors that they may not sit in the council.
func TestBeforeTheFirstFleetNoFounderIsLost(t *testing.T) {
	nobodyHolds := func(member.ID) string { return "" }
	l := NewLedger()
	if _, err := l.Found(Genesis{Cluster: "c", Council: []member.ID{"a", "b", "d"}, Unsigned: true}); err != nil {
		t.Fatal(err)
	}
	if r, waits := l.Care(time.Unix(1000, 0), Warmth{}, nobodyHolds); r != nil || waits != "" {
		t.Errorf("%+v, waits %q", r, waits)
	}
	// With a fleet, who may not sit there any more is.
	l = newOrphans(t).ledger()
	i := l.roster.Index("b")
	l.roster.Members[i].Council = false
	if _, waits := l.Care(time.Unix(1000, 0), Warmth{}, nobodyHolds); waits != "councillor b is lost (it may not sit in the council any more): no learner has caught up" {
		t.Errorf("waits %q", waits)
	}
}
