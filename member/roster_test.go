package member

import (
	"slices"
	"testing"
	"time"
)

func TestARosterIsSortedWhateverTheFileSays(t *testing.T) {
	r := NewRoster(7, []Member{{ID: "c", Domain: "z"}, {ID: "a", Domain: "x"}, {ID: "b", Domain: "y"}})
	for i, id := range []ID{"a", "b", "c"} {
		if r.Members[i].ID != id || r.Index(id) != i {
			t.Errorf("place %d: %s at index %d, want %s", i, r.Members[i].ID, r.Index(id), id)
		}
	}
	if r.Domain("b") != "y" {
		t.Errorf("b is in %s, want y", r.Domain("b"))
	}
}

func TestRetiredMembersAreNotCounted(t *testing.T) {
	r := NewRoster(7, []Member{{ID: "a"}, {ID: "b", Retired: true}})
	if _, known := r.Member("b"); known || r.Len() != 1 {
		t.Errorf("%d members, b known: %v", r.Len(), known)
	}
}

func TestAStrangerAndANilRosterAreEmptyAnswers(t *testing.T) {
	for _, r := range []*Roster{nil, NewRoster(1, nil)} {
		if _, known := r.Member("x"); known || r.Index("x") != -1 || r.Len() != 0 || r.Domain("x") != "" {
			t.Errorf("a roster of nobody knows x: %+v", r)
		}
	}
}

func TestBuildingARosterLeavesTheListAlone(t *testing.T) {
	list := []Member{{ID: "b"}, {ID: "a"}}
	NewRoster(1, list)
	if !slices.Equal([]ID{list[0].ID, list[1].ID}, []ID{"b", "a"}) {
		t.Error("the caller's list was sorted: the order of the file has a meaning")
	}
}

func TestOnlyAnExecCheckIsInside(t *testing.T) {
	for _, c := range []struct {
		checks  Checks
		outside bool
		port    int
	}{
		{Checks{}, false, 0},
		{Checks{HTTP: &HTTPCheck{Port: 80, Interval: time.Second, Timeout: time.Millisecond}}, true, 80},
		{Checks{TCP: &TCPCheck{Port: 5432, Interval: time.Second, Timeout: time.Millisecond}}, true, 5432},
		{Checks{GRPC: &GRPCCheck{Port: 50, Interval: time.Second, Timeout: time.Millisecond}}, true, 50},
		{Checks{Exec: &ExecCheck{Name: "ask", Interval: time.Second, Timeout: time.Millisecond}}, false, 0},
	} {
		if c.checks.Outside() != c.outside || c.checks.Port() != c.port {
			t.Errorf("%+v: outside %v at port %d", c.checks, c.checks.Outside(), c.checks.Port())
		}
		if set := c.checks != (Checks{}); set && (c.checks.Interval() != time.Second || c.checks.Timeout() != time.Millisecond) {
			t.Errorf("%+v: every %v within %v", c.checks, c.checks.Interval(), c.checks.Timeout())
		}
	}
}
