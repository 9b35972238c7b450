package mind

import (
	"testing"
	"time"

	"moonwatch/agent"
	"moonwatch/consensus"
	"moonwatch/failover"
	"moonwatch/member"
)

// A councillor whose agent starts in a cascade has all facts on its disk, hears of no new
// one and leads. It knows of the cascade, and calls the roll for one member at a time.
func TestWhoBeginsInACascadeCallsTheRollForOneAtATime(t *testing.T) {
	members := []member.ID{"web-1", "web-2", "web-3", "web-4", "web-5", "web-6", "web-7"}
	cfg := Default("web-1", 1)
	cfg.SnapshotEvery, cfg.KeepEntries = 1, 1
	m, err := New(cfg, Boot{Genesis: &consensus.Genesis{Cluster: "test", Council: []member.ID{"web-1"}, Unsigned: true}}, noon)
	if err != nil {
		t.Fatal(err)
	}
	h := &host{t: t, mind: m, now: noon}
	h.run(3 * time.Second)
	h.submit(consensus.KindFleet, "fleet/1", webFleet(members...))
	h.run(10 * time.Second) // it hears nobody
	snaps := all[KeepSnapshot](h)
	last := snaps[len(snaps)-1]

	m, err = New(cfg, Boot{Snapshot: last.Ledger, Raft: consensus.Saved{Snapshot: last.Raft}}, h.now)
	if err != nil {
		t.Fatal(err)
	}
	head := m.Ledger().Head()
	h = &host{t: t, mind: m, now: h.now}
	h.run(3 * time.Second)
	if mode := m.state.Brake().Mode(); mode != failover.Cascade || m.Leading().Leader != "web-1" {
		t.Fatalf("%q leads in mode %s", m.Leading().Leader, mode)
	}
	h.did = nil
	seq := uint64(0)
	for range 20 {
		for _, observer := range members[1:] {
			var votes []agent.Vote
			for _, subject := range members[1:] {
				if subject != observer {
					votes = append(votes, agent.Vote{Subject: subject, Stance: agent.Down, Reason: agent.Silence})
				}
			}
			seq++
			h.step(StatementCame{Statement: agent.Statement{Observer: observer, Incarnation: 1, Seq: seq, Life: 3 * time.Second, Votes: votes}})
		}
		h.run(50 * time.Millisecond)
	}
	if m.Ledger().Head() != head {
		t.Fatalf("%d facts since it began", m.Ledger().Head()-head)
	}
	if n := len(all[SendRollCall](h)); n == 0 || n > 2 {
		t.Errorf("called the roll %d times in a second of a cascade, want once or twice", n)
	}
}

// An occupant of an exclusive slot that was away for longer than the feed remembers is fed
// a whole ledger, after which there may be no new fact for long. It asks for its lease.
func TestAnOccupantThatIsFedAWholeLedgerAsksForItsLease(t *testing.T) {
	fleet := webFleet("web-1", "web-2")
	fleet.Members[0].Pool = ""
	fleet.Pools[0].Exclusive, fleet.Pools[0].Fence = true, []string{"self", "lease"}
	h := fedWhole(t, "web-2", fleet)
	if slot, _, ok := h.mind.state.Tenure("web-2"); !ok || slot != "slot-0" {
		t.Fatalf("web-2 holds %q", slot)
	}
	h.run(5 * time.Second)
	if n := len(all[SendRenewal](h)); n == 0 {
		t.Error("it asks for no lease")
	}
}

// Whoever tells a door does so when a whole ledger says it, and not with the next fact.
func TestWhoIsFedAWholeLedgerTellsItsDoors(t *testing.T) {
	fleet := webFleet("web-1", "web-2")
	fleet.Members[1].Pool = ""
	fleet.Pools[0].Drivers = []member.Driver{{
		Kind: "haproxy", On: []member.ID{"web-2"}, Port: 8080,
		HAProxy: &member.HAProxyDriver{Backend: "web", Map: "web.map", Instances: map[string]string{"a": "192.0.2.1:9999"}},
	}}
	h := fedWhole(t, "web-2", fleet)
	h.step(QuorumHeard{Leader: "web-1", Term: 1, Head: h.mind.Ledger().Head()})
	h.run(5 * time.Second)
	if n := len(all[TellDoor](h)); n == 0 {
		t.Error("it tells no door")
	}
}

// fedWhole is a member that followed, and is fed the whole ledger of a fleet.
func fedWhole(t *testing.T, id member.ID, fleet member.Fleet) *host {
	t.Helper()
	leader := found(t, "web-1", "web-1")
	leader.run(3 * time.Second)
	leader.submit(consensus.KindFleet, "fleet/1", fleet)
	leader.run(time.Second)
	for _, s := range all[DoStep](leader) {
		leader.step(StepEnded{Done: failover.StepDone{Key: s.Key, Result: failover.ResultDone}})
	}
	leader.run(time.Second)
	b, err := leader.mind.Ledger().Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	h := wake(t, id, Boot{Facts: genesisFacts(t)})
	h.run(time.Second)
	h.step(LedgerFed{Snapshot: b})
	if h.mind.Ledger().Fleet() == nil {
		t.Fatal("it has no fleet")
	}
	return h
}
