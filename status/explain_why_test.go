package status

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"moonwatch/agent"
	"moonwatch/failover"
	"moonwatch/member"
)

// TestWhyNothingHappens: the answers to what people ask when they wait for something that
// does not come. A spare that no case claims, a member that is accused and stands under no
// verdict, a mode, an agent that takes no part, and an incident.
func TestWhyNothingHappens(t *testing.T) {
	s := newStory(t)
	s.after(time.Minute)
	s.must(failover.KindReport, "spare-2", failover.Report{Step: failover.StepTest, Detail: "no action"})
	s.must(failover.KindHold, "web-1", failover.HoldGiven{Kind: failover.HoldOnly, Scope: failover.InDomain("c"), By: "mia", Reason: "new switch", Until: s.now.Add(time.Hour)})
	s.opened()
	s.after(3 * time.Second)
	s.must(failover.KindBrake, "web-1", failover.Brakes{Modes: map[failover.Scope]failover.ScopeMode{
		failover.Fleet: {Mode: failover.Guarded, Since: s.now.Add(-time.Second), Why: "1 of 7 members in trouble", Ends: "calm", Open: []member.ID{"web-3"}},
	}})
	in := s.input()
	in.Accused = []member.ID{"web-4"}
	in.View = append(in.View, Seen{Name: "stray-1", Addr: "10.0.0.77:7946", Alive: true})
	p := Build(in)
	p.Unlisted = append(p.Unlisted, Unlisted{ID: "old-1", Retired: true}, Unlisted{ID: "old-2", Addr: "10.0.0.78:7946", Retired: true})

	var b strings.Builder
	for _, id := range []string{"spare-1", "spare-2", "mode", "stray-1", "old-1", "old-2"} {
		b.WriteString(explained(t, p, id))
	}
	e, err := p.Explain("web-4")
	if err != nil {
		t.Fatal(err)
	}
	b.WriteString("> explain web-4\n" + strings.Join(p.WithLive(e, accusing(s.now)).Lines, "\n") + "\n\n")
	past := s.past.Past("demo", s.now, s.now, Day, 90)
	for _, x := range past.Incidents() {
		told, err := past.ExplainIncident(strings.ToLower(x.ID))
		if err != nil {
			t.Fatal(err)
		}
		b.WriteString("> explain " + x.ID + "\n" + strings.Join(told.Lines, "\n") + "\nsee " + strings.Join(told.See, " ") + "\n\n")
	}
	golden(t, "explain-why.txt", b.String())
	if _, err := past.ExplainIncident("I-999"); !errors.Is(err, ErrUnknown) || !strings.Contains(err.Error(), "the last ones are I-") {
		t.Errorf("an incident that there is not: %v", err)
	}
}

// accusing is what the observers of web-4 see: two say down, one does not believe itself,
// one was not heard, and two still reach it.
func accusing(now time.Time) Live {
	from := func(id member.ID, sees LiveSees) LiveFrom {
		sees.Subject = "web-4"
		return LiveFrom{Observer: id, At: now, Sees: []LiveSees{{Subject: "web-5"}, sees}}
	}
	doubts := from("web-3", LiveSees{Accuses: agent.Silence})
	doubts.Abstains = agent.Silence
	return Live{AsOf: now, Self: "web-1", By: []LiveFrom{
		from("spare-1", LiveSees{RTTMicros: 300}),
		{Observer: "spare-2", Trouble: "not in view"},
		from("web-1", LiveSees{Accuses: agent.Silence, SilentFor: 1400, LostRun: 7}), from("web-2", LiveSees{RTTMicros: 280, Service: true}),
		doubts, from("web-5", LiveSees{RTTMicros: 310}),
	}}
}

// TestWhatAVerdictLacksIsCountedAsTheCouncilCounts: those that doubt themselves count for
// nothing.
func TestWhatAVerdictLacksIsCountedAsTheCouncilCounts(t *testing.T) {
	s := newStory(t)
	s.condemned()
	p := s.page()
	e, _ := p.Explain("web-4")
	o := p.WithLive(e, accusing(s.now)).Observed
	if o == nil || o.Counted != 4 || o.Agent != 1 || o.Service != 1 || o.Domains != 1 || o.Needed != 3 {
		t.Errorf("%+v", o)
	}
	condemned, _ := p.Explain("web-3")
	if told := p.WithLive(condemned, accusing(s.now)); told.Observed != nil {
		t.Error("of a member under a verdict the votes that were counted are the reason, and nothing else")
	}
}

// TestABudgetIsAValueToo: programs read what an open case waits for.
func TestABudgetIsAValueToo(t *testing.T) {
	s := newStory(t)
	c := s.opened()
	e, err := s.page().Explain(c.Name())
	if err != nil {
		t.Fatal(err)
	}
	raw, err := json.Marshal(e)
	if err != nil || !strings.Contains(string(raw), `"budget":{"in_flight":0,"may_fly":1,`) || !strings.Contains(string(raw), `"mode":{"name":"normal"`) {
		t.Errorf("%v: %s", err, raw)
	}
	s.after(3 * time.Second)
	s.finished(c)
	if e, _ = s.page().Explain(c.Name()); e.Budget != nil || e.Mode != nil {
		t.Error("a case that is closed waits for nothing")
	}
}
