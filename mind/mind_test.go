package mind

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"moonwatch/agent"
	"moonwatch/consensus"
	"moonwatch/failover"
	"moonwatch/member"
)

var noon = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)

// host is one mind whose disk writes at once and whose datagrams go nowhere.
type host struct {
	t    *testing.T
	mind *Mind
	now  time.Time
	did  []Effect
}

func found(t *testing.T, self member.ID, council ...member.ID) *host {
	t.Helper()
	return wake(t, self, Boot{Genesis: &consensus.Genesis{Cluster: "test", Council: council, Unsigned: true}})
}

func wake(t *testing.T, self member.ID, b Boot) *host {
	t.Helper()
	m, err := New(Default(self, 1), b, noon)
	if err != nil {
		t.Fatal(err)
	}
	return &host{t: t, mind: m, now: noon}
}

func (h *host) step(ev Event) {
	for _, e := range h.mind.Step(h.now, ev) {
		h.did = append(h.did, e)
		if p, ok := e.(Persist); ok {
			h.step(DiskDone{Seq: p.Seq})
		}
	}
}

func (h *host) run(d time.Duration) {
	h.t.Helper()
	stuck := 0
	for end := h.now.Add(d); ; {
		at := h.mind.Wake()
		if at.After(end) {
			h.now = end
			return
		}
		if at.After(h.now) {
			h.now, stuck = at, 0
		} else if stuck++; stuck > 100 {
			h.t.Fatal("woken 100 times and no time passed")
		}
		h.step(Woken{})
	}
}

func (h *host) submit(kind consensus.FactKind, id string, payload any) {
	h.t.Helper()
	h.submitBy("ann", kind, id, payload)
}

func (h *host) submitBy(by member.ID, kind consensus.FactKind, id string, payload any) {
	h.t.Helper()
	c, err := consensus.NewCommand(kind, id, by, h.now, payload)
	if err != nil {
		h.t.Fatal(err)
	}
	b, err := c.Encode()
	if err != nil {
		h.t.Fatal(err)
	}
	h.step(Submitted{Command: b})
}

func all[T Effect](h *host) []T {
	var out []T
	for _, e := range h.did {
		if x, ok := e.(T); ok {
			out = append(out, x)
		}
	}
	return out
}

func webFleet(members ...member.ID) member.Fleet {
	f := member.Fleet{Version: 1, Pools: []member.Pool{{
		Name: "web", Fence: []string{"none"}, Armed: true, Slots: []member.SlotID{"slot-0"},
		Actions: member.Actions{Activate: "start", Stop: "stop"},
	}}}
	for i, id := range members {
		f.Members = append(f.Members, member.Member{ID: id, Domain: member.FailureDomain(string(rune('a' + i))), Pool: "web", Council: true})
	}
	return f
}

// facts lists the kinds of the facts that were applied.
func (h *host) facts() string {
	var kinds []string
	for _, a := range all[Applied](h) {
		for _, f := range a.Facts {
			kinds = append(kinds, string(f.Command.Kind))
		}
	}
	return strings.Join(kinds, " ")
}

func TestALoneCouncillorAgreesWithItself(t *testing.T) {
	h := found(t, "web-1", "web-1")
	h.run(3 * time.Second)
	if l := h.mind.Leading(); l.Leader != "web-1" || !l.Quorum {
		t.Fatalf("%+v", l)
	}
	h.submit(consensus.KindFleet, "fleet/1", webFleet("web-1"))
	h.run(100 * time.Millisecond)
	steps := all[DoStep](h)
	if len(steps) != 1 || steps[0].Action != "start" || steps[0].Key.Slot != "slot-0" {
		t.Fatalf("steps %+v", steps)
	}
	h.step(StepEnded{Done: failover.StepDone{Key: steps[0].Key, Result: failover.ResultDone}})
	h.run(time.Second)
	if got := h.facts(); got != "genesis fleet step-report" {
		t.Errorf("facts: %s", got)
	}
	if s, _ := h.mind.State().Slot("slot-0"); !s.Started {
		t.Error("the slot is not known to serve")
	}
}

