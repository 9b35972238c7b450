package status

import (
	"slices"
	"testing"

	"moonwatch/failover"
)

func TestALoanIsToldUntilItIsGivenBack(t *testing.T) {
	p := Page{
		Pools: []Pool{{Name: "batch"}, {Name: "web"}},
		Members: []Member{
			{ID: "web-1", Pool: "web", Duty: failover.Occupant, Slot: "web-0"},
			{ID: "batch-3", Pool: "web", Home: "batch", Duty: failover.Occupant, Slot: "web-2"},
			{ID: "batch-4", Pool: "web", Home: "batch", Duty: failover.Claimed, Slot: "web-3"},
		},
	}
	want := []string{
		"batch-3 of pool batch serves slot web-2 of pool web, which has no free spare of its own",
		"batch-4 of pool batch is lent to pool web",
	}
	if got := p.Loans(); !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
	p.Pools[1].Free = 1
	want[0] = "batch-3 of pool batch serves slot web-2 of pool web, which has a free spare again: 'moonwatch switchover web-2' gives it back"
	if got := p.Loans(); !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
	if got := p.Members[1].duty(); got != "occupant of slot web-2 in pool web, lent by pool batch" {
		t.Errorf("explained as %q", got)
	}
}
