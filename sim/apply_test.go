package sim

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"moonwatch/failover"
	"moonwatch/member"
)

func to[T any](v T) *T { return &v }

func TestAChangeLeavesEverythingElseAsItStands(t *testing.T) {
	f := Demo().Fleet
	before := Demo().Fleet
	c := FleetChange{
		Cascade: &member.Threshold{Min: 6, Share: 0.5},
		Pools: map[string]PoolChange{
			"web":  {Fence: []string{"self"}, Restart: to(false), Prepare: to(true), Reserve: to(1), RemoveSlots: []member.SlotID{"web-4"}, AddSlots: []member.SlotID{"web-9"}},
			"gone": {Armed: to(false)},
		},
		Members: MemberChange{Retired: to(true)},
	}
	got := c.To(f, []member.ID{"spare-1"})
	if !reflect.DeepEqual(f, before) {
		t.Error("the fleet that stood was changed")
	}
	want := Demo().Fleet
	p := &want.Pools[0]
	p.Fence, p.Actions.Restart, p.Spares.Reserve = []string{"self"}, "", 1
	p.Actions.Prepare, p.Actions.Unprepare = "web-prepare", "web-unprepare"
	p.Slots = []member.SlotID{"web-0", "web-1", "web-2", "web-3", "web-9"}
	want.Brake.Cascade = member.Threshold{Min: 6, Share: 0.5}
	want.Members[6].Retired = true
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
	if text := c.String(); text != "cascade from 6 members or 50 %; pool gone: not armed; pool web: spares prepare, no restart in place, fence self, reserve 1, without slot web-4, with slot web-9; retired" {
		t.Error(text)
	}
}

func TestAChangeOfMembersSaysWhose(t *testing.T) {
	retire := FleetChange{Members: MemberChange{Retired: to(true)}}
	for _, x := range []struct {
		f    Fault
		want string
	}{
		{Fault{Do: OrderApply}, "change is missing"},
		{Fault{Do: OrderApply, Change: &FleetChange{}}, "changes nothing"},
		{Fault{Do: OrderApply, Change: &FleetChange{Pools: map[string]PoolChange{"web": {}}}}, "changes nothing"},
		{Fault{Do: OrderApply, Change: &retire}, "has no whom"},
		{Fault{Do: OrderApply, Change: &FleetChange{Profile: "fast"}, Whom: []member.ID{"a"}}, "changes nothing about members"},
		{Fault{Do: Crash, Change: &retire, Whom: []member.ID{"a"}}, "has no change"},
	} {
		if err := x.f.Check(); err == nil || !strings.Contains(err.Error(), x.want) {
			t.Errorf("%v: %v, want %s", x.f, err, x.want)
		}
	}
	if err := (Fault{Do: OrderApply, Change: &retire, Whom: []member.ID{"a"}}).Check(); err != nil {
		t.Error(err)
	}
}

// TestTheCheckersJudgeByTheFleetThatStands applies fleets while nothing is wrong: what the
// checkers work out by themselves follows, and for a moment what was allowed before is.
func TestTheCheckersJudgeByTheFleetThatStands(t *testing.T) {
	w := loaded(t, 71)
	c := w.checker
	if got := c.cascadeAt(); got != 3 {
		t.Fatalf("cascade from %d of seven", got)
	}
	w.Begin(Fault{Do: OrderApply, Change: &FleetChange{Profile: member.ProfileDemo, Cascade: &member.Threshold{Min: 2, Share: 0.01}}})
	run(t, w, 2*time.Second)
	if c.cascadeAt() != 2 || c.limit != 2 || c.limitWas != 3 || c.timing().BurnIn >= 10*time.Minute {
		t.Errorf("cascade from %d (%d, before %d), burn-in %v", c.cascadeAt(), c.limit, c.limitWas, c.timing().BurnIn)
	}
	// A cascade goes on where the fleet still has what it binds.
	c.holds = holds{failover.InDomain("a"): hold{mode: failover.Cascade}, failover.InPool("gone"): hold{mode: failover.Cascade}}
	spare := slices.IndexFunc(w.machines, func(m *machine) bool { return m.id == "spare-1" })
	w.Begin(Fault{Do: OrderApply, Whom: []member.ID{w.machines[spare].id}, Change: &FleetChange{Members: MemberChange{Retired: to(true)}}})
	run(t, w, 2*time.Second)
	if _, in := c.books.pools["spare-1"]; in || w.fleet().Members[6].Retired != true {
		t.Errorf("spare-1 is in pool %q", c.books.pools["spare-1"])
	}
	if _, goes := c.holds[failover.InDomain("a")]; !goes || len(c.holds) != 1 {
		t.Errorf("modes of %v are remembered", c.holds)
	}
	c.holds = nil
	within(t, w, time.Minute, "all well", func() bool { return w.Now()%time.Second == 0 && len(w.Troubles()) == 0 })
}
