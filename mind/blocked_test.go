package mind

import (
	"strings"
	"testing"
	"time"

	"moonwatch/consensus"
	"moonwatch/failover"
)

// TestALaterKindStopsNoCouncil: it waits until every councillor has said that its build
// knows it, and one that this build does not know itself is not proposed at all.
func TestALaterKindStopsNoCouncil(t *testing.T) {
	h := found(t, "web-1", "web-1", "web-2")
	m := h.mind
	command := func(kind consensus.FactKind) []byte {
		c, err := consensus.NewCommand(kind, "x", "web-1", h.now, 1)
		if err != nil {
			t.Fatal(err)
		}
		b, err := c.Encode()
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	if !m.admits(command(consensus.KindVerdict)) {
		t.Error("a verdict waits")
	}
	if m.admits(command("levitation")) || m.admits([]byte("no command")) {
		t.Error("what this build does not know is proposed")
	}
	if m.admits(command(consensus.KindDisk)) {
		t.Error("web-2 has not said that it knows disks")
	}
	h.step(KindsTold{Member: "web-2"})
	if m.admits(command(consensus.KindDisk)) {
		t.Error("web-2 has said that it does not know disks")
	}
	h.step(KindsTold{Member: "web-2", Kinds: LaterKinds()})
	if !m.admits(command(consensus.KindDisk)) {
		t.Error("web-2 has said that it knows disks")
	}
}

// A member without a seat stops deciding too at a kind that it does not know: it asks
// for no lease any more, and loses its slot.
func TestALaterKindStopsNobodyElse(t *testing.T) {
	h := found(t, "web-1", "web-1")
	h.run(3 * time.Second)
	fleet := webFleet("web-1", "web-2", "web-3", "web-4")
	h.submit(consensus.KindFleet, "fleet/1", fleet)
	h.run(300 * time.Millisecond)
	m := h.mind
	command := func(kind consensus.FactKind, payload any) []byte {
		c, err := consensus.NewCommand(kind, "x", "web-1", h.now, payload)
		if err != nil {
			t.Fatal(err)
		}
		b, err := c.Encode()
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	if !m.admits(command("would", 1)) {
		t.Error("nobody has said that it does not know it")
	}
	h.step(KindsTold{Member: "web-4"})
	if m.admits(command("would", 1)) {
		t.Error("web-4 would stop deciding")
	}
	if !m.admits(command(consensus.KindFleet, fleet)) {
		t.Error("a fleet waits whose policy every build reads")
	}
	fleet.Pools[0].Spares.Reserve = 1
	if m.admits(command(consensus.KindFleet, fleet)) {
		t.Error("web-4 would not read what the pool keeps in reserve")
	}
	// A build that knows early returns and requests, and none of what came after them.
	h.step(KindsTold{Member: "web-4", Kinds: []consensus.FactKind{failover.KindEarly, failover.KindRequest}})
	if !m.admits(command(consensus.KindFleet, fleet)) {
		t.Error("web-4 reads what the pool keeps in reserve")
	}
	fleet.Pools[0].Spares.BorrowFrom = []string{"batch"}
	if m.admits(command(consensus.KindFleet, fleet)) {
		t.Error("web-4 would not read from whom the pool borrows")
	}
	for act, want := range map[failover.Act]bool{
		failover.ActOverride: true, failover.ActFenced: true, failover.ActReserve: false, failover.ActFailover: false,
	} {
		if got := m.admits(command(failover.KindRequest, failover.Requested{Act: act})); got != want {
			t.Errorf("a request for %s is let in: %v; web-4 would refuse what the others let stand: %v", act, got, !want)
		}
	}
}

func TestAnUnknownKindStopsDecisions(t *testing.T) {
	h := found(t, "web-1", "web-1")
	h.run(3 * time.Second)
	h.mind.council.Admits = nil // a leader of a newer build
	h.submit("levitation", "x", 1)
	h.run(100 * time.Millisecond)
	if h.mind.Ledger().Blocked() == "" {
		t.Fatal("not blocked")
	}
	h.submit(consensus.KindFleet, "fleet/1", webFleet("web-1", "web-2", "web-3", "web-4"))
	h.run(300 * time.Millisecond)
	if n := len(all[DoStep](h)); n != 0 {
		t.Errorf("%d steps begun by an agent that does not know the whole state", n)
	}
	if got := h.facts(); !strings.HasPrefix(got, "genesis levitation fleet") {
		t.Errorf("what it does not know is not kept: %s", got)
	}
}
