package status

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

func publicStory(t *testing.T) *story {
	t.Helper()
	s := newStory(t)
	s.tick(0)
	s.tick(10 * time.Minute)
	return s
}

func (s *story) public(policy PublicPolicy) Public {
	s.t.Helper()
	return PublicOf(policy, s.page(), s.shown(Day, 90))
}

func TestPeopleOutsideSeeWhatIsAllowedAndNothingElse(t *testing.T) {
	s := publicStory(t)
	s.opened()
	s.after(time.Minute)
	p := s.public(PublicPolicy{Title: "Shop", Pools: []string{"web"}})
	if len(p.Components) != 1 || p.Components[0].Condition != PartialOutage || p.Components[0].Served != 4 || p.Impact != MinorImpact {
		t.Errorf("%+v", p)
	}
	all := fmt.Sprintf("%+v", p)
	for _, secret := range []string{"web-3", "spare-1", "C-", "lan"} {
		if strings.Contains(all, secret) {
			t.Errorf("%q is in what people outside see: %s", secret, all)
		}
	}
	if none := s.public(PublicPolicy{Pools: []string{"other"}}); len(none.Past.Slots)+len(none.Incidents) != 0 {
		t.Errorf("another pool shows %+v", none)
	}
	if each := s.public(PublicPolicy{Pools: []string{"web"}, Slots: true}); len(each.Components) != 6 || each.Components[3].Condition != MajorOutage {
		t.Errorf("%+v", each.Components)
	}
}

func TestAnIncidentKeepsItsIDAndEnds(t *testing.T) {
	s := publicStory(t)
	policy := PublicPolicy{Pools: []string{"web"}}
	if p := s.public(policy); p.Impact != NoImpact || len(p.Incidents) != 0 || p.Components[0].Condition != Operational {
		t.Errorf("calm: %+v", p)
	}
	c := s.opened()
	s.after(time.Second)
	during := s.public(policy).Incidents
	if len(during) != 1 || !during[0].Open() || during[0].Impact != MinorImpact {
		t.Fatalf("%+v", during)
	}
	s.after(2 * time.Second)
	s.finished(c)
	s.tick(time.Hour)
	after := s.public(policy).Incidents
	if len(after) != 1 || after[0].Open() || after[0].ID != during[0].ID || after[0].Lost != 1 {
		t.Errorf("then %+v, now %+v", during, after)
	}
}

func TestLossesThatOverlapAreOneIncident(t *testing.T) {
	at := func(d time.Duration) time.Time { return noon.Add(d) }
	list := PublicPolicy{}.incidentsOf([]Outage{
		{Slot: "b", Pool: "web", From: at(10 * time.Second), To: at(time.Minute)},
		{Slot: "a", Pool: "web", From: at(0), To: at(20 * time.Second)},
		{Slot: "c", Pool: "api", From: at(90 * time.Second), To: at(13 * time.Minute)},
		{Slot: "a", Pool: "web", From: at(time.Hour), To: at(61 * time.Minute)},
		{Slot: "z", Pool: "one", From: at(3 * time.Hour)},
	}, map[string]int{"web": 4, "api": 4, "one": 1}, at(4*time.Hour))
	want := []struct {
		lost   int
		impact Impact
		took   time.Duration
	}{{1, CriticalImpact, time.Hour}, {1, MinorImpact, time.Minute}, {3, MajorImpact, 13 * time.Minute}}
	if len(list) != len(want) {
		t.Fatalf("%+v", list)
	}
	for i, w := range want {
		if x := list[i]; x.Lost != w.lost || x.Impact != w.impact || x.Took(at(4*time.Hour)) != w.took {
			t.Errorf("%+v, want %+v", x, w)
		}
	}
}

func TestAPoolWithoutSlotsIsNotKnownToBeServed(t *testing.T) {
	s := publicStory(t)
	p := s.public(PublicPolicy{Pools: []string{"web", "wbe"}})
	if p.Components[0].Condition != Operational || p.Components[1].Condition != UnknownCondition || p.Impact != UnknownImpact {
		t.Errorf("calm: %s, %+v", p.Impact, p.Components)
	}
	s.opened()
	s.after(time.Minute)
	if p := s.public(PublicPolicy{Pools: []string{"web", "wbe"}}); p.Impact != MinorImpact {
		t.Errorf("a slot of web is lost: %s", p.Impact)
	}
}

func TestThePastOfARemovedPoolIsNotCritical(t *testing.T) {
	short := []Outage{{Slot: "a", Pool: "old", From: noon, To: noon.Add(20 * time.Second)}}
	if x := (PublicPolicy{}).incidentsOf(short, map[string]int{"old": 0}, noon.Add(time.Hour)); x[0].Impact != MinorImpact {
		t.Errorf("%+v", x)
	}
}

// TestIDsAreOfTheirCluster: agents of one cluster have the same key and give the same
// ids; whoever has another key, or none, cannot make them.
func TestIDsAreOfTheirCluster(t *testing.T) {
	s := publicStory(t)
	s.opened()
	s.after(time.Minute)
	ids := func(key string) []string {
		p := s.public(PublicPolicy{Pools: []string{"web"}, Slots: true, Key: []byte(key)})
		out := []string{p.ID, p.Incidents[0].ID}
		for _, c := range p.Components {
			out = append(out, c.ID)
		}
		return out
	}
	one, again := ids("a key"), ids("a key")
	if !slices.Equal(one, again) {
		t.Errorf("one key gives %v and %v", one, again)
	}
	for _, key := range []string{"", "another key"} {
		for i, id := range ids(key) {
			if id == one[i] {
				t.Errorf("key %q gives %s as well", key, id)
			}
		}
	}
}
