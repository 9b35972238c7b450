package sim

import (
	"strings"
	"testing"
	"time"

	"moonwatch/failover"
	"moonwatch/member"
)

// TestTheAlarmOfExclusiveSlotsRings plants what must never be, and waits for S4.
func TestTheAlarmOfExclusiveSlotsRings(t *testing.T) {
	for _, c := range []struct {
		name, text string
		plant      func(t *testing.T, w *World)
	}{
		{"a-second-occupant", "runs exclusive slot web-3", func(_ *testing.T, w *World) {
			epoch := w.machine("web-3").running["web-3"].epoch
			x := w.machine("spare-0")
			x.keeper.slots = map[member.SlotID]*tenancy{"web-3": {epoch: epoch + 1, sent: x.steady(), terms: member.LeaseLan()}}
			x.takesEffect(failover.StepKey{Step: failover.StepActivate, Slot: "web-3", Epoch: epoch + 1})
		}},
		{"one-that-goes-on-after-a-pause", "runs exclusive slot web-3", func(t *testing.T, w *World) {
			m := w.machine("web-3")
			w.Hit(Pause, "web-3")
			run(t, w, 20*time.Second) // another one serves it by now
			m.keeper = keeper{}       // and nobody ends it here
			w.Mend(Pause, "web-3")
		}},
		// A keeper that counts from when the grant came, not from when the renewal was
		// sent: an agent that stood still for a while takes what has waited for it, and
		// its lease would be young again.
		{"counted-from-receipt", "web-3", func(t *testing.T, w *World) {
			m := w.machine("web-3")
			m.keeper.receipt = true
			asked := func() bool { o := w.checker.leases.order; return o[len(o)-1].holder == "web-3" }
			_ = w.RunUntil(2*time.Second, func() bool { return !asked() })
			_ = w.RunUntil(2*time.Second, asked) // a renewal has just left
			w.Hit(Freeze, "web-3")
			run(t, w, 200*time.Millisecond) // its grant waits for the agent: renewals are gathered for 100 ms
			w.Hit(Isolate, "web-3")
			run(t, w, 4700*time.Millisecond) // less than what is left of the lease before
			w.Mend(Freeze, "web-3")
			_ = w.Run(20 * time.Second)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := sole(t, 31)
			c.plant(t, w)
			if b := w.Broken(); b == nil || b.Promise != "S4" || !strings.Contains(b.Text, c.text) {
				t.Fatalf("the checker says %v, want S4: %s", b, c.text)
			}
		})
	}
}
