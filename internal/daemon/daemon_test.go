package daemon

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"moonwatch/consensus"
	"moonwatch/failover"
	"moonwatch/failover/driver"
	"moonwatch/member"
	"moonwatch/status"
)

func TestAMemberThatDiesIsReplacedOverRealSockets(t *testing.T) {
	f := newFleet(t, []member.ID{"m1", "m2", "m3", "m4"})
	f.until("m4", "a leader", 60*time.Second, func(p status.Page) bool { return p.Council.Leader != "" })
	f.apply(testFleet(f, 3))
	p := f.until("m4", "all slots started", 60*time.Second, func(p status.Page) bool {
		n := 0
		for _, s := range p.Slots {
			if s.State == status.SlotServing {
				n++
			}
		}
		return n == 3
	})
	victim := member.ID("m2")
	if p.Council.Leader == victim {
		victim = "m3"
	}
	began := time.Now()
	f.unserve(victim)
	f.stop(victim)
	f.until("m4", "the spare in the slot", 60*time.Second, func(p status.Page) bool {
		for _, s := range p.Slots {
			if s.Occupant == "m4" {
				return true
			}
		}
		return false
	})
	t.Log("replaced after", time.Since(began))
	ledgerIsWhole(t, f.agents["m4"])
}

// TestAMemberWhoseOldSlotStillServesIsNoSpare although its stop action says done: what
// counts is that the slot's check is refused.
func TestAMemberWhoseOldSlotStillServesIsNoSpare(t *testing.T) {
	f := newFleet(t, []member.ID{"m1", "m2", "m3", "m4"})
	f.apply(testFleet(f, 2))
	victim := member.ID("m2")
	f.until("m3", "its slot started", 60*time.Second, func(p status.Page) bool {
		return len(p.Slots) == 2 && p.Slots[1].Occupant == victim && p.Slots[1].State == status.SlotServing
	})
	f.unserve(victim)
	f.stop(victim)
	f.until("m3", "a spare in its slot", 30*time.Second, func(p status.Page) bool { return p.Slots[1].Occupant != victim })
	f.serve(victim) // its init has started what ran before; web-stop says done and does nothing
	f.start(victim)
	tried := func() float64 {
		return testutil.ToFloat64(f.agents[victim].m.steps.WithLabelValues(string(failover.StepStop), driver.Unknown.String()))
	}
	leftover := func(p status.Page) []member.SlotID {
		for _, m := range p.Members {
			if m.ID == victim {
				return m.Leftover
			}
		}
		return nil
	}
	p := f.until("m3", "a stop without proof", 60*time.Second, func(status.Page) bool { return tried() > 0 })
	if len(leftover(p)) == 0 {
		t.Fatal("a stop that nobody has seen was believed")
	}
	f.unserve(victim)
	f.until("m3", "nothing left behind", 60*time.Second, func(p status.Page) bool { return len(leftover(p)) == 0 })
}

// ledgerIsWhole asks an agent for its ledger and folds it: what-if questions
// are asked of it.
func ledgerIsWhole(t *testing.T, d *Daemon) {
	t.Helper()
	rec := httptest.NewRecorder()
	d.socketHandler().ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/api/v1/ledger", nil))
	var c ledgerCopy
	if err := json.Unmarshal(rec.Body.Bytes(), &c); err != nil || rec.Code != http.StatusOK {
		t.Fatalf("%d %.200s: %v", rec.Code, rec.Body, err)
	}
	st := failover.NewState()
	l := consensus.NewLedger(st)
	st.Bind(l)
	if err := l.Restore(c.Ledger); err != nil {
		t.Fatal(err)
	}
	if l.Head() < c.Knowledge.Head || l.Cluster() != cluster || c.Knowledge.AsOf.IsZero() {
		t.Errorf("the ledger of %q ends with fact %d, the page had shown %+v", l.Cluster(), l.Head(), c.Knowledge)
	}
	if s, ok := st.Slot("web-0"); !ok || len(st.Slots()) != 3 {
		t.Errorf("slots %v, want three, with web-0 (%+v)", st.Slots(), s)
	}
}
