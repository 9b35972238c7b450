package demo

import (
	"bytes"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"moonwatch/agent"
	"moonwatch/consensus"
	"moonwatch/failover"
	"moonwatch/member"
	"moonwatch/shield/gateway"
	"moonwatch/status"
)

// teller tells a story facts at times of the test's choice.
type teller struct {
	*story
	t     *testing.T
	index uint64
}

func tellerOf(t *testing.T, fault string) *teller {
	hit := time.Date(2026, 4, 1, 12, 0, 0, 0, time.UTC)
	s := &teller{t: t, index: 7, story: newStory(fault, agent.Default().Patience, hit, []victim{{Member: "vm-3", Slot: "web-2", Epoch: 2, PID: 100}})}
	s.played = 1 // the blow is all of it
	return s
}

func (s *teller) at(ms int) time.Time { return s.hit.Add(time.Duration(ms) * time.Millisecond) }

// commit gives one accepted fact and returns its index.
func (s *teller) commit(ms int, kind consensus.FactKind, payload any) uint64 {
	s.t.Helper()
	s.index++
	c, err := consensus.NewCommand(kind, "id", "vm-1", s.at(ms), payload)
	must(s.t, err)
	s.Fact(s.at(ms), consensus.Fact{Index: s.index, Time: s.at(ms), Command: c, Accepted: true})
	return s.index
}

func (s *teller) verdict(ms int, kind consensus.VerdictKind, downs int) {
	f := consensus.Finding{Subject: "vm-3", Kind: kind, SilentSince: s.at(-300)}
	f.Agent.Downs = downs
	for i := range downs {
		f.Agent.Votes = append(f.Agent.Votes, consensus.VoteCount{
			Observer: member.ID(rune('a' + i)), Stance: agent.Down,
			Evidence: agent.Evidence{SilentFor: time.Duration(1300+100*i) * time.Millisecond},
		})
	}
	s.commit(ms, consensus.KindVerdict, consensus.Verdict{Findings: []consensus.Finding{f}})
}

// replace tells of a whole failover.
func (s *teller) replace() {
	id := s.commit(1100, failover.KindCaseOpened, failover.CaseOpened{Slot: "web-2", Subject: "vm-3", Epoch: 2})
	s.Table(s.at(1150), gateway.Table{Pools: []gateway.Pool{{Occupants: []gateway.Occupant{{Slot: "web-2", Member: "vm-3", SlotEpoch: 2, Drained: true}}}}})
	s.commit(3000, failover.KindCaseStep, failover.CaseStep{Case: id, To: failover.Fencing})
	s.commit(3100, failover.KindCaseStep, failover.CaseStep{Case: id, To: failover.Activating, Spare: "vm-4"})
	s.commit(4000, failover.KindCaseStep, failover.CaseStep{Case: id, To: failover.Cutover})
	s.Answer(s.at(4050), s.at(4050), answer{Member: "vm-4", Slot: "web-2", Epoch: 11, PID: 200})
}

func TestAKillEndsWithASpareInTheSlot(t *testing.T) {
	s := tellerOf(t, FaultKill)
	s.verdict(1000, consensus.VerdictDown, 6)
	s.replace()
	if lack, _ := s.missing(4500 * time.Millisecond); lack == "" {
		t.Error("believed the end before it had lasted")
	}
	if lack, broken := s.missing(5100 * time.Millisecond); lack != "" || broken {
		t.Errorf("missing %q (broken %t), want the expected end", lack, broken)
	}
	r := s.result(true, tally{Requests: 900, Failed: []failure{{s.at(500), errors.New("early")}, {s.at(2000), errors.New("late")}}})
	if *r.Verdict != 1000 || *r.Drained != 1150 || *r.Serving != 4050 || *r.VotesDown != 6 || *r.VotesUp != 0 {
		t.Errorf("verdict %d drained %d serving %d votes %d:%d", *r.Verdict, *r.Drained, *r.Serving, *r.VotesDown, *r.VotesUp)
	}
	if r.Failovers != 1 || r.Destructive != 3 || *r.Promoted != "vm-4" || *r.SlotEpoch != 11 || len(r.Promotions) != 1 {
		t.Errorf("%d failovers, %d destructive, promoted %s at %d", r.Failovers, r.Destructive, *r.Promoted, *r.SlotEpoch)
	}
	if r.Failed != 2 || r.FailedAfterDrain != 1 {
		t.Errorf("%d failed, %d after the drain; want 2 and 1: by the request's start", r.Failed, r.FailedAfterDrain)
	}
}

func TestTheFirstAccusationFollowsFromTheVotes(t *testing.T) {
	s := tellerOf(t, FaultKill)
	s.verdict(1100, consensus.VerdictDown, 3) // the median is 1.4 s, the longest 1.5 s
	if want := 600 * time.Millisecond; s.accused != want {
		t.Errorf("accused after %v, want %v: a second after the earliest last answer", s.accused, want)
	}
}

