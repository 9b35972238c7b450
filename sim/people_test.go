package sim

import (
	"testing"
	"time"

	"moonwatch/failover"
	"moonwatch/member"
)

// A switchover finishes exactly once whoever leads: the leader's agent dies in
// every state that a switchover goes through, at another moment with every seed.
func TestASwitchoverFinishesOnceInWhateverStateItsLeaderDies(t *testing.T) {
	seeds := uint64(8)
	if testing.Short() {
		seeds = 2
	}
	for _, state := range []failover.CaseState{
		failover.Draining, failover.Fencing, failover.Fenced, failover.Activating, failover.Verifying, failover.Cutover, failover.Settling,
	} {
		for seed := range seeds {
			cfg := Demo()
			cfg.Seed = seed
			w, err := New(cfg)
			if err != nil {
				t.Fatal(err)
			}
			killed, leader := false, member.ID("")
			w.Watch(func(h Happening) {
				if killed || h.What != Agreed || !h.Fact.Accepted {
					return
				}
				for _, c := range w.State().OpenCases() {
					for _, p := range c.History {
						if p.Fact == h.Fact.Index && p.State == state && w.Leader() != "" {
							killed, leader = true, w.Leader()
							w.at(w.now+time.Duration(seed)*7*time.Millisecond+1, func() { w.Begin(Fault{Do: KillAgent, Whom: ids(leader), For: 10 * time.Second}) })
						}
					}
				}
			})
			must(t, w.Run(30*time.Second))
			slot := w.State().Slots()[seed%5]
			before, occupant := slot.Epoch, slot.Occupant
			w.Begin(Fault{Do: OrderSwitchover, Whom: ids(occupant)})
			must(t, w.Run(90*time.Second))
			s, _ := w.State().Slot(slot.ID)
			if !killed || w.Counted().Switched != 1 || w.Counted().Replaced != 0 || s.Occupant == occupant || s.Epoch <= before {
				t.Errorf("%s, seed %d: leader killed %v, switched %d times, %s has it at %d", state, seed, killed, w.Counted().Switched, s.Occupant, s.Epoch)
			}
			// Who led itself stands under agent-lost when it is relieved, and comes back the long way.
			if u := w.State().Use(occupant); u.Duty != failover.Spare && occupant != leader || len(u.Leftover) > 0 {
				t.Errorf("%s, seed %d: %s is %s with %v", state, seed, occupant, u.Duty, u.Leftover)
			}
			for _, x := range w.Troubles() {
				t.Errorf("%s, seed %d: %s", state, seed, x)
			}
		}
	}
}

// What people order is not lost with a leader, and whoever leads next keeps to it.
func TestAHoldOutlivesLeaders(t *testing.T) {
	for seed := range uint64(6) {
		cfg := Demo()
		cfg.Seed = seed
		w, err := New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		must(t, w.Run(20*time.Second))
		victim := w.State().Slots()[seed%5].Occupant
		w.Strike(
			Fault{At: 21 * time.Second, Do: OrderHold, Whom: ids(victim), For: 3 * time.Minute},
			Fault{At: 25 * time.Second, Do: Crash, Whom: ids(victim)},
		)
		for i := range 3 {
			w.at(time.Duration(30+25*i)*time.Second, func() {
				if l := w.Leader(); l != "" && l != victim {
					w.Begin(Fault{Do: KillAgent, Whom: ids(l), For: 12 * time.Second})
				}
			})
		}
		must(t, w.Run(2*time.Minute))
		if n := w.Counted().Replaced; n != 0 {
			t.Errorf("seed %d: %d replacements under a hold", seed, n)
		}
		must(t, w.Run(4*time.Minute))
		if n := w.Counted().Replaced; n != 1 {
			t.Errorf("seed %d: %d replacements after its end, want 1: %v", seed, n, w.Troubles())
		}
	}
}

func ids(all ...member.ID) []member.ID { return all }

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