func TestTwoMembersInAllDecideNothing(t *testing.T) {
	h := found(t, "web-1", "web-1")
	h.run(3 * time.Second)
	h.submit(consensus.KindFleet, "fleet/1", webFleet("web-1", "web-2"))
	h.run(time.Minute) // web-2 never answers a probe
	if n := len(all[SendProbes](h)); n < 50 {
		t.Errorf("%d rounds of probes in a minute", n)
	}
	if strings.Contains(h.facts(), "verdict") {
		t.Errorf("facts: %s", h.facts())
	}
}

func TestEveryFactIsKeptBeforeItIsTold(t *testing.T) {
	h := found(t, "web-1", "web-1")
	h.run(3 * time.Second)
	h.submit(consensus.KindFleet, "fleet/1", webFleet("web-1"))
	h.run(time.Second)
	kept := 0
	for _, e := range h.did {
		if k, ok := e.(Keep); ok {
			kept += len(k.Facts)
		}
		if a, ok := e.(Applied); ok {
			if kept == 0 {
				t.Fatal("told before it was kept")
			}
			kept -= len(a.Facts)
		}
	}
}

func TestAFollowersWantIsRepeatedUntilItStands(t *testing.T) {
	leader := found(t, "web-1", "web-1")
	leader.run(3 * time.Second)
	leader.submit(consensus.KindFleet, "fleet/1", webFleet("web-2", "web-1"))
	leader.run(time.Second)
	var facts []consensus.Fact
	for _, a := range all[Applied](leader) {
		facts = append(facts, a.Facts...)
	}

	h := wake(t, "web-2", Boot{Facts: facts})
	if h.mind.Councillor() {
		t.Fatal("web-2 is no founder")
	}
	h.step(QuorumHeard{Leader: "web-1", Term: 2})
	h.run(10 * time.Millisecond)
	steps := all[DoStep](h)
	if len(steps) != 1 {
		t.Fatalf("steps %+v", steps)
	}
	h.step(StepEnded{Done: failover.StepDone{Key: steps[0].Key, Result: failover.ResultDone}})
	h.run(time.Minute)
	submits := all[Submit](h)
	if len(submits) < 50 || len(submits) > 55 {
		t.Errorf("handed in %d times within a minute, want every 1.2 s, and sooner at first", len(submits))
	}
	leader.step(Submitted{Command: submits[0].Command})
	leader.run(100 * time.Millisecond)
	last := all[Applied](leader)
	h.step(FactsFed{Facts: last[len(last)-1].Facts})
	n := len(all[Submit](h))
	h.run(5 * time.Second)
	if more := len(all[Submit](h)) - n; more != 0 {
		t.Errorf("it stands, and was handed in %d times more", more)
	}
}

// TestAWantThatCameWithAWholeLedgerIsNotRepeated: the fact itself never comes,
// for it stands in a snapshot.
func TestAWantThatCameWithAWholeLedgerIsNotRepeated(t *testing.T) {
	leader := found(t, "web-1", "web-1")
	leader.run(3 * time.Second)
	h := wake(t, "web-9", Boot{Facts: genesisFacts(t)})
	h.submit(consensus.KindFleet, "fleet/1", webFleet("web-1"))
	h.run(time.Second)
	leader.step(Submitted{Command: all[Submit](h)[0].Command})
	leader.run(time.Second)
	b, err := leader.mind.Ledger().Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	h.step(LedgerFed{Snapshot: b})
	n := len(all[Submit](h))
	h.run(5 * time.Second)
	if more := len(all[Submit](h)) - n; more != 0 {
		t.Errorf("it stands, and was handed in %d times more", more)
	}
	leader.step(Submitted{Command: all[Submit](h)[0].Command})
	if n := leader.mind.Wants(); n != 0 {
		t.Errorf("who has it in the ledger wants it once more")
	}
}

