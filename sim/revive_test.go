package sim

import (
	"strings"
	"testing"
	"time"

	"moonwatch/consensus"
	"moonwatch/failover"
	"moonwatch/member"
)

// snapshotOf takes the ledger of the agent that knows most.
func snapshotOf(t *testing.T, w *World) Snapshot {
	t.Helper()
	b, err := w.State().Ledger().Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	return Snapshot{Ledger: b, At: w.time()}
}

// TestAWorldGoesOnWhereALedgerStands replaces a member in one world, begins
// another one with the ledger of the first, and lets the next member crash
// there.
func TestAWorldGoesOnWhereALedgerStands(t *testing.T) {
	w := demo(t, "lan", 21)
	first, slot := ordinary(w)
	w.Hit(Crash, first)
	within(t, w, 10*time.Second, "service", replaced(w, slot, first))
	run(t, w, time.Minute)
	spare := w.Occupant(slot)

	next, err := New(Config{Seed: 22, Begin: new(snapshotOf(t, w)), Net: Calm().Net, Disk: Calm().Disk, Action: Calm().Action})
	if err != nil {
		t.Fatal(err)
	}
	run(t, next, 20*time.Second)
	if got := next.Occupant(slot); got != spare {
		t.Fatalf("slot %s is held by %s, the ledger said %s", slot, got, spare)
	}
	if next.machine(first).on {
		t.Fatalf("%s runs, and stands under a verdict", first)
	}
	if !next.allServed() {
		t.Fatal(next.Troubles())
	}
	next.Hit(Crash, spare)
	within(t, next, 10*time.Second, "service again", replaced(next, slot, spare))
	within(t, next, 30*time.Minute, "the first one back and all well", func() bool {
		if next.Now() > 2*time.Minute && !next.machine(first).on {
			next.Mend(Crash, first, spare)
		}
		return next.Now() > 5*time.Minute && len(next.Troubles()) == 0
	})
}

// TestAWorldMayBeginInTheMiddleOfACase takes the ledger at each state of a
// case.
func TestAWorldMayBeginInTheMiddleOfACase(t *testing.T) {
	for _, state := range []failover.CaseState{failover.Draining, failover.Activating, failover.Verifying, failover.Settling} {
		w := demo(t, "lan", 23)
		id, slot := ordinary(w)
		w.Hit(Crash, id)
		within(t, w, 20*time.Second, string(state), func() bool { return w.inCase(state) })
		next, err := New(Config{Seed: 24, Begin: new(snapshotOf(t, w)), Net: Calm().Net, Disk: Calm().Disk, Action: Calm().Action})
		if err != nil {
			t.Fatal(err)
		}
		within(t, next, time.Minute, "service", replaced(next, slot, id))
	}
}

func TestALedgerThatCannotBePlayedIsRefused(t *testing.T) {
	if _, err := New(Config{Begin: &Snapshot{Ledger: []byte("{")}}); err == nil {
		t.Error("half a ledger was taken")
	}
	st := failover.NewState()
	l := consensus.NewLedger(st)
	st.Bind(l)
	if _, err := l.Found(consensus.Genesis{Cluster: "c", Council: []member.ID{"a", "b", "c"}}); err != nil {
		t.Fatal(err)
	}
	b, err := l.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := New(Config{Begin: &Snapshot{Ledger: b}}); err == nil || !strings.Contains(err.Error(), "no fleet") {
		t.Errorf("a ledger without a fleet: %v", err)
	}
}
