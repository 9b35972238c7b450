package status

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"moonwatch/agent"
	"moonwatch/consensus"
	"moonwatch/failover"
	"moonwatch/member"
)

var noon = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)

// story drives a real ledger: what the page shows is what facts built up.
type story struct {
	t       *testing.T
	ledger  *consensus.Ledger
	state   *failover.State
	history *History
	past    *Chronicle
	facts   []consensus.Fact // all of them, to be followed once more
	raft    uint64
	now     time.Time
}

func newStory(t *testing.T) *story {
	t.Helper()
	s := &story{t: t, state: failover.NewState(), history: NewHistory(), past: NewChronicle(), raft: 1, now: noon}
	s.ledger = consensus.NewLedger(s.state)
	s.state.Bind(s.ledger)
	f, err := s.ledger.Found(consensus.Genesis{
		Cluster: "demo", Council: []member.ID{"web-1", "web-2", "web-4", "web-5", "spare-1"}, Unsigned: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	s.took(f)
	s.commit(consensus.KindFleet, "web-1", fleet())
	s.serving()
	return s
}

// serving has every occupant's service up and every spare proven, as if the facts
// that say so lay before the story: it begins with fact 3.
func (s *story) serving() {
	s.t.Helper()
	s.changed(func(x map[string]any) {
		for _, slot := range x["slots"].(map[string]any) {
			slot.(map[string]any)["started"] = true
		}
		for _, use := range x["uses"].(map[string]any) {
			use.(map[string]any)["proof"] = map[string]any{"at": s.now, "good": true, "says": "ready"}
		}
	})
}

// changed lets the state become another one without facts.
func (s *story) changed(change func(state map[string]any)) {
	s.t.Helper()
	b, err := s.state.Snapshot()
	if err != nil {
		s.t.Fatal(err)
	}
	var x map[string]any
	if err := json.Unmarshal(b, &x); err != nil {
		s.t.Fatal(err)
	}
	change(x)
	if b, err = json.Marshal(x); err != nil {
		s.t.Fatal(err)
	}
	if err := s.state.Restore(b); err != nil {
		s.t.Fatal(err)
	}
}

func fleet() member.Fleet {
	in := func(id member.ID, d member.FailureDomain) member.Member {
		return member.Member{ID: id, Domain: d, Pool: "web", Council: true}
	}
	return member.Fleet{
		Version: 1, Profile: "lan",
		Members: []member.Member{
			in("web-1", "a"), in("web-2", "a"), in("web-3", "a"), in("web-4", "b"), in("web-5", "b"), in("spare-1", "c"), in("spare-2", "c"),
		},
		Pools: []member.Pool{{
			Name: "web", Fence: []string{"none"}, Slots: []member.SlotID{"slot-0", "slot-1", "slot-2", "slot-3", "slot-4"},
			Spares: member.Spares{Warm: 2, Floor: 1}, Armed: true,
			Checks:  member.Checks{HTTP: &member.HTTPCheck{Port: 80, Path: "/healthz"}},
			Actions: member.Actions{Activate: "start", Stop: "stop", Restart: "restart"},
		}},
	}
}

// commit has a command agreed on and applied, and returns its fact.
func (s *story) commit(kind consensus.FactKind, by member.ID, payload any) consensus.Fact {
	s.t.Helper()
	s.raft++
	c, err := consensus.NewCommand(kind, fmt.Sprintf("%s/%d", kind, s.raft), by, s.now, payload)
	if err != nil {
		s.t.Fatal(err)
	}
	b, err := c.Encode()
	if err != nil {
		s.t.Fatal(err)
	}
	f, _, err := s.ledger.Commit(s.raft, b)
	if err != nil {
		s.t.Fatal(err)
	}
	s.took(f)
	return f
}

func (s *story) took(f consensus.Fact) {
	s.history.Apply(f)
	s.past.Applied(f, s.ledger, s.state)
	s.facts = append(s.facts, f)
}

// must commits what the story needs to be accepted.
func (s *story) must(kind consensus.FactKind, by member.ID, payload any) consensus.Fact {
	s.t.Helper()
	f := s.commit(kind, by, payload)
	if !f.Accepted {
		s.t.Fatalf("fact %d refused: %s", f.Index, f.Reason)
	}
	return f
}

func (s *story) after(d time.Duration) { s.now = s.now.Add(d) }

// condemned has web-3 judged down by five of six, one of them still reaching it.
func (s *story) condemned() consensus.Fact {
	s.t.Helper()
	silent := agent.Evidence{SilentFor: 1200 * time.Millisecond, LostRun: 6}
	said := map[bool]int64{true: 400, false: 90}
	c := consensus.Count{Assigned: 6, Standing: 6, Eligible: 6, Needed: 4, Downs: 5, Ups: 1}
	for _, v := range []struct {
		id member.ID
		d  member.FailureDomain
	}{{"spare-1", "c"}, {"spare-2", "c"}, {"web-1", "a"}, {"web-2", "a"}, {"web-4", "b"}} {
		c.Votes = append(c.Votes, consensus.VoteCount{
			Observer: v.id, Domain: v.d, Stance: agent.Down, Reason: agent.Silence, Fresh: v.id != "web-2", ForMS: said[v.id == "web-2"], Evidence: silent,
		})
	}
	c.Votes = append(c.Votes, consensus.VoteCount{Observer: "web-5", Domain: "b", Stance: agent.Up, Reason: agent.Answered, Fresh: true})
	return s.must(consensus.KindVerdict, "web-1", consensus.Verdict{
		Term: 2, Roster: s.ledger.Roster().Epoch,
		Findings: []consensus.Finding{{
			Subject: "web-3", Incarnation: 7, Kind: consensus.VerdictDown, SilentSince: s.now.Add(-1200 * time.Millisecond), Agent: c,
		}},
	})
}

// opened goes on to the open case, and held to one that the brake holds.
func (s *story) opened() *failover.Case {
	s.t.Helper()
	v := s.condemned()
	s.after(40 * time.Millisecond)
	slot, _ := s.state.Slot("slot-2")
	f := s.must(failover.KindCaseOpened, "web-1", failover.CaseOpened{Slot: "slot-2", Subject: "web-3", Epoch: slot.Epoch, Verdict: v.Index})
	c, _ := s.state.Case(f.Index)
	return c
}

func (s *story) step(c *failover.Case, p failover.CaseStep) {
	s.t.Helper()
	p.Case, p.Version = c.ID, c.Version
	s.must(failover.KindCaseStep, "web-1", p)
}

// replaced goes on until spare-1 serves slot-2 and the case is closed.
func (s *story) replaced() *failover.Case {
	s.t.Helper()
	c := s.opened()
	s.after(500 * time.Millisecond)
	// Too early: silent for less than replace_after. A refusal is a fact.
	s.commit(failover.KindCaseStep, "web-1", failover.CaseStep{Case: c.ID, Version: c.Version, To: failover.Fencing})
	s.after(2 * time.Second)
	s.finished(c)
	return c
}

// finished takes a case that may be fenced to its end.
func (s *story) finished(c *failover.Case) {
	s.t.Helper()
	s.step(c, failover.CaseStep{To: failover.Fencing, Detail: "silent for 3.74s, and the second roll call agrees"})
	s.step(c, failover.CaseStep{To: failover.Activating, Spare: "spare-1"})
	s.after(300 * time.Millisecond)
	s.must(failover.KindReport, "spare-1", failover.Report{
		Case: c.ID, Attempt: c.Attempt, Step: failover.StepActivate, Slot: "slot-2", Epoch: c.NewEpoch, Done: true,
		Took: 280 * time.Millisecond, Detail: "listening\non 8080\x1b[31m",
	})
	s.after(200 * time.Millisecond)
	s.step(c, failover.CaseStep{To: failover.Cutover, Detail: "its observers reach the service"})
	s.after(10 * time.Second)
	s.step(c, failover.CaseStep{To: failover.Closed})
}

func (s *story) input() Input {
	in := Input{
		Now: s.now, Self: "web-1", Version: "0.1.0", Ledger: s.ledger, State: s.state, History: s.history,
		Leader: "web-1", Term: 2, Quorum: true, Stats: []Stat{{Name: "memory", Value: "18 MiB"}},
	}
	brake := s.state.Brake().In(failover.Fleet)
	in.Mode, in.ModeSince = brake.Mode, brake.Since
	for i, m := range s.ledger.Roster().Members {
		_, down := s.ledger.Standing(m.ID)
		in.View = append(in.View, Seen{Name: m.ID, Addr: fmt.Sprintf("10.0.0.%d:7946", i+1), Alive: !down})
	}
	return in
}

func (s *story) page() Page { return Build(s.input()) }

func asJSON(t *testing.T, v any) string {
	t.Helper()
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	return string(b) + "\n"
}