func TestSomebodyElsesCommandIsGivenUpAfterAWhile(t *testing.T) {
	h := wake(t, "web-9", Boot{Facts: genesisFacts(t)})
	h.submit(consensus.KindFleet, "fleet/1", webFleet("web-1"))
	h.submit(consensus.KindFleet, "fleet/1", webFleet("web-1")) // once more
	h.run(time.Minute)
	if n := len(all[Submit](h)); n < 12 || n > 15 {
		t.Errorf("handed in %d times, want after 0.3, 0.6 and then every 1.2 s, for 15 s", n)
	}
}

func TestANewLeaderIsHandedEverythingAtOnce(t *testing.T) {
	h := wake(t, "web-9", Boot{Facts: genesisFacts(t)})
	h.submit(consensus.KindFleet, "fleet/1", webFleet("web-1"))
	h.run(2500 * time.Millisecond) // the next time is at 3.3 s
	before := len(all[Submit](h))
	h.step(QuorumHeard{Leader: "web-1", Term: 7})
	h.step(QuorumHeard{Leader: "web-1", Term: 7})
	if n := len(all[Submit](h)) - before; n != 1 {
		t.Errorf("handed in %d times when the leader was heard of, want once", n)
	}
}

func genesisFacts(t *testing.T) []consensus.Fact {
	f, err := consensus.NewLedger().Found(consensus.Genesis{Cluster: "test", Council: []member.ID{"web-1"}, Unsigned: true})
	if err != nil {
		t.Fatal(err)
	}
	return []consensus.Fact{f}
}

func TestAnUnknownKindIsKeptAndStopsDecisions(t *testing.T) {
	h := found(t, "web-1", "web-1")
	h.run(3 * time.Second)
	h.mind.council.Admits = nil // a leader of a newer build
	h.submit("levitation", "x", 1)
	if !strings.Contains(h.mind.Ledger().Blocked(), "upgrade") {
		t.Fatalf("not blocked: %q", h.mind.Ledger().Blocked())
	}
	h.submit(consensus.KindFleet, "fleet/1", webFleet("web-1", "web-2", "web-3", "web-4"))
	if n := len(all[DoStep](h)); n != 0 {
		t.Errorf("%d steps begun by an agent that does not know the whole state", n)
	}
	if got := h.facts(); got != "genesis levitation fleet" {
		t.Errorf("facts: %s", got)
	}
}

func TestAnUnlistedAgentProbesNothing(t *testing.T) {
	h := found(t, "web-1", "web-1")
	h.run(3 * time.Second)
	h.submit(consensus.KindFleet, "fleet/1", webFleet("web-2", "web-3"))
	h.run(5 * time.Second)
	if n, m := len(all[SendProbes](h)), len(all[SendStatement](h)); n != 0 || m != 0 {
		t.Errorf("%d rounds of probes, %d statements", n, m)
	}
}

func TestWithoutACouncilTheModeIsIsolated(t *testing.T) {
	h := wake(t, "web-9", Boot{Facts: genesisFacts(t)})
	if m, _ := h.mind.Mode(); m != failover.Isolated {
		t.Errorf("never heard of a council: %s", m)
	}
	h.step(QuorumHeard{Leader: "web-1", Term: 1})
	if m, _ := h.mind.Mode(); m != failover.Normal {
		t.Errorf("the council has a quorum: %s", m)
	}
	h.run(3900 * time.Millisecond)
	if m, _ := h.mind.Mode(); m != failover.Normal {
		t.Errorf("after 3.9 s: %s", m)
	}
	h.run(time.Second)
	if m, since := h.mind.Mode(); m != failover.Isolated || !since.Equal(noon) {
		t.Errorf("after 4.9 s: %s since %v", m, since)
	}
}