func TestAFalseDownVerdictBreaksTheAgentsStory(t *testing.T) {
	s := tellerOf(t, FaultAgent)
	s.verdict(1000, consensus.VerdictAgentLost, 6)
	if lack, _ := s.missing(12100 * time.Millisecond); lack != "" {
		t.Errorf("missing %q, want the expected end", lack)
	}
	s.verdict(5000, consensus.VerdictDown, 6)
	if lack, broken := s.missing(12100 * time.Millisecond); lack == "" || !broken {
		t.Error("took a down verdict on a member whose service answers")
	}
}

func TestAFailoverBreaksAQuietStory(t *testing.T) {
	s := tellerOf(t, FaultRestartAgent)
	s.replace()
	if _, broken := s.missing(5 * time.Second); !broken {
		t.Error("took a failover of a restarted agent")
	}
}

func TestCascadeMustComeInTime(t *testing.T) {
	brake := failover.Brakes{Modes: map[failover.Scope]failover.ScopeMode{failover.Fleet: {Mode: failover.Cascade}}}
	for ms, want := range map[int]bool{2900: true, 3100: false} {
		s := tellerOf(t, FaultHalf)
		s.commit(ms, failover.KindBrake, brake)
		s.comeBack(12000)
		lack, broken := s.missing(20 * time.Second)
		if got := lack == "" && !broken; got != want {
			t.Errorf("cascade after %d ms: good %t (%s), want %t", ms, got, lack, want)
		}
	}
}

// comeBack tells of a victim that serves its slot again, as another process.
func (s *teller) comeBack(ms int) {
	s.Answer(s.at(ms), s.at(ms), answer{Member: "vm-3", Slot: "web-2", Epoch: 2, PID: 101})
}

func TestAfterACascadeEverythingIsAsBefore(t *testing.T) {
	cascade := failover.Brakes{Modes: map[failover.Scope]failover.ScopeMode{failover.Fleet: {Mode: failover.Cascade}}}
	answers := func(s *teller, a answer) { s.Answer(s.at(9000), s.at(9000), a) }
	for name, tell := range map[string]func(*teller){
		"the cascade stays": func(s *teller) {
			s.Page(s.at(3000), status.Page{Mode: status.Mode{Name: failover.Cascade}})
			s.comeBack(12000)
		},
		"nobody serves the slot":   func(*teller) {},
		"somebody else serves it":  func(s *teller) { answers(s, answer{Member: "vm-4", Slot: "web-2", Epoch: 2, PID: 9}) },
		"it serves at a later one": func(s *teller) { answers(s, answer{Member: "vm-3", Slot: "web-2", Epoch: 7, PID: 9}) },
		"the power is still away":  func(s *teller) { s.comeBack(12000); s.played = 0 },
	} {
		s := tellerOf(t, FaultHalf)
		s.commit(1500, failover.KindBrake, cascade)
		tell(s)
		if lack, _ := s.missing(20 * time.Second); lack == "" {
			t.Errorf("%s: taken for the expected end", name)
		}
	}
}

func TestNoVisitorMayComeBackToAnOldOccupant(t *testing.T) {
	s := tellerOf(t, FaultFlap)
	s.verdict(1000, consensus.VerdictDown, 6)
	s.replace() // vm-4 answers at 4.05 s
	old := answer{Member: "vm-3", Slot: "web-2", Epoch: 2, PID: 100}
	s.Answer(s.at(3900), s.at(4500), old) // was under way when the slot moved
	if lack, broken := s.missing(6 * time.Second); lack != "" || broken {
		t.Fatalf("missing %q, want the expected end", lack)
	}
	s.Answer(s.at(4600), s.at(4700), old)
	if lack, broken := s.missing(6 * time.Second); !broken {
		t.Errorf("missing %q, want it broken: the old occupant answered a new request", lack)
	}
}

func TestASecondFailoverOfOneSlotBreaksTheStory(t *testing.T) {
	for _, fault := range []string{FaultSpareDies, FaultFlap, FaultLeaderInCase} {
		s := tellerOf(t, fault)
		s.verdict(1000, consensus.VerdictDown, 6)
		s.replace()
		s.victims = append(s.victims, victim{Member: "vm-5"}) // a spare: it held nothing
		if lack, broken := s.missing(6 * time.Second); lack != "" || broken {
			t.Fatalf("%s: missing %q, want the expected end", fault, lack)
		}
		id := s.commit(7000, failover.KindCaseOpened, failover.CaseOpened{Slot: "web-2", Subject: "vm-4", Epoch: 11})
		s.commit(7100, failover.KindCaseStep, failover.CaseStep{Case: id, To: failover.Fencing})
		if lack, broken := s.missing(8 * time.Second); !broken {
			t.Errorf("%s: missing %q, want it broken: one slot was lost and two were replaced", fault, lack)
		}
	}
}

func TestAReplacementBreaksTheStoryOfStalls(t *testing.T) {
	s := tellerOf(t, FaultStall)
	if lack, _ := s.missing(4 * time.Second); lack != "" {
		t.Fatalf("missing %q, want the expected end", lack)
	}
	s.replace()
	if lack, broken := s.missing(5 * time.Second); !broken {
		t.Errorf("missing %q, want it broken", lack)
	}
}

