package sim

import (
	"testing"
	"time"

	"moonwatch/failover"
	"moonwatch/member"
)

// TestACouncilThatStoodStillIsNoCascade pauses the leader with so many
// councillors that nobody can take its office. When it goes on it has heard nobody
// for longer than the brake allows, and the fault is its own.
func TestACouncilThatStoodStillIsNoCascade(t *testing.T) {
	for seed := range uint64(5) {
		w := story(t, Fleet(100), 600+seed)
		leader := w.Leader()
		stalled := []member.ID{leader}
		for _, id := range w.cfg.Council {
			if id != leader && len(stalled) < 3 {
				stalled = append(stalled, id)
			}
		}
		w.Watch(func(h Happening) {
			if h.What == Agreed && h.Fact.Accepted && h.Fact.Command.Kind == failover.KindBrake {
				if mode := payload[failover.Brakes](*h.Fact).Mode(); mode == failover.Cascade {
					t.Errorf("seed %d at %v: mode %s, with 3 of 100 members stalled", 600+seed, h.At, mode)
				}
			}
		})
		w.Strike(Fault{At: w.Now(), Do: Pause, Whom: stalled, For: 2500 * time.Millisecond})
		run(t, w, 20*time.Second)
	}
}