func TestABrokenChainEndsTheAgent(t *testing.T) {
	facts := genesisFacts(t)
	h := wake(t, "web-9", Boot{Facts: facts})
	forged := consensus.Fact{Index: 2, Raft: 2, Time: noon, Command: consensus.Command{ID: "x", Kind: "x"}}
	h.step(FactsFed{Facts: []consensus.Fact{forged}})
	if n := len(all[Broken](h)); n != 1 {
		t.Fatalf("%d times broken", n)
	}
	h.did = nil
	h.run(0)
	h.step(Woken{})
	if len(h.did) != 0 {
		t.Errorf("it goes on: %+v", h.did)
	}
}

func TestAMissingFactIsWaitedFor(t *testing.T) {
	h := wake(t, "web-9", Boot{Facts: genesisFacts(t)})
	h.step(FactsFed{Facts: []consensus.Fact{{Index: 7}}})
	if len(all[Broken](h)) != 0 || h.mind.Ledger().Head() != 1 {
		t.Error("a gap in the feed is no broken chain")
	}
}

func TestASpoiledStartIsRefused(t *testing.T) {
	for name, b := range map[string]Boot{
		"snapshot": {Snapshot: []byte("{")},
		"gap":      {Facts: []consensus.Fact{{Index: 3}}},
		"raft":     {Facts: genesisFacts(t), Raft: consensus.Saved{}, Snapshot: nil},
	} {
		_, err := New(Default("web-1", 1), b, noon)
		if name == "raft" {
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if err == nil {
			t.Errorf("%s: started", name)
		}
	}
}

func TestTheCouncilNeverTakesFactsFromTheFeed(t *testing.T) {
	h := found(t, "web-1", "web-1")
	h.step(FactsFed{Facts: []consensus.Fact{{Index: 2}}})
	h.step(QuorumHeard{Leader: "web-7", Term: 99})
	if h.mind.Ledger().Head() != 1 || h.mind.Leading().Leader == "web-7" {
		t.Error("a councillor believed the feed")
	}
}

func TestSnapshotsComeInTimeAndStartAgain(t *testing.T) {
	cfg := Default("web-1", 1)
	cfg.SnapshotEvery, cfg.KeepEntries = 10, 2
	m, err := New(cfg, Boot{Genesis: &consensus.Genesis{Cluster: "test", Council: []member.ID{"web-1"}, Unsigned: true}}, noon)
	if err != nil {
		t.Fatal(err)
	}
	h := &host{t: t, mind: m, now: noon}
	h.run(3 * time.Second)
	for i := range 25 {
		h.submit(consensus.KindFleet, fmt.Sprint("fleet/", i), webFleet("web-1"))
		h.run(50 * time.Millisecond)
	}
	snaps := all[KeepSnapshot](h)
	if len(snaps) < 2 || snaps[0].Raft == nil || snaps[0].Whole {
		t.Fatalf("%d snapshots", len(snaps))
	}
	last := snaps[len(snaps)-1]
	again, err := New(cfg, Boot{Snapshot: last.Ledger, Raft: consensus.Saved{Snapshot: last.Raft}}, noon)
	if err != nil {
		t.Fatal(err)
	}
	if again.Ledger().Head() != last.Head || again.Ledger().Fleet() == nil {
		t.Errorf("started at fact %d of %d", again.Ledger().Head(), last.Head)
	}
}

func TestAStatementIsAcknowledgedAndPassedOnOnce(t *testing.T) {
	h := found(t, "web-1", "web-1", "web-2", "web-3")
	h.mind.led = Led{Leader: "web-2", Term: 1, Quorum: true}
	st := agent.Statement{Observer: "web-9", Seq: 7, Acknowledge: true, Votes: []agent.Vote{{Subject: "web-2", Stance: agent.Down}}}
	h.step(StatementCame{Statement: st, Raw: []byte("signed")})
	h.step(StatementCame{Statement: st, Raw: []byte("signed"), Forwarded: true})
	if a := all[Acknowledge](h); len(a) != 1 || a[0].To != "web-9" || a[0].Seq != 7 {
		t.Errorf("acknowledged %+v", a)
	}
	if p := all[PassOn](h); len(p) != 1 || p[0].To != "web-2" {
		t.Errorf("passed on %+v", p)
	}
}

func TestOnlyWhoAsksForItIsAcknowledged(t *testing.T) {
	h := found(t, "web-1", "web-1", "web-2", "web-3")
	h.step(StatementCame{Statement: agent.Statement{Observer: "web-9", Seq: 7}}) // a sign of life
	h.step(StatementCame{Statement: agent.Statement{Observer: "web-9", Seq: 8, Acknowledge: true}})
	if a := all[Acknowledge](h); len(a) != 1 || a[0].Seq != 8 {
		t.Errorf("acknowledged %+v", a)
	}
}

func TestARepeatedStatementIsAcknowledgedAgainAndNotPassedOn(t *testing.T) {
	h := found(t, "web-1", "web-1", "web-2", "web-3")
	h.mind.led = Led{Leader: "web-2", Term: 1, Quorum: true}
	say := func(life member.Incarnation, seq uint64) {
		h.step(StatementCame{Raw: []byte("signed"), Statement: agent.Statement{
			Observer: "web-9", Incarnation: life, Seq: seq, Acknowledge: true, Votes: []agent.Vote{{Subject: "web-2", Stance: agent.Down}},
		}})
	}
	for range 3 {
		say(5, 7)
		say(5, 9)
		say(5, 8) // out of order, and no repeat
	}
	if n := len(all[PassOn](h)); n != 3 {
		t.Errorf("3 statements, each of them three times: passed on %d", n)
	}
	if n := len(all[Acknowledge](h)); n != 9 {
		t.Errorf("acknowledged %d of 9: whoever repeats himself has missed the last one", n)
	}
	for range 3 {
		for seq := uint64(10); seq < 90; seq++ { // as many as are said within a repeat's time
			say(5, seq)
		}
	}
	if n := len(all[PassOn](h)); n != 83 {
		t.Errorf("80 more statements, each of them three times: %d passed on in all, want 83", n)
	}
	say(5, 300)
	say(5, 299)
	say(5, 299)
	say(5, 300-64)
	say(5, 300-64)
	if n := len(all[PassOn](h)); n != 86 {
		t.Errorf("after a gap: %d passed on in all, want 86", n)
	}
	say(6, 7)
	say(5, 310)
	if n := len(all[PassOn](h)); n != 87 {
		t.Errorf("passed on %d, want one more: a new life counts anew, and an earlier one is over", n)
	}
	h.mind.lead(Led{Leader: "web-3", Term: 2, Quorum: true})
	say(6, 7)
	if p := all[PassOn](h); len(p) != 88 || p[87].To != "web-3" {
		t.Errorf("a new leader was told %+v", p[87:])
	}
}

func TestAFewObserversCheckInCalm(t *testing.T) {
	fleet := webFleet("web-1", "web-2", "web-3", "web-4", "web-5", "web-6", "web-7")
	fleet.Pools[0].Checks = member.Checks{TCP: &member.TCPCheck{Port: 80}}
	var checkers []member.ID
	for _, m := range fleet.Members {
		h := found(t, m.ID, m.ID)
		h.run(3 * time.Second)
		h.submit(consensus.KindFleet, "fleet/1", fleet)
		h.run(100 * time.Millisecond)
		if h.mind.checksInCalm("web-1") {
			checkers = append(checkers, m.ID)
		}
	}
	if len(checkers) != agent.Default().Checkers || slices.Contains(checkers, "web-1") {
		t.Errorf("web-1 is checked by %v", checkers)
	}
}