func TestIsolationIsSeenOnTheLaunchersPage(t *testing.T) {
	s := tellerOf(t, FaultQuorum)
	s.Page(s.at(4100), status.Page{Mode: status.Mode{Name: failover.Isolated}})
	if lack, broken := s.missing(10 * time.Second); lack == "" || broken {
		t.Errorf("missing %q, want 10 s of quiet from the isolation on", lack)
	}
	if lack, _ := s.missing(14200 * time.Millisecond); lack != "" {
		t.Errorf("missing %q, want the expected end", lack)
	}
	if s.mode != failover.Isolated {
		t.Errorf("worst mode %s", s.mode)
	}
}

func TestANewLeaderGivesAStoryItsTimeAgain(t *testing.T) {
	s := tellerOf(t, FaultHalf)
	led := func(ms int, term uint64, leader member.ID) {
		s.Page(s.at(ms), status.Page{Council: status.Council{Term: term, Leader: leader}})
	}
	led(100, 2, "vm-1") // who led before
	if s.up(storyTime) || !s.up(storyTime+1) {
		t.Error("want a story without an election to have its time and no more")
	}
	led(9000, 3, "") // an election is no leader
	led(10000, 3, "vm-2")
	led(12000, 3, "vm-2")
	if s.up(storyTime+10*time.Second) || !s.up(storyTime+11*time.Second) {
		t.Errorf("elected at %v, want the time from then on", s.elected)
	}
	led(60000, 9, "vm-3")
	if s.up(2*storyTime) || !s.up(2*storyTime+1) {
		t.Error("want elections to end a story all the same")
	}
}

func TestARestartedServiceIsAnotherProcess(t *testing.T) {
	s := tellerOf(t, FaultService)
	s.verdict(900, consensus.VerdictServiceDown, 5)
	id := s.commit(1000, failover.KindCaseOpened, failover.CaseOpened{Slot: "web-2", Subject: "vm-3", Epoch: 2})
	s.Answer(s.at(1010), s.at(1010), answer{Slot: "web-2", Epoch: 2, PID: 100}) // was under way
	s.commit(1100, failover.KindCaseStep, failover.CaseStep{Case: id, To: failover.Restarting})
	if lack, _ := s.missing(5 * time.Second); lack == "" {
		t.Error("took an answer of the killed process for the restarted one")
	}
	s.Answer(s.at(1200), s.at(1200), answer{Slot: "web-2", Epoch: 2, PID: 101})
	if lack, broken := s.missing(5 * time.Second); lack != "" || broken {
		t.Errorf("missing %q, want the expected end", lack)
	}
}

// resultKeys is CONTRACTS, The demo, word by word, and what came later: unsent.
var resultKeys = []string{
	"schema", "ok", "fault", "members", "member", "accused_ms", "verdict_ms", "verdict_kind", "votes_down", "votes_up",
	"drained_ms", "serving_ms", "failovers", "restarts", "promotions", "promoted", "slot_epoch", "mode_max",
	"destructive_actions", "requests", "failed", "failed_after_drain", "unsent", "facts",
}

func TestJSONHasExactlyTheKeysOfTheContract(t *testing.T) {
	nothing := tellerOf(t, FaultRestartAgent)
	whole := tellerOf(t, FaultKill)
	whole.verdict(1000, consensus.VerdictDown, 6)
	whole.replace()
	for name, s := range map[string]*teller{"nothing happened": nothing, "all happened": whole} {
		var out bytes.Buffer
		must(t, s.result(true, tally{}).writeJSON(&out))
		var got map[string]any
		dec := json.NewDecoder(&out)
		must(t, dec.Decode(&got))
		if dec.More() {
			t.Errorf("%s: more than one object", name)
		}
		if keys := slices.Sorted(maps.Keys(got)); !slices.Equal(keys, slices.Sorted(slices.Values(resultKeys))) {
			t.Errorf("%s: keys %v, want %v", name, keys, resultKeys)
		}
		for _, key := range []string{"verdict_ms", "verdict_kind", "votes_down", "votes_up", "drained_ms", "serving_ms", "promoted", "slot_epoch"} {
			if isNull := got[key] == nil; isNull != (s == nothing) {
				t.Errorf("%s: %s is %v", name, key, got[key])
			}
		}
		for _, key := range []string{"members", "promotions", "facts"} {
			if _, isList := got[key].([]any); !isList {
				t.Errorf("%s: %s is %v, want a list", name, key, got[key])
			}
		}
	}
}

func TestRequestsThatWereNotSentAreTold(t *testing.T) {
	s := tellerOf(t, FaultKill)
	s.verdict(1000, consensus.VerdictDown, 6)
	s.replace()
	var object, text bytes.Buffer
	r := s.result(true, tally{Requests: 900, Unsent: 41})
	must(t, r.writeJSON(&object))
	if !strings.Contains(object.String(), `"requests": 900,`) || !strings.Contains(object.String(), `"unsent": 41,`) {
		t.Errorf("got %s", &object)
	}
	r.writeText(&text)
	if !strings.Contains(text.String(), "900 requests, 0 failed, 0 of them after the drain; 41 were not sent") {
		t.Errorf("got %s", &text)
	}
}
